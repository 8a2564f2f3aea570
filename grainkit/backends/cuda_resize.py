"""Frames made ready on the card: resized, made of R'G'B', unwoven as a decoder left them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt

from grainkit.backends.base import on_card
from grainkit.backends.card_planes import CardPlane, CardTaps, Weigher, as_planes
from grainkit.backends.cuda_card import Card
from grainkit.backends.cuda_launch import Kernels
from grainkit.backends.cuda_memory import Layout, Ways
from grainkit.backends.cuda_rgb import in_rows, planes_of_rgb
from grainkit.backends.cupy_surface import CardArray
from grainkit.backends.kernel_arguments import NO_ROWS, PartArguments, rows_of
from grainkit.errors import InputError
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame, Woven
from grainkit.picture.resample import Geometry, Placement, around, conform, coverage, crop, levels, placements
from grainkit.picture.rgb import PlanesOfRgb
from grainkit.picture.taps import Taps

#: Resizes whose weights are kept on the card.
_MOST_TAPS = 16


class Resizer:
    """What `conform` of the CUDA backend does. Weights stay on the card from frame to frame."""

    def __init__(self, card: Card, kernels: Kernels, ways: Ways) -> None:
        self._card, self._cupy, self._kernels, self._ways = card, card.cupy, kernels, ways
        self.weigher = Weigher(card.cupy, kernels.launch)
        self._taps: dict[Placement, tuple[Taps, Taps, CardTaps]] = {}

    def close(self) -> None:
        """Give the weights' memory back."""
        self._taps.clear()

    def conform(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """As `picture.resample`'s. Where samples are resized, or made of R'G'B', that is done on the card and the
        planes stay there; so do those that were there already, resized or not."""
        if isinstance(frame.planes, Woven):
            return self._decoded(frame, frame.planes, geometry, working)
        given = frame.planes.rgb if isinstance(frame.planes, PlanesOfRgb) else frame.planes[0]
        if on_card(given):
            return self._there(frame, geometry, working)
        if geometry.is_crop(frame.color.subsampling):
            frame, geometry = crop(frame, geometry), Geometry.same(*geometry.size)
        places = placements(frame, geometry, working) if working.is_float else ()
        made_of_rgb = isinstance(frame.planes, PlanesOfRgb)
        as_it_is = given.dtype == np.float32 and all(place.is_identity for place in places)
        if not places or (len(places) == 1 if made_of_rgb else as_it_is):
            return conform(frame, geometry, working)
        return self._here(frame, geometry, working, places)

    def _here(self, frame: Frame, geometry: Geometry, working: Color, places: tuple[Placement, ...]) -> Frame:
        """A frame of the host sent to the card and resized there."""
        rgb = frame.planes.rgb if isinstance(frame.planes, PlanesOfRgb) else None
        given: Sequence[npt.NDArray[np.generic]]
        given = frame.planes if rgb is None else [rgb.reshape(rgb.shape[0], 3 * rgb.shape[1])]
        layout = Layout(tuple((p.shape[0], p.shape[1]) for p in given), given[0].dtype)
        alphas = coverage(frame, places)
        # One for luma and one for both chroma planes, or one for all.
        shares = [a for number, a in enumerate(alphas[:2]) if a is not None and (number == 0 or a is not alphas[0])]
        beside = Layout(tuple((a.shape[0], a.shape[1]) for a in shares), np.float32)
        lane = self._ways.lane(layout.nbytes, places, rgb is not None, beside.nbytes)
        self._prepare(places)
        planes = lane.send(layout, given)
        sent = lane.send(beside, shares) if shares else []
        origin = None if rgb is None else planes[0]
        with lane.stream:
            if origin is not None:
                planes = planes_of_rgb(self._cupy, self._kernels, origin, frame.color)
            told = [sent[0], *[sent[-1]] * 2] if sent else None
            made = self._placed(planes, places, levels(frame.color), told)
        kept = origin if geometry.is_identity else None
        held = [CardPlane(p, self.weigher, lane.stream, lane=lane, origin=kept) for p in made]
        return around(frame, as_planes(held), geometry, working)

    def _decoded(self, frame: Frame, woven: Woven, geometry: Geometry, working: Color) -> Frame:
        """A frame that was decoded on the card: its planes as they are meant, resized where that is asked for."""
        # FFmpeg's stream is not CuPy's, and PyAV cannot tell the one of the other.
        self._cupy.cuda.Device().synchronize()
        luma, chroma = self._card.array(woven.luma), self._card.array(woven.chroma)
        (height, width), (rows, columns) = luma.shape, chroma.shape[:2]
        shapes = ((height, width), (rows, columns), (rows, columns))
        whole = Geometry.same(width, height)
        if not working.is_float and geometry != whole:
            raise InputError("a clip decoded by --hwaccel is not cropped alone; leave --hwaccel out")
        layout = Layout(shapes, np.uint8 if woven.bits == 8 else np.uint16)
        places = placements(frame.with_planes(as_planes((luma, chroma, chroma))), geometry, working)
        lane = self._ways.lane(layout.nbytes, places, False)
        self._prepare(places)
        with lane.stream:
            planes = layout.views(self._cupy.empty(layout.nbytes, np.uint8))
            for count, source, targets in ((1, luma, planes[:1]), (2, chroma, planes[1:])):
                height, width = shapes[count - 1]
                second = rows_of(targets[1]) if count == 2 else NO_ROWS
                told = PartArguments(rows_of(source), rows_of(targets[0]), second, width, height, woven.shift)
                blocks = (-(-width * count // (32 * 128 // woven.bits)), -(-height // 8))
                defines = (f"-DSAMPLE_BITS={woven.bits}", f"-DWOVEN={count}")
                self._kernels.launch("part", defines, blocks, (32, 8), 0, told)
            planes = layout.cut(planes)
            made = self._placed(planes, places, levels(frame.color)) if working.is_float else planes
        lane.stream.synchronize()  # the decoder may have its surface back
        held = [CardPlane(p, self.weigher, lane.stream, lane=lane) for p in made]
        return around(frame, as_planes(held), geometry, working)

    def _there(self, frame: Frame, geometry: Geometry, working: Color) -> Frame:
        """A frame whose samples the caller has on the card; on his stream."""
        if isinstance(frame.planes, PlanesOfRgb):
            rows = in_rows(self._cupy.ascontiguousarray(self._card.array(frame.planes.rgb)))
            planes = planes_of_rgb(self._cupy, self._kernels, rows, frame.color)
        else:
            planes = [self._card.taken(p) for p in frame.planes]
        if frame.alpha is not None and not geometry.is_identity:
            raise InputError("frames on a GPU that have alpha keep their size; change it before or after")
        if working.is_float:
            places = placements(frame, geometry, working)
            self._prepare(places)
            planes = self._placed(planes, places, levels(frame.color))
        elif not geometry.is_identity:
            raise InputError("frames on a GPU are not cropped; cut their planes before")
        held = [CardPlane(p, self.weigher, nullcontext()) for p in planes]
        self._cupy.cuda.get_current_stream().synchronize()
        return around(frame, as_planes(held), geometry, working)

    def _placed(
        self, planes: Sequence[CardArray], places: tuple[Placement, ...], level: Sequence[tuple[float, float]],
        alphas: Sequence[CardArray] | None = None,
    ) -> list[CardArray]:  # fmt: skip
        """Float planes at the places they are wanted, on the current stream. alphas: as `coverage`, on the card."""
        wanted = [not place.is_identity or p.dtype != np.float32 for p, place in zip(planes, places, strict=True)]
        if not any(wanted):
            return list(planes)
        layout = Layout(tuple((place.size[1], place.size[0]) for place in places), np.float32)
        views = layout.cut(layout.views(self._cupy.empty(layout.nbytes, np.uint8)))
        made: list[CardArray] = []
        for plane, place, want, unit, out in zip(planes, places, wanted, level, views, strict=False):
            if want:
                down, across, tables = self._taps[place]
                self.weigher.weighed(
                    plane, down, across, tables, level=unit, bounded=not place.is_identity, out=out
                )  # fmt: skip
                if alphas is not None and not place.is_identity:
                    self.weigher.seen_part(plane, alphas[len(made)], down, across, tables, level=unit, out=out)
            made.append(out if want else plane)
        return made

    def _prepare(self, places: tuple[Placement, ...]) -> None:
        """What the planes of these places are made of, on the card before any stream reads it."""
        new = [place for place in dict.fromkeys(places) if place not in self._taps]
        if not new:
            return
        if len(self._taps) > _MOST_TAPS:
            self._ways.synchronize_lanes()  # nobody reads them any more
            self._taps.clear()
            new = list(dict.fromkeys(places))
        for place in new:
            down, across = place.taps()
            self._taps[place] = down, across, self.weigher.tables(down, across)
        self._cupy.cuda.get_current_stream().synchronize()  # weights are there
