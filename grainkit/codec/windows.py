"""Which moments of a clip a codec is tried on: where bands show, where motion eats bits, where highlights burn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grainkit.analysis.picture import luma_of, reduced_size
from grainkit.picture.frame import Frame

#: Frames of a window, and windows at most.
WINDOW, WINDOWS = 12, 3
#: Windows begin on multiples of this many frames.
_STEP = 6
#: Long side of the picture that is looked at, px.
_LOOK = 160
#: Luma below which a smooth place is dark, steps below which it is smooth, luma above which it is bright.
_DARK, _SMOOTH, _BRIGHT = 0.35, 0.01, 0.85


@dataclass(frozen=True)
class Window:
    """Frames first to end - 1, by absolute number, and why they were chosen."""

    first: int
    end: int
    reason: str


def choose_windows(frames: Iterable[Frame], length: int = WINDOW) -> tuple[Window, ...]:
    """Up to WINDOWS windows that do not overlap, in order of time; all of a clip shorter than one.

    Looks at every frame once, and keeps three numbers of each. An empty clip has none.
    """
    numbers: list[int] = []
    scores: list[tuple[float, float, float]] = []
    before: npt.NDArray[np.float32] | None = None
    for frame in frames:
        luma = luma_of(frame, size=reduced_size(frame, _LOOK))
        moved = 0.0 if before is None else float(np.abs(luma - before).mean(dtype=np.float64))
        numbers.append(frame.index)
        scores.append((_dark_and_smooth(luma), moved, float((luma > _BRIGHT).mean())))
        before = luma
    if not numbers:
        return ()
    length = min(length, len(numbers))
    starts = range(0, len(numbers) - length + 1, _STEP)
    table = np.array(scores)
    # The median, because a cut is no motion.
    value = np.array([np.median(table[at : at + length], axis=0) for at in starts])
    chosen: dict[int, str] = {}
    for column, reason in enumerate(("darkest smooth", "most motion", "brightest")):
        free = [n for n, at in enumerate(starts) if all(abs(at - other) >= length for other in chosen)]
        if free:
            best = max(free, key=lambda n: (value[n, column], -n))
            chosen[starts[best]] = reason
    return tuple(Window(numbers[at], numbers[at] + length, chosen[at]) for at in sorted(chosen))


def gathered(frames: Iterable[Frame], windows: tuple[Window, ...]) -> Iterator[tuple[Frame, ...]]:
    """The frames of each window; `frames` come in order, and reading stops with the last window."""
    source = iter(frames)
    for window in windows:
        held: list[Frame] = []
        for frame in source:
            if frame.index >= window.first:
                held.append(frame)
            if frame.index + 1 >= window.end:
                break
        yield tuple(held)


def _dark_and_smooth(luma: npt.NDArray[np.float32]) -> float:
    """How much of a picture is dark and smooth, the darker the more."""
    if min(luma.shape) < 2:
        return 0.0
    across, down = np.abs(np.diff(luma, axis=1))[:-1], np.abs(np.diff(luma, axis=0))[:, :-1]
    dark = np.clip(_DARK - luma[:-1, :-1], 0, _DARK)
    return float((dark * (np.maximum(across, down) < _SMOOTH)).mean(dtype=np.float64))
