"""The `grainkit` command."""
