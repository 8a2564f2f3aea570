"""grainkit: the finishing step that AI pictures lack.

import grainkit as gk
report = gk.finish("in.mp4", "out.mp4", preset="social/reel", seed=7)
reports = gk.finish_series("pictures/", "finished/", preset="social", seed=7)
out = gk.finish_array(rgb, preset="social", seed=7)
with gk.open_source("in.mp4") as source, gk.Finisher(gk.load_recipe("social/reel")) as finisher:
    for frame in finisher.stream(source): ...

What goes wrong is a `gk.GrainkitError`; what the caller can mend is a `gk.UserError` among those: `InputError`,
`OutputError`, `RecipeError` or `BackendUnavailable`. Each says in one line what, where, what is allowed, the remedy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grainkit.errors import (
        BackendUnavailable,
        EncodingError,
        GrainkitError,
        InputError,
        OutputError,
        RecipeError,
        UserError,
    )
    from grainkit.finishing.finisher import Finisher, finish_array
    from grainkit.finishing.session import Session
    from grainkit.finishing.writer import open_writer
    from grainkit.io import open_source
    from grainkit.job.finish import finish, finish_series
    from grainkit.job.report import Report
    from grainkit.picture.color import Color
    from grainkit.picture.frame import Frame
    from grainkit.recipe.presets import load_recipe, preset_names
    from grainkit.recipe.recipe import Recipe

__all__ = [
    "BackendUnavailable",
    "Color",
    "EncodingError",
    "Finisher",
    "Frame",
    "GrainkitError",
    "InputError",
    "OutputError",
    "Recipe",
    "RecipeError",
    "Report",
    "Session",
    "UserError",
    "__version__",
    "finish",
    "finish_array",
    "finish_series",
    "load_recipe",
    "open_source",
    "open_writer",
    "preset_names",
]

__version__ = "0.1.0"

#: Where each public name lives; imported when first used, so that `import grainkit` costs nothing.
_HOMES = {
    "BackendUnavailable": "errors",
    "Color": "picture.color",
    "EncodingError": "errors",
    "Finisher": "finishing.finisher",
    "Frame": "picture.frame",
    "GrainkitError": "errors",
    "InputError": "errors",
    "OutputError": "errors",
    "Recipe": "recipe.recipe",
    "RecipeError": "errors",
    "Report": "job.report",
    "Session": "finishing.session",
    "UserError": "errors",
    "finish": "job.finish",
    "finish_array": "finishing.finisher",
    "finish_series": "job.finish",
    "load_recipe": "recipe.presets",
    "open_source": "io",
    "open_writer": "finishing.writer",
    "preset_names": "recipe.presets",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'grainkit' has no attribute {name!r}")
    return getattr(import_module(f"grainkit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
