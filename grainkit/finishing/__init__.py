"""A plan, and frames in, finished frames out."""
