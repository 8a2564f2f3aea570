"""Which frames belong to a shot: cuts, dissolves and black between shots.

In a dissolve every place goes straight from one picture to another, so the frame in the middle has less contrast than
the two at its ends, by just as much as mixing them takes away (the dip of Alattar 1993, as a share of what it should
be). A picture that moves keeps its contrast. Only frames that have gone by are looked at: a dissolve is known once its
ends are unlike, the shot after it when mixing is over.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grainkit.analysis.cuts import THRESHOLD, described, distance
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]

#: Frames from the middle of a mix to either end that are tried.
SPANS = (3, 4, 6, 8, 12, 16)
#: Ends of a mix are less alike than this (correlation of gradients); each has this share of the middle at least.
ALIKE, LEAST_SHARE = 0.5, 0.2
#: Dip of contrast relative to what mixing makes, at least; what is not a mix of the ends, relative to their difference.
DIP, REST = 0.45, 0.55
#: It is over when the change over so many frames, per frame, is less than this share of what it was.
STEP, STILL = 4, 0.2
#: A frame is black below this mean and deviation of luma, 0..1.
BLACK_MEAN, BLACK_DEVIATION = 0.04, 0.015
#: Out of black a shot begins when contrast grows by less than this share per frame, or after so many frames.
GROWTH, LONGEST_RISE = 0.04, 48
#: Frames in which texture comes after a dissolve or black, and how many times as fast it goes when one begins.
RAMP, LEAVES = 6, 2


@dataclass(frozen=True)
class Step:
    """starts: a shot starts with this frame, what came before is to be forgotten.

    share: of texture that is shown, 0..1; 0 between two shots.
    """

    starts: bool
    share: float


class ShotDetector:
    """Tells of each frame where in its shot it stands. Feed it frames in order, from the clip's first."""

    def __init__(self) -> None:
        self._before: tuple[F32, F32] | None = None
        self._gradients: deque[F32] = deque(maxlen=2 * max(SPANS) + 1)
        self._between = False
        self._direction: F32 | None = None
        self._rise = 0
        self._contrast = 0.0
        self._shown = RAMP

    def see(self, frame: Frame) -> Step:
        """Where the next frame stands."""
        now = described(frame)
        before, self._before = self._before, now
        mean, contrast = float(now[1].mean()), float(now[1].std())
        if mean < BLACK_MEAN and contrast < BLACK_DEVIATION:
            self._forget(shown=0)
            self._between, self._rise, self._contrast = True, 1, 0.0
            return Step(False, 0.0)
        if self._rising(contrast):
            return Step(False, 0.0)
        if before is not None and not self._between and distance(before, now) > THRESHOLD:
            self._forget(shown=RAMP)
            self._gradients.append(_gradients(now[1]))
            return Step(True, 1.0)
        self._gradients.append(_gradients(now[1]))
        if self._mixing():
            self._between, self._shown = True, max(self._shown - LEAVES, 0)
            return Step(False, self._shown / RAMP)
        starts = before is None or self._between
        if self._between:
            # What is left of the mix is not to be taken for another.
            self._forget(shown=0)
        self._between, self._shown = False, min(self._shown + 1, RAMP)
        return Step(starts, self._shown / RAMP)

    def _forget(self, *, shown: int) -> None:
        """Nothing that came before is compared any more."""
        self._gradients.clear()
        self._direction, self._shown = None, shown

    def _rising(self, contrast: float) -> bool:
        """Whether the picture is still coming out of black."""
        if not self._rise:
            return False
        grown, self._contrast = contrast > (1 + GROWTH) * self._contrast, contrast
        self._rise = self._rise + 1 if grown and self._rise < LONGEST_RISE else 0
        return self._rise > 0

    def _mixing(self) -> bool:
        """Whether the picture is on its way from one shot to another."""
        if self._direction is None:
            self._direction = _mixed(self._gradients)
            return self._direction is not None
        return float((self._gradients[-1] - self._gradients[-1 - STEP]) @ self._direction) > STILL * STEP


def _gradients(luma: F32) -> F32:
    return np.concatenate([np.diff(luma, axis=1).ravel(), np.diff(luma, axis=0).ravel()])


def _mixed(gradients: deque[F32]) -> F32 | None:
    """What a stretch that goes straight from one picture to another and ends with the newest frame changes, per frame.

    Scaled so that its product with the change of a frame is 1 while it goes on; None where there is no such stretch.
    """
    end = gradients[-1]
    for span in SPANS:
        if len(gradients) < 2 * span + 1:
            return None
        start, middle = gradients[-1 - 2 * span], gradients[-1 - span]
        energies = [float(v @ v) + 1e-9 for v in (start, middle, end)]
        if float(start @ end) > ALIKE * (energies[0] * energies[2]) ** 0.5:
            continue
        change = end - start
        square = float(change @ change)
        if square == 0.0:
            # Plain surfaces, which are not even like themselves.
            continue
        share = float((middle - start) @ change) / square
        if not LEAST_SHARE < share < 1 - LEAST_SHARE:
            continue
        rest = middle - start - np.float32(share) * change
        dip = (1 - share) * energies[0] + share * energies[2] - energies[1]
        if dip > DIP * share * (1 - share) * square and float(rest @ rest) < REST**2 * square:
            return change * np.float32(2 * span / square)
    return None
