"""Skin relief: the atlas it is baked into, and the layer that it adds to a frame."""
