"""What samples mean, and exact mathematics on them."""
