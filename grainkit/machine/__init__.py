"""What the machine gives: its operating system, where things are kept, and code that is compiled once."""
