"""What works on this machine, how fast, and whether it is right."""
