"""Cinema grain."""
