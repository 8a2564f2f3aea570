"""A face and its surroundings in one frame, as its texture is worked out on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import Face
from grainkit.analysis.lattice import Lattice
from grainkit.analysis.matte import Looked, SkinColour, along_edges, colour_in, likely_skin
from grainkit.analysis.picture import Area, luma_of, rgb_of
from grainkit.analysis.uv import uv_and_normals
from grainkit.effects.skin_texture.blocks import BLOCK, padded
from grainkit.effects.skin_texture.layer import MARGIN, Layer
from grainkit.effects.skin_texture.users_matte import given_matte
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]

#: (height, width) of what people are found in; the network's own.
PERSON_SIZE = (256, 256)
#: Faces smaller than this many px per mm have no room for texture (a face 60 px wide).
SMALLEST = 0.45
#: Most faces that are textured in a frame, largest first.
MOST_FACES = 20
#: A matte that is nowhere more than this holds no skin.
LEAST_MATTE = 0.2
#: Faces larger than this many px per mm are textured at a reduced size and the layer is enlarged: the finest
#: band of a photograph has next to nothing there, and memory stays bounded.
FINEST = 6.0


def with_room(faces: Sequence[Face]) -> list[Face]:
    """Those of the faces that have room for texture, largest first."""
    return sorted((face for face in faces if face.px_per_mm >= SMALLEST), key=lambda face: -face.width)[:MOST_FACES]


def rimmed(matte: F32) -> npt.NDArray[np.bool_]:
    """Where a matte is above 0, and a little beyond, for slopes at its edge."""
    return np.asarray(cv2.dilate((matte > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0, np.bool_)


@dataclass(frozen=True)
class Region:
    """A rectangle of the frame in luma px; top and left are whole multiples of the chroma subsampling."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> Area:
        return self.top, self.left, self.height, self.width

    @staticmethod
    def around(face: Face, frame: Frame, reach: tuple[float, float, float]) -> Region | None:
        """The surroundings of a face within the frame; None where none of it is inside."""
        sides, above, below = reach
        across, down = frame.color.subsampling
        left, top, right, bottom = face.box
        size = face.width
        x0 = max(0, int(left - sides * size)) // across * across
        y0 = max(0, int(top - above * size)) // down * down
        x1 = min(frame.width, int(right + sides * size))
        y1 = min(frame.height, int(bottom + below * size))
        if x1 - x0 < 8 or y1 - y0 < 8:
            return None
        return Region(y0, x0, y1 - y0, x1 - x0)


@dataclass(frozen=True, eq=False)
class View:
    """A region of a frame as one face's texture is worked out on it.

    scale: px of it per px of the frame. size: (height, width) of the region in such px. small: that skin is looked
    for at. luma: (h, w), sides whole multiples of BLOCK. rgb: means over its squares. face: in px of luma.
    cut: (top, left) of luma in the region, px of it.
    """

    frame: Frame
    region: Region
    size: tuple[int, int]
    small: tuple[int, int]
    scale: float
    face: Face
    luma: F32
    rgb: F32
    cut: tuple[int, int] = (0, 0)

    @staticmethod
    def of(frame: Frame, face: Face, region: Region, matte_scale: float) -> View:
        scale = min(1.0, FINEST / face.px_per_mm)
        size = (max(8, round(region.height * scale)), max(8, round(region.width * scale)))
        own = face.scaled(scale, region.left, region.top)
        luma = np.ascontiguousarray(padded(np.clip(luma_of(frame, region.area, size), 0, 1)))
        look = min(1.0, matte_scale / own.px_per_mm)
        small = (max(8, round(size[0] * look)), max(8, round(size[1] * look)))
        squares = (luma.shape[0] // BLOCK, luma.shape[1] // BLOCK)
        return View(frame, region, size, small, scale, own, luma, rgb_of(frame, region.area, squares))

    @cached_property
    def looked(self) -> Looked:
        """What skin is looked for in."""
        face = self._looked_face
        return Looked.at(rgb_of(self.frame, self.region.area, self.small), face, face.px_per_mm)

    @property
    def _looked_face(self) -> Face:
        return self.face.scaled(self.small[1] / self.size[1])

    def colour(self) -> SkinColour | None:
        """The colour of the face's skin."""
        return colour_in(self.looked)

    def likely(self, colour: SkinColour, person: F32 | None) -> F32:
        """What may be skin of this colour, of the size `small`. person: from `people`."""
        return likely_skin(self.looked, colour, person)

    def people(self, whole: F32, moved: F32 | None = None) -> F32:
        """The matte of people (made of the whole frame) over the region, of the size `small`.

        moved: (x, y) px of the frame from where the face is to where it was when the matte was made: its surroundings
        have gone with it.
        """
        (height, width), region, size = whole.shape, self.region, self.small
        left, top = (0.0, 0.0) if moved is None else (float(moved[0]), float(moved[1]))
        x = (np.arange(size[1], dtype=np.float32) + 0.5) * (region.width / size[1]) + (region.left + left)
        y = (np.arange(size[0], dtype=np.float32) + 0.5) * (region.height / size[0]) + (region.top + top)
        x, y = x * (width / self.frame.width) - 0.5, y * (height / self.frame.height) - 0.5
        grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        found = cv2.remap(whole, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def matte(self, likely: F32) -> F32:
        """(h, w) 0..1: where skin is. likely: what may be skin, of the size `small`."""
        height, width = self.size
        return self.whole(along_edges(self.luma[:height, :width], self._looked_face, likely))

    def given(self, whole: F32, face: Face, faces: Sequence[Face]) -> F32:
        """(h, w) 0..1: where skin is, as the user says. whole: of the frame. face, faces: see `given_matte`."""
        return self.whole(given_matte(whole, self.region.area, self.size, face, faces))

    def around(self, matte: F32) -> View:
        """The part that holds skin: whole squares, with MARGIN around for blurs. matte: over luma, of some skin."""
        x, y, width, height = cv2.boundingRect((matte > 0).view(np.uint8))
        (top, bottom), (left, right) = (
            (max(0, at - MARGIN) // BLOCK * BLOCK, min(end, ((at + size - 1) // BLOCK + 1) * BLOCK + MARGIN))
            for at, size, end in ((y, height, matte.shape[0]), (x, width, matte.shape[1]))
        )
        luma = np.ascontiguousarray(self.luma[top:bottom, left:right])
        rgb = np.ascontiguousarray(self.rgb[top // BLOCK : bottom // BLOCK, left // BLOCK : right // BLOCK])
        return replace(self, face=self.face.scaled(1.0, left, top), luma=luma, rgb=rgb, cut=(top, left))

    def part(self, plane: F32) -> F32:
        """What lies over luma of a plane over the whole region; rows in one piece, or loops over them are slow."""
        (top, left), (height, width) = self.cut, self.luma.shape
        return np.ascontiguousarray(plane[top : top + height, left : left + width])

    def places(self) -> tuple[Lattice, F32]:
        """Atlas coordinates over luma, and normals (h, w, 3) of its squares, as the landmarks say."""
        uv, field = uv_and_normals(self.face, *self.luma.shape)
        normals = field.on_squares(self.rgb.shape[:2], BLOCK)
        length = np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), np.float32(1e-6))
        return uv, np.asarray(normals / length, np.float32)

    def over(self, field: Lattice) -> Lattice:
        """A field over the frame, over luma."""
        top, left = self.cut
        return field.scaled(self.scale, self.region.left, self.region.top).scaled(1.0, left, top)

    def laid(self, layer: Layer) -> tuple[Region, Layer]:
        """A layer (of luma) in px of the frame, and where."""
        (top, left), (height, width) = self.cut, self.size
        planes = [plane[: height - top, : width - left] for plane in layer]
        rows, columns = planes[0].shape
        region = self.region
        if self.scale == 1:
            return Region(region.top + top, region.left + left, rows, columns), Layer(*planes)
        whole = [np.zeros(self.size, np.float32) for _ in planes]
        for to, plane in zip(whole, planes, strict=True):
            to[top : top + rows, left : left + columns] = plane
        return region, Layer(*(_fitted(plane, (region.height, region.width)) for plane in whole))

    def whole(self, matte: F32) -> F32:
        """A matte (of `size`) over the whole of `luma`, nothing in the padding."""
        out = np.zeros(self.luma.shape, np.float32)
        out[: self.size[0], : self.size[1]] = matte
        return out


def _fitted(plane: F32, size: tuple[int, int]) -> F32:
    """A smooth plane of a region brought to another (height, width)."""
    if plane.shape[:2] == size:
        return plane
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
