"""The analysis stage for skin texture: frames in, what the pass is to add to each out.

The only stage with a memory. It belongs to a shot: at a cut everything is forgotten, within a shot
statistics stay as they were measured on the first frame a face was seen in, so nothing pulses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.anchor import Anchor
from grainkit.analysis.cuts import CutDetector
from grainkit.analysis.face import BROWS, EYES, Face
from grainkit.analysis.faces import FaceTracker
from grainkit.analysis.light import estimate_light
from grainkit.analysis.matte import SkinColour, filled, skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import reduced_size, rgb_of
from grainkit.analysis.source_noise import source_noise
from grainkit.analysis.uv import normals_at, uv_fields
from grainkit.effects.skin_texture import SkinTexture
from grainkit.frame import Frame
from grainkit.texture.atlas import Atlas, load_atlas, texel_for
from grainkit.texture.given import given_matte
from grainkit.texture.layer import (
    KEEP_MM,
    Layer,
    Skin,
    SkinStatistics,
    bands_of,
    linear,
    luminance,
    masked_blur,
    measure,
    skin_layer,
)
from grainkit.texture.sample import sample
from grainkit.texture.term import CHROMA_ONE, LUMA_ONE, TextureTerm

F32 = npt.NDArray[np.float32]

#: Long side of the picture that faces are looked for in, px.
LOOK_SIZE = 1280
#: Faces smaller than this many px per mm have no room for texture (a face 60 px wide).
SMALLEST = 0.45
#: Most faces that are textured in a frame, largest first.
MOST_FACES = 20
#: Region around a face, in face widths: to the sides, above, below. Stills reach to hands and shoulders;
#: on video it is face, ears and neck, because all of it is worked out again for every frame.
STILL_REACH, VIDEO_REACH = (1.6, 0.45, 3.5), (0.3, 0.3, 0.6)
#: px per mm that a matte is worked out at.
STILL_MATTE, VIDEO_MATTE = 2.2, 1.0
#: Video: normals are worked out at this share of the size, they are smooth.
COARSE = 0.25
#: Faces larger than this many px per mm are textured at a reduced size and the layer is enlarged: the finest
#: band of a photograph has next to nothing there, and memory stays bounded.
FINEST = 6.0
#: Level-of-detail bias: stills crisper, video calmer.
STILL_BIAS, VIDEO_BIAS = -0.5, 0.2


@dataclass(frozen=True)
class Region:
    """A rectangle of the frame in luma px; top and left are whole multiples of the chroma subsampling."""

    top: int
    left: int
    height: int
    width: int

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


@dataclass(eq=False)
class _Known:
    """What a shot knows of one face: fixed when it was first seen, but for the anchor, which follows.

    colour: None where the user's own matte makes it needless.
    """

    colour: SkinColour | None
    statistics: SkinStatistics
    atlas: Atlas
    anchor: Anchor | None


class TextureStage:
    """Turns frames into terms for the pass. Feed it every frame of a shot in order; `moving` is False for stills."""

    def __init__(self, parameters: SkinTexture, seed: int, *, moving: bool) -> None:
        self._parameters = parameters
        self._seed = seed
        self._moving = moving
        self._networks = FaceNetworks()
        self._start_shot()

    def _start_shot(self) -> None:
        self._cuts = CutDetector()
        self._tracker = FaceTracker(self._networks)
        self._known: dict[int, _Known] = {}

    def stream(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, TextureTerm | None]]:
        """Each frame with its term, None where there is no skin to texture."""
        for frame in frames:
            yield frame, self.term(frame)

    def term(self, frame: Frame) -> TextureTerm | None:
        """The term of the next frame."""
        if len(frame.planes) < 3 or min(frame.width, frame.height) < 32:
            return None
        if self._moving and self._cuts.is_cut(frame):
            self._start_shot()
            self._cuts.is_cut(frame)
        small = rgb_of(frame, size=reduced_size(frame, LOOK_SIZE))
        scale = small.shape[1] / frame.width
        found = [face.scaled(1 / scale) for face in self._tracker.track(small)]
        faces = sorted((f for f in found if f.px_per_mm >= SMALLEST), key=lambda f: -f.width)[:MOST_FACES]
        if not faces:
            return None
        person = self._networks.person(small)
        layers, lights = [], []
        for face in faces:
            region = Region.around(face, frame, VIDEO_REACH if self._moving else STILL_REACH)
            layer = None if region is None else self._layer(frame, face, region, person, faces)
            if region is not None and layer is not None:
                layers.append((region, layer))
                lights.append(self._known[face.track].statistics.light)
        return replace(_term(layers, frame), light=lights[0]) if layers else None

    def _layer(self, frame: Frame, face: Face, region: Region, person: F32, faces: Sequence[Face]) -> Layer | None:
        shrink = min(1.0, FINEST / face.px_per_mm)
        size = (max(8, round(region.height * shrink)), max(8, round(region.width * shrink)))
        rgb = rgb_of(frame, (region.top, region.left, region.height, region.width), size)
        own = face.scaled(shrink, region.left, region.top)
        known = self._known.get(face.track)
        if known is not None and known.anchor is not None:
            # Followed where none of it is to be textured too: what comes back gets the pores it had.
            known.anchor = known.anchor.follow(frame, face)
        work = VIDEO_MATTE if self._moving else STILL_MATTE
        if frame.matte is not None:
            colour = None
            matte = given_matte(frame.matte, (region.top, region.left, region.height, region.width), size, face, faces)
        else:
            colour = known.colour if known else skin_colour(rgb, own, work_scale=work)
            if colour is None:
                return None
            matte = skin_matte(rgb, own, colour, _part(person, region, size, frame), work_scale=work)
        if float(matte.max()) < 0.2:
            return None
        if known is not None and known.anchor is not None:
            uv = known.anchor.uv().scaled(shrink, region.left, region.top).on(*size)
            normals = _normals(uv, own)
        else:
            uv, normals = uv_fields(own, *rgb.shape[:2])
        atlas = known.atlas if known else load_atlas(self._seed, self._parameters.age, texel_for(own.px_per_mm))
        bias = VIDEO_BIAS if self._moving else STILL_BIAS
        planes = sample(atlas, uv, matte > 0, bias, self._parameters.detail_scale)
        skin = Skin(rgb, matte, _sharp(own, rgb.shape[:2]), normals, planes, uv)
        if known is None:
            statistics = self._measured(skin, own)
            anchor = Anchor.start(frame, face) if self._moving else None
            known = self._known[face.track] = _Known(colour, statistics, atlas, anchor)
        layer = skin_layer(skin, known.statistics, self._parameters)
        whole = (region.height, region.width)
        return Layer(*(_fitted(plane, whole) for plane in (layer.gain, layer.cb, layer.cr)))

    def _measured(self, skin: Skin, face: Face) -> SkinStatistics:
        sure = (skin.matte > 0.5).astype(np.float32)
        low = masked_blur(luminance(linear(skin.rgb)), sure, KEEP_MM * face.px_per_mm)
        light = estimate_light(low, skin.normals, skin.matte)
        if self._parameters.lamp is not None:
            light = replace(light, direction=self._parameters.lamp)
        brightness = np.log(luminance(linear(skin.rgb)) + np.float32(0.004))
        noise = source_noise(bands_of(brightness), brightness, skin.matte)
        return measure(skin, light, face.px_per_mm, self._parameters, noise)


def _normals(uv: F32, face: Face) -> F32:
    """Normals of a region of video, looked up small: they are smooth."""
    height, width = uv.shape[:2]
    size = (max(2, int(width * COARSE)), max(2, int(height * COARSE)))
    small = normals_at(cv2.resize(uv, size, interpolation=cv2.INTER_AREA), face.rotation)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _sharp(face: Face, shape: tuple[int, int]) -> F32:
    """Eyes and brows: what in a face is as sharp as the lens was."""
    out = np.zeros(shape, np.float32)
    for group in (*EYES, *BROWS):
        out = np.maximum(out, filled(shape, face.points[list(group), :2]))
    return (out > 0.5).astype(np.float32)


def _fitted(plane: F32, size: tuple[int, int]) -> F32:
    """A smooth plane of a region brought to another (height, width)."""
    if plane.shape[:2] == size:
        return plane
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _part(person: F32, region: Region, size: tuple[int, int], frame: Frame) -> F32:
    """The matte of people (made of the whole frame) over a region, at `size` (height, width)."""
    height, width = person.shape
    x = (np.arange(size[1], dtype=np.float32) + 0.5) * (region.width / size[1]) + region.left
    y = (np.arange(size[0], dtype=np.float32) + 0.5) * (region.height / size[0]) + region.top
    x, y = x * (width / frame.width) - 0.5, y * (height / frame.height) - 0.5
    grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return np.asarray(cv2.remap(person, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _term(layers: list[tuple[Region, Layer]], frame: Frame) -> TextureTerm:
    """The layers of all faces over one rectangle; where two overlap, the stronger stands."""
    top, left = min(r.top for r, _ in layers), min(r.left for r, _ in layers)
    bottom, right = max(r.top + r.height for r, _ in layers), max(r.left + r.width for r, _ in layers)
    gain, cb, cr = (np.zeros((bottom - top, right - left), np.float32) for _ in range(3))
    for region, layer in layers:
        place = np.s_[region.top - top :, region.left - left :]
        parts = [plane[place][: region.height, : region.width] for plane in (gain, cb, cr)]
        stronger = np.abs(layer.gain) > np.abs(parts[0])
        for part, own in zip(parts, (layer.gain, layer.cb, layer.cr), strict=True):
            part[stronger] = own[stronger]
    across, down = frame.color.subsampling
    size = (-(-gain.shape[1] // across), -(-gain.shape[0] // down))
    if (across, down) != (1, 1):
        cb, cr = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (cb, cr))
    return TextureTerm(top, left, _fixed(gain, LUMA_ONE), _fixed(cb, CHROMA_ONE), _fixed(cr, CHROMA_ONE))


def _fixed(plane: F32, one: int) -> npt.NDArray[np.int16]:
    return np.asarray(np.rint(np.clip(plane * np.float32(one), -32000, 32000)), np.int16)
