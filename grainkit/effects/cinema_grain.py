"""Cinema grain: filtered integer noise whose amount follows luma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grainkit.params import Parameters, param


@dataclass(frozen=True)
class CinemaGrain(Parameters):
    """Film grain, new in every frame, most in the middle tones."""

    name: ClassVar[str] = "cinema_grain"

    strength: float = param(
        2.0, "Standard deviation where the curve peaks; 0 is an exact identity.", low=0.0, high=24.0, unit="codes of 255"
    )
    size: float = param(
        1.0, "Grain radius (Gaussian sigma) at a delivery whose short side is 1080 px.", low=0.3, high=4.0, unit="px at 1080"
    )
    size_mm: float = param(
        0.0, "Grain radius on paper; above 0 it replaces `size` and needs the delivery's dpi.", low=0.0, high=2.0, unit="mm"
    )
    curve: str = param("film", "How the amount follows luma.", choices=("film", "midtone", "shadow", "flat"))
    chroma: float = param(0.25, "Colour grain relative to luma grain.", low=0.0, high=1.0, unit="x")
    hold: int = param(0, "Frames that share one grain; 0 holds 2 from 48 fps up, else 1.", low=0, high=8, unit="frames")
