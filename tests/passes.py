"""Running the pass on planes made in a test."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from grainkit.backends.cpu import CpuBackend
from grainkit.backends.pass_term import PassTerm
from grainkit.effects.base import Context, pass_tables
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.picture.color import Color, chroma_codes
from grainkit.picture.frame import Frame, Plane

F64 = npt.NDArray[np.float64]

NO_GUARD = HighlightGuard(strength=0.0)
NO_GRAIN = CinemaGrain(strength=0.0)


def lifted(y: F64) -> F64:
    """A luma curve: deep shadows are lifted, and midtones have more contrast."""
    return 0.03 + 0.95 * (y - 0.09 * np.sin(2 * np.pi * y))


def faded(y: F64) -> F64:
    """A factor on chroma by luma: none of it is left in black, and highlights have a little more."""
    return 1.2 * (1.0 - (1.0 - y) ** 4)


def dtype_of(color: Color) -> Any:
    """The sample type of planes of this colour."""
    return np.float32 if color.is_float else np.uint8 if color.depth == 8 else np.uint16


def neutral(luma: Plane, color: Color) -> tuple[Plane, ...]:
    """Planes of a grey picture with this luma."""
    across, down = color.subsampling
    shape = (-(-luma.shape[0] // down), -(-luma.shape[1] // across))
    grey = 0.0 if color.is_float else chroma_codes(color.depth, color.range)[0]
    chroma = np.full(shape, grey, luma.dtype)
    return luma, chroma, chroma.copy()


def run(
    planes: tuple[Plane, ...], color: Color, grain: CinemaGrain = NO_GRAIN, guard: HighlightGuard = NO_GUARD, *,
    target: Color | None = None, index: int = 0, seed: int = 7, workers: int = 2, rate: Fraction | None = None,
    dpi: float = 0.0, side: tuple[int, int] | None = None, texture: PassTerm | None = None,
) -> tuple[Plane, ...]:  # fmt: skip
    """The planes after the pass. side: (width, height) that grain is sized for, the picture's own by default."""
    height, width = planes[0].shape
    size = side or (width, height)
    tables = pass_tables(
        (guard, grain),
        Context(source=color, target=target or color, width=size[0], height=size[1], seed=seed, dpi=dpi, rate=rate),
    )
    backend = CpuBackend(workers)
    try:
        return backend.finish(Frame(planes, color, index=index), tables, texture).planes
    finally:
        backend.close()


def at_depth(depth: int, color: Color | None = None) -> Color:
    """A colour at another depth, limited BT.709 4:2:0 unless given."""
    return replace(color or Color(), depth=depth)


def peak_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Largest |cross-correlation| of two fields over all cyclic shifts."""
    a, b = a - a.mean(), b - b.mean()
    spectrum = np.fft.rfft2(a) * np.conj(np.fft.rfft2(b))
    return float(np.abs(np.fft.irfft2(spectrum, s=a.shape)).max() / np.sqrt((a**2).sum() * (b**2).sum()))
