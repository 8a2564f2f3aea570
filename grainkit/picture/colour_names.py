"""Colours by name."""

from __future__ import annotations

#: CSS's sixteen basic colours (CSS Color 3, section 4.1).
COLOUR_NAMES = {
    "white": "#ffffff", "black": "#000000", "silver": "#c0c0c0", "gray": "#808080", "maroon": "#800000",
    "red": "#ff0000", "purple": "#800080", "fuchsia": "#ff00ff", "green": "#008000", "lime": "#00ff00",
    "olive": "#808000", "yellow": "#ffff00", "navy": "#000080", "blue": "#0000ff", "teal": "#008080",
    "aqua": "#00ffff",
}  # fmt: skip
