"""Sharpening for paper."""
