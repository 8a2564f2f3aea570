"""What is left of a delivery after a codec, as numbers, on skin, smooth areas, contours and highlights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.picture import luma_of
from grainkit.codec.cambi import cambi
from grainkit.codec.predict import TEXTURE_SIGMA
from grainkit.codec.regions import LEAST, Found, Zone, smooth_areas, texture
from grainkit.codec.viewer import brightest
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Side of the blocks that texture lives or dies in, and the least texture, codes of 255, that can die.
BLOCK, LIVING = 16, 0.5
#: Added pattern, codes of 255 (root mean square), from which there is something to survive: less is dither.
PATTERN = 0.5
#: Codes of 255 from which a decoded highlight counts as clipped.
CLIPPED = 254.0
#: Chroma, of full scale, from which a colour has a hue to speak of.
COLOURED = 0.03
#: Band, px, in which a contour bubbles.
_BUBBLES = (1.5, 5.0)
#: What does not depend on time is measured on every this many frames.
EVERY = 4
#: Histogram of the brightest channel: first code, codes per bin, bins.
_FIRST, _STEP, _BINS = 150.0, 0.25, 720


@dataclass(frozen=True, eq=False)
class Moment:
    """One picture three times, at one size and in one matrix.

    untreated: as it was before any effect. treated: as it goes to the codec. decoded: as it comes out.
    zone: the highlights of the untreated one, where they are known already.
    """

    untreated: Frame
    treated: Frame
    decoded: Frame
    zone: Zone | None = None


@dataclass(frozen=True)
class Measures:
    """What a codec made of a delivery; None where the picture has no place or no moment to measure it.

    highlights_share: share of highlight pixels decoded at or above 254. p999: 99.9th percentile of their
    brightest channel, codes of 255, not clipped. hue_degrees: mean hue error of coloured highlights against
    the untreated picture. luma_given_up: mean luma that the treatment takes from highlights, codes.
    cambi: banding index of smooth areas.
    rho: share of the added pattern left in luma, as a regression coefficient. retained: texture after the codec
    over texture before it, as deviations. dead: share of 16x16 blocks that lose over half of theirs. All three on
    skin, where there is none on smooth areas, else everywhere.
    freeze: correlation of the texture from frame to frame. pulse: deviation of its amount over frames, of the mean.
    blocking: mean step across the borders of 8x8 blocks over that elsewhere; 1 is none.
    flicker: mean change from frame to frame of the error in the ring round contours, codes of 255.
    """

    highlights_share: float | None
    p999: float | None
    hue_degrees: float | None
    luma_given_up: float | None
    cambi: float | None
    rho: float | None
    retained: float | None
    dead: float | None
    freeze: float | None
    pulse: float | None
    blocking: float | None
    flicker: float | None

    def as_mapping(self) -> dict[str, float | None]:
        """Plain values, rounded to what they are good for."""
        return {key: None if value is None else round(value, 4) for key, value in asdict(self).items()}


def measure(windows: Iterable[Iterable[Moment]], found: Sequence[Found]) -> Measures:
    """Measures over windows of consecutive moments; `found` says for each window where people are."""
    lights, textures, times = Lights(), _Textures(), _Times()
    bands: list[float] = []
    for window, people in zip(windows, found, strict=True):
        last = None
        for at, moment in enumerate(window):
            untreated, decoded = luma_of(moment.untreated), luma_of(moment.decoded)
            if at % EVERY == 0:
                own = texture(untreated)
                smooth = smooth_areas(untreated, own)
                place = _place(people, smooth)
            if at == 0:
                times.start(place, people.ring)
            times.add(untreated, decoded)
            if at % EVERY:
                continue
            lights.add(moment)
            treated, high = texture(luma_of(moment.treated)), texture(decoded)
            # What is taken from all three alike is taken from their differences too.
            textures.add(treated - own, high - own, treated, high, place)
            textures.add_steps(decoded, place)
            # The key frame counts only where there is nothing else.
            if at in (0, EVERY) and smooth.sum() >= LEAST:
                last = (decoded, smooth)
        bands += [] if last is None else [cambi(*last)]
    return Measures(**lights.measured(), cambi=_mean(bands), **textures.measured(), **times.measured())


def _place(people: Found, smooth: Mask) -> Mask:
    """Where texture is judged."""
    for mask in (people.skin, smooth):
        if mask.sum() >= LEAST:
            return mask
    return np.ones_like(smooth)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _ratio(above: float, below: float) -> float | None:
    return above / below if below > 0 else None


class Lights:
    """Highlights of the moments so far."""

    def __init__(self) -> None:
        self._histogram = np.zeros(_BINS, np.int64)
        self._pixels = self._clipped = self._coloured = 0
        self._lost = self._turned = 0.0

    def add(self, moment: Moment) -> None:
        zone = moment.zone or Zone.of(moment.untreated)
        if not zone.mask.any():
            return
        treated, decoded = zone.seen(moment.treated), zone.seen(moment.decoded)
        top = brightest(decoded)[zone.mask] * np.float32(255)
        self._pixels += top.size
        self._clipped += int((top >= CLIPPED).sum())
        bins = np.clip((top - _FIRST) / _STEP, 0, _BINS - 1).astype(np.int64)
        self._histogram += np.bincount(bins, minlength=_BINS)
        lost = zone.planes[0] - treated.planes[0][zone.mask]
        self._lost += 255.0 * float(lost.sum(dtype=np.float64))
        before = [plane.astype(np.float64) for plane in zone.planes[1:]]
        sent, after = (
            [np.asarray(plane[zone.mask], np.float64) for plane in frame.planes[1:]] for frame in (treated, decoded)
        )
        # What is next to neutral has no hue that anyone sees, whether it came so or was rolled off.
        strong = np.minimum(np.hypot(*before), np.hypot(*sent)) > COLOURED
        along = before[0] * after[0] + before[1] * after[1]
        across = before[0] * after[1] - before[1] * after[0]
        self._turned += float(np.abs(np.degrees(np.arctan2(across, along)))[strong].sum())
        self._coloured += int(strong.sum())

    def measured(self) -> dict[str, float | None]:
        if self._pixels < LEAST:
            return dict.fromkeys(("highlights_share", "p999", "hue_degrees", "luma_given_up"))
        upto = np.searchsorted(self._histogram.cumsum(), 0.999 * self._pixels)
        return {
            "highlights_share": self._clipped / self._pixels,
            "p999": _FIRST + (float(upto) + 1) * _STEP,
            "hue_degrees": self._turned / self._coloured if self._coloured >= LEAST else None,
            "luma_given_up": self._lost / self._pixels,
        }


class _Textures:
    """Texture before and after the codec, of the moments so far."""

    def __init__(self) -> None:
        self._pattern = self._kept = self._before = self._after = 0.0
        self._alive = self._dead = self._pixels = 0
        self._border: list[float] = []
        self._inner: list[float] = []

    def add(self, pattern: F32, left: F32, before: F32, after: F32, place: Mask) -> None:
        """pattern, left: texture of what was added, before and after the codec; before, after: of the picture."""
        own = pattern[place].astype(np.float64)
        self._pixels += own.size
        self._pattern += _dot(own, own)
        self._kept += _dot(own, left[place].astype(np.float64))
        self._before += float(np.square(before[place], dtype=np.float64).sum())
        self._after += float(np.square(after[place], dtype=np.float64).sum())
        had, has, inside = (_blocks(plane) for plane in (before * before, after * after, place.astype(np.float32)))
        living = (inside > 0.5) & (had > (LIVING / 255) ** 2)
        self._alive += int(living.sum())
        self._dead += int((has[living] < 0.25 * had[living]).sum())

    def add_steps(self, luma: F32, place: Mask) -> None:
        """Steps from pixel to pixel, on the borders of 8x8 blocks and elsewhere."""
        for plane, inside in ((luma, place), (luma.T, place.T)):
            steps = np.abs(np.diff(plane, axis=1))
            within = inside[:, 1:] & inside[:, :-1]
            for at, into in ((slice(7, None, 8), self._border), (slice(3, None, 8), self._inner)):
                if within[:, at].any():
                    into.append(float(steps[:, at][within[:, at]].mean(dtype=np.float64)))

    def measured(self) -> dict[str, float | None]:
        is_pattern = self._pattern > self._pixels * (PATTERN / 255) ** 2
        return {
            "rho": self._kept / self._pattern if is_pattern else None,
            "retained": _ratio(self._after**0.5, self._before**0.5),
            "dead": _ratio(self._dead, self._alive),
            "blocking": _ratio(float(np.sum(self._border)), float(np.sum(self._inner))),
        }


def _blocks(plane: F32) -> F64:
    """Mean of each whole BLOCK x BLOCK of a plane."""
    rows, columns = (side // BLOCK for side in plane.shape)
    whole = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.asarray(whole.mean((1, 3), dtype=np.float64))


class _Times:
    """What changes from frame to frame, within each window: texture in its place, error in the ring."""

    def __init__(self) -> None:
        self._freeze: list[float] = []
        self._flicker: list[float] = []
        self._amounts: list[list[float]] = []

    def start(self, place: Mask, ring: Mask) -> None:
        """A new window begins: what came before is another moment."""
        self._texture: F64 | None = None
        self._bubbles: F32 | None = None
        self._amounts.append([])
        self._place = _cut(place, _reach(TEXTURE_SIGMA))
        self._ring = _cut(ring, _reach(max(_BUBBLES))) if ring.sum() >= LEAST else None

    def add(self, untreated: F32, decoded: F32) -> None:
        """The next frame: luma before any effect, and after the codec."""
        here, marked = self._place
        found = texture(decoded[here]).take(marked).astype(np.float64)
        self._amounts[-1].append(float(found.std()))
        if self._texture is not None:
            norm = (_dot(found, found) * _dot(self._texture, self._texture)) ** 0.5
            if norm > 0:
                self._freeze.append(_dot(self._texture, found) / norm)
        self._texture = found
        if self._ring is None:
            return
        here, marked = self._ring
        error = decoded[here] - untreated[here]
        fine, coarse = (cv2.GaussianBlur(error, (0, 0), sigma) for sigma in _BUBBLES)
        bubbles = np.asarray(fine - coarse, np.float32).take(marked)
        if self._bubbles is not None:
            self._flicker.append(255.0 * float(np.abs(bubbles - self._bubbles).mean(dtype=np.float64)))
        self._bubbles = bubbles

    def measured(self) -> dict[str, float | None]:
        pulses = [float(np.std(each) / np.mean(each)) for each in self._amounts if len(each) > 1 and np.mean(each) > 0]
        return {"freeze": _mean(self._freeze), "pulse": _mean(pulses), "flicker": _mean(self._flicker)}


def _dot(a: F64, b: F64) -> float:
    """The inner product, the same on any number of cores, which BLAS does not promise."""
    return float(np.einsum("i,i", a, b))


def _reach(sigma: float) -> int:
    """How far a Gaussian blur of float pictures sees, px."""
    return int(4 * sigma) + 1


def _cut(mask: Mask, margin: int) -> tuple[tuple[slice, slice], npt.NDArray[np.intp]]:
    """The rectangle round what a mask marks, this much wider, and the numbers of the marked px in it."""
    spans = []
    for axis, side in ((1, mask.shape[0]), (0, mask.shape[1])):
        marked = np.flatnonzero(mask.any(axis))
        spans.append(slice(max(int(marked[0]) - margin, 0), min(int(marked[-1]) + 1 + margin, side)))
    here = (spans[0], spans[1])
    return here, np.flatnonzero(mask[here])
