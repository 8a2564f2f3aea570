"""Grain as in a reference: measured in a clip or still, and said in a recipe's own words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grainkit.analysis.grain import MeasuredGrain, codes_by_luma, measure_grain
from grainkit.effects.grain.parameters import REFERENCE_SIDE, CinemaGrain, curve_points
from grainkit.errors import InputError
from grainkit.io import open_source

#: Less than this, codes of 255, is no grain to match; more is none, or not what a recipe can ask for.
LEAST, MOST = 0.25, 24.0
#: Luma that must be covered for a curve; where it is not, the amount alone is taken, under the curve `film`.
SPAN = 0.25


@dataclass(frozen=True)
class GrainLike:
    """Grain of a reference. settings: what it makes of a recipe, as for `override`. measured: for the sidecar."""

    settings: tuple[str, ...]
    measured: dict[str, object]
    note: str


def grain_like(path: str | Path, max_pixels: int | None = None) -> GrainLike:
    """The grain of a clip, still or sequence. InputError where nothing in it is flat enough, or it has none.

    Size is relative to the picture: a reference of another size gives the same look on the delivery.
    """
    if str(path) == "-":
        raise InputError("--grain-like -: a reference is not read from standard input; name a file")
    with open_source(path, max_pixels=max_pixels) as source:
        side = min(source.info.width, source.info.height)
        found = measure_grain(source)
    if found is None:
        raise InputError(
            f"{path}: nothing in it is flat enough to measure grain on; give a reference with plain surfaces, "
            "such as sky, a wall or a grey card, and a clip rather than a still"
        )
    if found.strongest < LEAST:
        raise InputError(f"{path}: has no grain to match ({found.strongest:.2f} codes of 255 at most)")
    if found.strongest > MOST:
        raise InputError(
            f"{path}: what is in it is too strong for grain ({found.strongest:.0f} codes of 255, at most {MOST:g}); "
            "give a reference with plain surfaces, such as sky, a wall or a grey card"
        )
    return _told(Path(path).name, found, found.sigma * REFERENCE_SIDE / side)


def _told(name: str, found: MeasuredGrain, size: float) -> GrainLike:
    luma, deviation = (np.array(values) for values in zip(*found.luma, strict=True))
    if luma[-1] - luma[0] >= SPAN:
        strength, curve = found.strongest, curve_points(luma, deviation / deviation.max())
    else:
        strength, curve = float(255 * np.mean(deviation / CinemaGrain().share(luma))), "film"
    chroma = max(found.chroma)
    limited = {
        "strength": (strength, 0.0, MOST),
        "size": (size, 0.3, 4.0),
        "chroma": (chroma, 0.0, 1.0),
        "cb": (found.chroma[0] / chroma if chroma else 1.0, 0.0, 3.0),
        "cr": (found.chroma[1] / chroma if chroma else 1.0, 0.0, 3.0),
        "cb_size": (found.chroma_sigma[0] / found.sigma, 0.3, 4.0),
        "cr_size": (found.chroma_sigma[1] / found.sigma, 0.3, 4.0),
    }
    values = {key: round(min(max(value, low), high), 3) for key, (value, low, high) in limited.items()}
    words = {"size_mm": 0, "film": "none", "curve": curve, "shadows": 1, "midtones": 1, "highlights": 1}
    settings = tuple(f"cinema_grain.{key}={value}" for key, value in {**values, **words}.items())
    how = "differences between frames" if found.over_time else "the picture itself"
    return GrainLike(
        settings,
        {
            "file": name, "by": how, "flat_squares": found.squares, "sigma_px": round(found.sigma, 3),
            "unlike": round(found.unlike, 4), "codes_by_luma": codes_by_luma(luma, deviation), **values,
        },
        f"grain like {name}: {values['strength']:.2f} codes of 255 at most, {values['size']:.2f} px at 1080, "
        f"colour {values['chroma']:.2f} x (by {how})",
    )  # fmt: skip
