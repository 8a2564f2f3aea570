"""Where a picture is judged: skin, smooth areas, the ring round a person's contour, and highlights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import Face
from grainkit.analysis.faces import StillFaces
from grainkit.analysis.matte import Looked, colour_in, matte_in
from grainkit.analysis.networks import FaceNetworks
from grainkit.codec.predict import TEXTURE_SIGMA
from grainkit.codec.viewer import as_seen, brightest
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry, crop

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: From here on a pixel is a highlight: largest channel of the untreated picture, of white.
HIGHLIGHT = 0.88
#: Smooth is where an untreated picture has less texture than this, codes of 255, over this many px.
SMOOTH_CODES, SMOOTH_PX = 1.2, 8.0
#: The ring round a contour, px from it.
RING = (2.0, 14.0)
#: px per mm at which the skin that measures are taken on is worked out: a boundary a px off changes none of them.
WORK_MM = 1.0
#: Room round the highlights, px: what Lanczos reaches at half size, and a little.
_MARGIN = 8
#: A region with fewer pixels than this says nothing.
LEAST = 256


@dataclass(frozen=True, eq=False)
class Found:
    """What was found of people in a picture: masks (h, w), all False where there are none."""

    skin: Mask
    ring: Mask


@dataclass(frozen=True, eq=False)
class People:
    """Cover 0..1 of skin and of bodies, (h, w) float32 of any size."""

    skin: F32
    bodies: F32

    def at(self, width: int, height: int) -> Found:
        """Where they are in a picture of this size."""
        skin, body = (
            cv2.resize(cover, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
            for cover in (self.skin, self.bodies)
        )
        return Found(np.asarray(skin), _ring(body))


class Finder:
    """Finds people, with networks that are loaded when they are first needed."""

    @cached_property
    def networks(self) -> FaceNetworks:
        return FaceNetworks()

    def people(self, frame: Frame, matte: F32 | None = None, still: StillFaces | None = None) -> People:
        """People in an untreated frame.

        matte: (h, w) 0..1 cover of skin that is known already, of any size; it is not looked for then.
        still: the frame's faces, where others ask for them too.
        """
        still = still or StillFaces(frame, self.networks)
        rgb = still.picture
        person = cv2.resize(self.networks.person(rgb), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        if matte is None:
            matte = _skin(rgb, person, [face.scaled(still.scale) for face in still.faces])
        return People(matte, np.asarray(person, np.float32))

    def found(self, frame: Frame, matte: F32 | None = None, still: StillFaces | None = None) -> Found:
        """Skin and contour in an untreated frame; see `people`."""
        return self.people(frame, matte, still).at(frame.width, frame.height)


def _skin(rgb: F32, person: F32, faces: Sequence[Face]) -> F32:
    """(h, w) cover 0..1 of the skin of these faces, in px of the picture: a boundary a px off changes no measure."""
    found = np.zeros(rgb.shape[:2], np.float32)
    for face in faces:
        looked = Looked.at(rgb, face, WORK_MM)
        colour = colour_in(looked)
        if colour is not None:
            found = np.maximum(found, matte_in(rgb, looked, colour, person))
    return found


def smooth_areas(luma: F32, high: F32 | None = None) -> Mask:
    """Where an untreated picture has next to no texture: (h, w) luma 0..1 to a mask. high: its `texture`, if known."""
    high = texture(luma) if high is None else high
    energy = cv2.GaussianBlur(high * high, (0, 0), SMOOTH_PX)
    return np.asarray(energy < (SMOOTH_CODES / 255) ** 2)


def highlights(untreated: Frame) -> Mask:
    """Where an untreated picture (float 4:4:4) is at most one eighth below white in any channel."""
    return np.asarray(brightest(untreated) > HIGHLIGHT)


@dataclass(frozen=True, eq=False)
class Zone:
    """The highlights of an untreated picture.

    part: a rectangle round them. mask: where they are in it. planes: their Y', Cb and Cr, in the mask's order.
    """

    part: Geometry
    mask: Mask
    planes: tuple[F32, F32, F32]

    @staticmethod
    def of(untreated: Frame) -> Zone:
        """The zone of a frame in any sampling and depth; its part is the whole where there are no highlights."""
        seen = as_seen(untreated)
        mask = highlights(seen)
        part = _part(mask)
        y, cb, cr = (np.asarray(plane, np.float32)[mask] for plane in seen.planes)
        left, top, right, bottom = (int(side) for side in (part.left, part.top, part.right, part.bottom))
        return Zone(part, np.ascontiguousarray(mask[top:bottom, left:right]), (y, cb, cr))

    def seen(self, frame: Frame) -> Frame:
        """The zone's part of another frame of the same picture, in float 4:4:4."""
        return as_seen(crop(frame, self.part))


def _part(mask: Mask) -> Geometry:
    """A rectangle round what a mask marks, wide enough that resampling chroma in it is as good as in the whole."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return Geometry.same(width, height)
    top, left = (max(int(each[0]) - _MARGIN, 0) // 2 * 2 for each in (rows, columns))
    bottom, right = (min(int(each[-1]) + 1 + _MARGIN, side) for each, side in ((rows, height), (columns, width)))
    return Geometry((width, height), (right - left, bottom - top), left, top, right, bottom)


def texture(luma: F32) -> F32:
    """What is finer than TEXTURE_SIGMA."""
    return np.asarray(luma - cv2.GaussianBlur(luma, (0, 0), TEXTURE_SIGMA), np.float32)


def _ring(body: Mask) -> Mask:
    if body.all() or not body.any():
        return np.zeros_like(body)
    outside = cv2.distanceTransform((~body).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray((outside >= RING[0]) & (outside <= RING[1]))
