"""Grain that is locked to what moves: the texture it is looked up in, and the stage that lays it."""
