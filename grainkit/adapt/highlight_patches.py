"""Finding highlight patches: where a still decodes above white on any proxy, pull down just there, and look again.

CODEC.md B2, closed loop, on the worst of the proxies: what decodes above ABOVE asks for a gain that brings it to AIM;
the gain is spread over SPREAD px, blurred, and multiplied on. What it costs in light stays within the target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.codec.measures import Lights, Moment
from grainkit.codec.proxies import Sent
from grainkit.codec.regions import Zone
from grainkit.codec.viewer import brightest
from grainkit.picture.frame import Frame
from grainkit.recipe.targets import Targets

F32 = npt.NDArray[np.float32]

#: Decoded codes of 255 above which a pixel is pulled, and to which.
ABOVE, AIM = 254.0, 252.0
#: Width of the disc, px, that a pull is spread over, and the deviation of the blur that follows.
SPREAD, BLUR = 5, 1.0
#: Pulling goes on, for what other codecs do, until this share of what may clip does, and that many codes lower.
_SHARE, _CODES = 0.5, 1.0
#: Share of the light that may be given up which patches fill, and the least share of a pull that is worth a try.
_INSIDE, _WORTH = 0.97, 0.1


@dataclass(frozen=True)
class Look:
    """Highlights of one try, each after its worst proxy: see Measures."""

    highlights_share: float
    p999: float
    luma_given_up: float

    def within(self, targets: Targets) -> bool:
        """Whether nothing decodes too bright, nor would with a codec that is a little harsher."""
        return self.highlights_share <= _SHARE * targets.highlights_share and self.p999 <= targets.p999 - _CODES


@dataclass(frozen=True, eq=False)
class Patches:
    """What was found. gain: (h, w) 0..1 for the finished picture. looks: before the first pull, and after each."""

    gain: F32
    looks: tuple[Look, ...]

    @property
    def rounds(self) -> int:
        """Pulls that are in the gain."""
        return max(len(self.looks) - 1, 0)

    def as_mapping(self) -> list[dict[str, object]]:
        """Numbers of each look, for the sidecar."""
        return [
            {
                "highlights_share": round(look.highlights_share, 4),
                "p999": round(look.p999, 2),
                "luma_given_up": round(look.luma_given_up, 3),
            }
            for look in self.looks
        ]


def found_patches(make: Callable[[F32], Sent], untreated: Frame, targets: Targets, rounds: int) -> tuple[Patches, Sent]:
    """Patches for a still, from at most `rounds` pulls, and the still with them.

    make: the delivered picture for a gain, after every proxy. untreated: the picture before any effect, as
    `in_jpeg_matrix` gives it. The same twice is the same.
    """
    gain, zone = np.ones(untreated.planes[0].shape, np.float32), Zone.of(untreated)
    sent = make(gain)
    look, worst = _look(sent, untreated, zone)
    if look is None:
        return Patches(gain, ()), sent
    looks = [look]
    while look is not None and len(looks) <= rounds and not look.within(targets):
        if look.luma_given_up >= _INSIDE * targets.luma_given_up:
            break
        pull = asked_gain(worst)
        tried = _on_grid(gain * pull)
        tried_sent = make(tried)
        after, seen = _look(tried_sent, untreated, zone)
        is_last = after is not None and after.luma_given_up > targets.luma_given_up
        if after is not None and is_last:
            # As much of it as the light allows: what is given up goes with the gain's logarithm.
            room = _INSIDE * targets.luma_given_up - look.luma_given_up
            share = room / (after.luma_given_up - look.luma_given_up)
            if share < _WORTH:
                break
            tried = _on_grid(gain * pull ** np.float32(share))
            tried_sent = make(tried)
            after, seen = _look(tried_sent, untreated, zone)
        if after is None:
            break
        gain, sent, look, worst = tried, tried_sent, after, seen
        looks.append(look)
        if is_last:
            break
    return Patches(gain, tuple(looks)), sent


def _look(sent: Sent, untreated: Frame, zone: Zone) -> tuple[Look | None, F32]:
    """Highlights after the worst proxy (None where there are none), and per pixel the largest channel of any proxy."""
    worst = np.zeros(sent.treated.planes[0].shape, np.float32)
    found = []
    for decoded in sent.decoded:
        worst = np.maximum(worst, brightest(decoded))
        lights = Lights()
        lights.add(Moment(untreated, sent.treated, decoded, zone))
        measured = lights.measured()
        each = (measured["highlights_share"], measured["p999"], measured["luma_given_up"])
        if each[0] is None or each[1] is None or each[2] is None:
            return None, worst
        found.append((each[0], each[1], each[2]))
    return Look(*(max(values) for values in zip(*found, strict=True))), worst


def asked_gain(worst: F32) -> F32:
    """The gain that this brightest channel (0..1) asks for, spread and blurred."""
    over = worst * np.float32(255)
    wanted = np.where(over > ABOVE, np.float32(AIM) / np.maximum(over, np.float32(1)), np.float32(1))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (SPREAD, SPREAD))
    return np.asarray(cv2.GaussianBlur(cv2.erode(wanted.astype(np.float32), disc), (0, 0), BLUR), np.float32)


def _on_grid(gain: F32) -> F32:
    """Rounded to what every machine agrees on."""
    return np.asarray(np.rint(gain * 4096) / 4096, np.float32)
