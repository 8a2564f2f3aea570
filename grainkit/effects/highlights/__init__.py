"""Highlight protection."""
