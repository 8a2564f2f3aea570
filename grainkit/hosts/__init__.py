"""Where grainkit is plugged in; nothing imports a host."""
