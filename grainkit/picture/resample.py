"""Sizes: bringing planes to the delivery's size, sampling and siting in one step each.

Lanczos on float32 planes does the resampling. The region is given in sub-pixel positions, so left-sited
chroma stays in register with luma. What only needs cutting is cut, and keeps its bits. Pictures with alpha
are filtered premultiplied (T. Porter and T. Duff, Compositing Digital Images, 1984) and come back straight,
so that nothing of what cannot be seen gets into what can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from grainkit.picture.color import Color, Siting
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.rgb import PlanesOfRgb
from grainkit.picture.taps import Taps, covers, lanczos, weighed

F32 = npt.NDArray[np.float32]
#: Part of a plane: left, top, right, bottom in px from its top left corner.
Region = tuple[float, float, float, float]

#: Alpha from which a picture is seen: half a code of 16 bits.
SEEN = 2.0**-17

_LEFT = (Siting.LEFT, Siting.TOPLEFT, Siting.BOTTOMLEFT)
_TOP = (Siting.TOPLEFT, Siting.TOP)
_BOTTOM = (Siting.BOTTOMLEFT, Siting.BOTTOM)


@dataclass(frozen=True)
class Geometry:
    """A crop of the source, in px from its top left corner, and the size it is brought to.

    source, size: (width, height) before and after. left, top, right, bottom: the region kept.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    left: float
    top: float
    right: float
    bottom: float

    @staticmethod
    def same(width: int, height: int) -> Geometry:
        """The whole picture at its own size."""
        return Geometry((width, height), (width, height), 0.0, 0.0, float(width), float(height))

    @property
    def is_identity(self) -> bool:
        """True where every sample stays where it is."""
        return self == Geometry.same(*self.source)

    def is_crop(self, subsampling: tuple[int, int]) -> bool:
        """True where the result is a part of the samples, chroma of this subsampling included, as they are."""
        (width, height), (across, down) = self.source, subsampling
        cut = (self.left, self.top, self.left + self.size[0], self.top + self.size[1])
        inside = self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height
        aligned = self.left % across == 0 and self.top % down == 0
        return inside and aligned and cut == (self.left, self.top, self.right, self.bottom)

    @property
    def scale(self) -> float:
        """Delivered px per source px, the larger of both directions."""
        return max(self.size[0] / (self.right - self.left), self.size[1] / (self.bottom - self.top))


def normalised(plane: Plane, black: float, span: float) -> F32:
    """Float32 of integer codes, 0 at `black`, 1 at `black + span`; float planes come back as they are."""
    if plane.dtype == np.float32:
        return np.asarray(plane, np.float32)
    return np.asarray((plane.astype(np.float32) - np.float32(black)) * np.float32(1.0 / span), np.float32)


def levels(color: Color) -> tuple[tuple[float, float], ...]:
    """Per plane the code of 0 and the codes of 1, for `normalised`; (0, 1) where planes are normalised already."""
    return color.levels()


def to_float(frame: Frame) -> tuple[F32, ...]:
    """The frame's planes as normalised float32."""
    return tuple(normalised(p, *level) for p, level in zip(frame.planes, levels(frame.color), strict=False))


@dataclass(frozen=True)
class Placement:
    """Where a plane of the result lies on the plane of the source that it is made from.

    source, size: (width, height) before and after. region: what of the source it shows; it may reach outside.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    region: Region

    @property
    def is_identity(self) -> bool:
        """True where every sample stays where it is."""
        width, height = self.source
        return self.size == self.source and self.region == (0.0, 0.0, float(width), float(height))

    def taps(self) -> tuple[Taps, Taps]:
        """What the result is made of, down and across."""
        (width, height), (left, top, right, bottom) = self.source, self.region
        return lanczos(self.size[1], top, bottom, height), lanczos(self.size[0], left, right, width)


def placements(frame: Frame, geometry: Geometry, working: Color) -> tuple[Placement, ...]:
    """The planes that `geometry` makes of a frame's in the sampling and siting of `working`."""
    region = (geometry.left, geometry.top, geometry.right, geometry.bottom)
    found = [Placement(geometry.source, geometry.size, region)]
    if len(frame.planes) > 1:
        size = chroma_shape(*geometry.size, working.subsampling)
        whole = chroma_shape(*geometry.source, frame.color.subsampling)
        found += [Placement(whole, size, _chroma_region(frame.color, working, geometry, size))] * 2
    return tuple(found)


def resample(plane: F32, size: tuple[int, int], region: Region) -> F32:
    """Lanczos resampling of a region, which may reach outside the plane, to size (width, height).

    Ringing is kept within the range of the samples, so a resize makes no illegal codes.
    """
    return _placed(plane, Placement((plane.shape[1], plane.shape[0]), size, region))


def _placed(plane: F32, placement: Placement, alpha: F32 | None = None) -> F32:
    """alpha: of the plane's own samples, 0..1, where they are weighed by it; see `seen_part`."""
    if placement.is_identity:
        return plane
    taps = placement.taps()
    out = weighed(plane, *taps)
    if alpha is not None:
        with np.errstate(invalid="ignore", over="ignore"):  # float pictures may hold what is no number
            out = seen_part(out, weighed(np.asarray(plane * alpha, np.float32), *taps), weighed(alpha, *taps))
    # fmin and fmax pass over the NaNs that float pictures may hold.
    bounded: F32 = np.clip(out, np.fmin.reduce(plane, axis=None), np.fmax.reduce(plane, axis=None), out=out)
    return bounded


def seen_part(plain: F32, premultiplied: F32, alpha: F32) -> F32:
    """Straight samples of filtered premultiplied ones, twin of kernels/straight.cu.

    plain: the same filtered without alpha, which stays where nothing is seen and straight samples have no value.
    """
    seen = alpha > np.float32(SEEN)
    return np.asarray(np.divide(premultiplied, alpha, out=plain, where=seen), np.float32)


def coverage(frame: Frame, places: Sequence[Placement]) -> tuple[F32 | None, ...]:
    """Per plane the alpha of its own samples, 0..1; None for all where the picture is opaque or stays as it is."""
    if frame.alpha is None or all(place.is_identity for place in places):
        return (None,) * len(places)
    alpha = normalised(frame.alpha, 0.0, alpha_top(frame.alpha, frame.color))
    if (alpha == np.float32(1.0)).all():
        return (None,) * len(places)
    return (alpha, *(alpha_at_chroma(alpha, frame.color),) * 2)[: len(places)]


def alpha_at_chroma(alpha: F32, color: Color) -> F32:
    """Alpha (0..1, of luma's size) of chroma samples of this subsampling and siting: the mean of what each covers."""
    if color.subsampling == (1, 1):
        return alpha
    height, width = alpha.shape
    columns, rows = chroma_shape(width, height, color.subsampling)
    across, down = color.subsampling
    left, top = (_sited(color.siting, color.subsampling, axis) for axis in (0, 1))
    over = covers(columns, left / across, 1 / across, width)
    return weighed(alpha, covers(rows, top / down, 1 / down, height), over)


def _sited(siting: Siting, subsampling: tuple[int, int], axis: int) -> float:
    """Where the chroma plane's edge lies on an axis (0 across, 1 down), in luma px from the luma plane's edge."""
    first, last = ((_LEFT, ()), (_TOP, _BOTTOM))[axis]
    factor = subsampling[axis]
    centre = 0.5 if siting in first else factor - 0.5 if siting in last else factor / 2
    return centre - factor / 2


def _chroma_region(source: Color, target: Color, geometry: Geometry, size: tuple[int, int]) -> Region:
    """Region of the source's chroma plane under `size` chroma samples of the target."""
    found = []
    for axis, (near, far) in enumerate(((geometry.left, geometry.right), (geometry.top, geometry.bottom))):
        step = (far - near) / geometry.size[axis]
        edge = _sited(target.siting, target.subsampling, axis)
        for end in (0, size[axis]):
            luma = near + step * (edge + target.subsampling[axis] * end)
            found.append((luma - _sited(source.siting, source.subsampling, axis)) / source.subsampling[axis])
    return found[0], found[2], found[1], found[3]


def chroma_shape(width: int, height: int, subsampling: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of chroma planes, rounded up."""
    return -(-width // subsampling[0]), -(-height // subsampling[1])


def crop(frame: Frame, geometry: Geometry) -> Frame:
    """The part of the frame that `geometry` keeps, sample by sample; it must be a crop for the frame's subsampling."""
    if geometry.is_identity:
        return frame
    left, top = int(geometry.left), int(geometry.top)
    width, height = geometry.size

    def cut(samples: Any, across: int = 1, down: int = 1) -> Any:
        columns, rows = chroma_shape(width, height, (across, down))
        x, y = left // across, top // down
        return np.ascontiguousarray(samples[y : y + rows, x : x + columns])

    planes: Sequence[Plane]
    if isinstance(frame.planes, PlanesOfRgb):
        planes = PlanesOfRgb(cut(frame.planes.rgb), frame.planes.color)
    else:
        luma, *chroma = frame.planes
        planes = (cut(luma), *(cut(plane, *frame.color.subsampling) for plane in chroma))
    alpha, rgb, matte = (None if samples is None else cut(samples) for samples in (frame.alpha, frame.rgb, frame.matte))
    return replace(frame, planes=planes, alpha=alpha, rgb=rgb, matte=matte)


def conform(frame: Frame, geometry: Geometry, working: Color) -> Frame:
    """The frame at the delivery's size and chroma sampling, in `working` colours.

    Where those are integer, they are the frame's own and the geometry only crops. Float planes come out
    normalised. `rgb` stays with a picture that was not resampled; alpha keeps its type and scale; a matte goes along.
    """
    if geometry.is_crop(frame.color.subsampling):
        frame, geometry = crop(frame, geometry), Geometry.same(*geometry.size)
    if not working.is_float:
        return frame
    places = placements(frame, geometry, working)
    alphas = coverage(frame, places)
    planes = tuple(map(_placed, to_float(frame), places, alphas))
    return around(frame, planes, geometry, working)


def around(frame: Frame, planes: Sequence[Plane], geometry: Geometry, working: Color) -> Frame:
    """The frame with the planes that `geometry` made of its own, and what goes along with them at their size."""
    if geometry.is_identity:
        return replace(frame, planes=planes, color=working)
    region = (geometry.left, geometry.top, geometry.right, geometry.bottom)
    alpha = None if frame.alpha is None else _resample_alpha(frame.alpha, frame.color, geometry.size, region)
    matte = None if frame.matte is None else resample(frame.matte, geometry.size, region)
    return replace(frame, planes=planes, color=working, alpha=alpha, rgb=None, matte=matte)


def alpha_top(alpha: Plane, color: Color) -> float:
    """The code of opaque in an alpha plane that came with planes of this colour."""
    if alpha.dtype == np.float32:
        return 1.0
    if alpha.dtype == np.uint8:
        return 255.0
    return 65535.0 if color.is_rgb else float((1 << color.depth) - 1)


def _resample_alpha(alpha: Plane, color: Color, size: tuple[int, int], region: Region) -> Plane:
    top = alpha_top(alpha, color)
    smooth = resample(normalised(alpha, 0.0, top), size, region)
    if alpha.dtype == np.float32:
        return smooth
    codes: F32 = np.rint(smooth * np.float32(top))
    return codes.astype(np.uint8) if alpha.dtype == np.uint8 else codes.astype(np.uint16)
