"""What is in the picture: faces, skin, light, focus, motion. Looks, and writes nothing."""
