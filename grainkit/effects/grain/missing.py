"""Grain for a picture that has some already: only what is missing, luma by luma.

Independent grain adds up in energy, so what is added has the deviation sqrt(asked^2 - found^2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from grainkit.analysis.grain import codes_by_luma
from grainkit.effects.grain.film_formats import FILM_FORMATS
from grainkit.effects.grain.parameters import NO_FILM, CinemaGrain, curve_points

if TYPE_CHECKING:
    from grainkit.analysis.grain import MeasuredGrain

#: Luma that the difference is worked out at.
STEPS = np.linspace(0.0, 1.0, 33)


@dataclass(frozen=True)
class MissingGrain:
    """The grain that a picture lacks. note: what to say of it. measured: what the picture has, for the sidecar."""

    grain: CinemaGrain
    note: str
    measured: dict[str, float | list[list[float]]]


def missing_grain(grain: CinemaGrain, found: MeasuredGrain | None) -> MissingGrain:
    """What of the grain asked for a picture does not have.

    found: what conformed frames have; None where that could not be told, and the whole grain is laid.
    """
    if found is None:
        note = "grain the picture has could not be measured, nothing is flat enough: all that is asked is added"
        return MissingGrain(replace(grain, regrain=False), note, {})
    asked, has = grain.deviation(STEPS), found.deviation(STEPS)
    missing = np.sqrt(np.maximum(asked**2 - has**2, 0.0))
    most = float(missing.max())
    by_luma = codes_by_luma(*zip(*found.luma, strict=True))
    measured: dict[str, float | list[list[float]]] = {
        "found_sigma_px": round(found.sigma, 3),
        "found_by_luma": by_luma,
    }
    if most == 0.0:
        note = f"the picture has as much grain as asked ({found.strongest:.2f} codes of 255): none is added"
        return MissingGrain(replace(grain, strength=0.0, regrain=False), note, measured)
    size = grain.size if grain.film == NO_FILM else FILM_FORMATS[grain.film].size
    lacking = replace(
        grain, strength=min(255 * most, 24.0), curve=curve_points(STEPS, missing / most), size=max(size, 0.3),
        film=NO_FILM, shadows=1.0, midtones=1.0, highlights=1.0, regrain=False,
    )  # fmt: skip
    note = f"the picture has grain of {found.strongest:.2f} codes of 255 at most: {255 * most:.2f} are added at most"
    return MissingGrain(lacking, note, measured)
