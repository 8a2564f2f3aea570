"""What is asked for: values, presets, overrides and targets."""
