"""The analysis stage for skin texture: frames in, what the pass is to add to each out.

The only stage with a memory. It belongs to a shot: at a cut everything is forgotten, within a shot
statistics stay as they were measured on the first frame a face was seen in, so nothing pulses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.anchor import Anchor
from grainkit.analysis.face import BROWS, EYES, Face
from grainkit.analysis.faces import LOOK_SIZE, FaceTracker, StillFaces
from grainkit.analysis.lattice import Lattice
from grainkit.analysis.light import estimate_light
from grainkit.analysis.matte import Looked, SkinColour, along_edges, colour_in, filled, likely_skin
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import Area, luma_of, reduced_size, rgb_of
from grainkit.analysis.shots import ShotDetector
from grainkit.analysis.source_noise import source_noise
from grainkit.analysis.uv import normals_at, uv_and_normals
from grainkit.backends.pass_term import CHROMA_ONE, LUMA_ONE, TextureTerm
from grainkit.effects.base import Analysed
from grainkit.effects.skin_texture.atlas import Atlas, load_atlas, texel_for
from grainkit.effects.skin_texture.blocks import BLOCK, masked_blur, padded
from grainkit.effects.skin_texture.energy import (
    EnergyMap,
    bands_of,
    brightness_of,
    energy_of,
    linear,
    local_energy,
    luminance,
    sharpness_of,
)
from grainkit.effects.skin_texture.layer import (
    KEEP_MM,
    MARGIN,
    Layer,
    Skin,
    SkinStatistics,
    measure,
    motion_blur,
    skin_layer,
)
from grainkit.effects.skin_texture.own_skin import OwnSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.sample import Material, sample
from grainkit.effects.skin_texture.users_matte import given_matte
from grainkit.machine.compiled import njit
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]

#: Video: least long side of the picture that newcomers are looked for in, px, where all known faces are large.
LEAST_LOOK = 640
#: Video: between looks known faces are followed in a picture that shows the smallest at this width, px.
FOLLOW_FACE = 110.0
#: (height, width) of what people are found in; the network's own.
PERSON_SIZE = (256, 256)
#: Video: frames from one look at where people are, at where skin is, and at how much texture there is, to the next.
#: In between, people go with their faces and skin with what the anchor sees to move.
PERSON_EVERY, SKIN_EVERY, ENERGY_EVERY = 6, 3, 4
#: Video: frames in which what is known of a face's own texture is renewed.
ENERGY_FRAMES = 24.0
#: Video: share of a face's speed that is taken over per frame.
SPEED_SHARE = 0.12
#: Fewer px of skin than this within a user's matte say nothing of it.
LEAST_SKIN = 200
#: Faces smaller than this many px per mm have no room for texture (a face 60 px wide).
SMALLEST = 0.45
#: Most faces that are textured in a frame, largest first.
MOST_FACES = 20
#: Region around a face, in face widths: to the sides, above, below. Stills reach to hands and shoulders;
#: on video it is face, ears and neck, because all of it is worked out again for every frame.
STILL_REACH, VIDEO_REACH = (1.6, 0.45, 3.5), (0.3, 0.3, 0.6)
#: px per mm that a matte is worked out at.
STILL_MATTE, VIDEO_MATTE = 2.2, 1.0
#: Faces larger than this many px per mm are textured at a reduced size and the layer is enlarged: the finest
#: band of a photograph has next to nothing there, and memory stays bounded.
FINEST = 6.0
#: Level-of-detail bias: stills crisper, video calmer.
STILL_BIAS, VIDEO_BIAS = -0.5, 0.5
#: Video: Gaussian sigma that shaded relief is smoothed with, px. What is finer than two px or so scintillates when it
#: moves by parts of a px; the band is still filled up, with what it has at longer periods.
VIDEO_SOFT = 0.75


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
class _Likely:
    """What may be skin by colour and place in a region of one frame: (h, w) 0..1, features and edges aside.

    age: frames since it was looked at; it was moved along since.
    """

    plane: F32
    region: Region
    index: int
    age: int = 0

    def carried(self, back: Lattice, view: _View) -> _Likely:
        """The same one frame later. back: px from places of that frame to where they were."""
        (height, width), region = view.small, view.region
        unit = width / region.width
        motion = back.scaled(unit, region.left, region.top).on(height, width)
        size, before = self.plane.shape, self.region
        x = (np.arange(width, dtype=np.float32) + 0.5) * np.float32(region.width / width) + (region.left - before.left)
        y = (np.arange(height, dtype=np.float32) + 0.5) * np.float32(region.height / height) + (region.top - before.top)
        motion[..., 0] += x
        motion[..., 1] += y[:, None]
        motion *= np.array([size[1] / before.width, size[0] / before.height], np.float32)
        motion -= np.float32(0.5)
        plane = cv2.remap(self.plane, motion, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return _Likely(np.asarray(plane, np.float32), region, view.frame.index, self.age + 1)


@dataclass(eq=False)
class _Known:
    """What a shot knows of one face: fixed when it was first seen, but for what follows it (video).

    colour: None where too little skin is seen. likely: of the last frame that it was needed in.
    """

    colour: SkinColour | None
    statistics: SkinStatistics
    atlas: Atlas
    anchor: Anchor | None
    texture: EnergyMap
    likely: _Likely | None
    speed: float = 0.0
    frames: int = 0


@dataclass(frozen=True, eq=False)
class _View:
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
    def of(frame: Frame, face: Face, region: Region, matte_scale: float) -> _View:
        scale = min(1.0, FINEST / face.px_per_mm)
        size = (max(8, round(region.height * scale)), max(8, round(region.width * scale)))
        own = face.scaled(scale, region.left, region.top)
        luma = np.ascontiguousarray(padded(np.clip(luma_of(frame, region.area, size), 0, 1)))
        look = min(1.0, matte_scale / own.px_per_mm)
        small = (max(8, round(size[0] * look)), max(8, round(size[1] * look)))
        squares = (luma.shape[0] // BLOCK, luma.shape[1] // BLOCK)
        return _View(frame, region, size, small, scale, own, luma, rgb_of(frame, region.area, squares))

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

    def likely(self, colour: SkinColour, person: F32 | None) -> _Likely:
        """What may be skin of this colour."""
        plane = likely_skin(self.looked, colour, person)
        return _Likely(plane, self.region, self.frame.index)

    def matte(self, likely: _Likely) -> F32:
        """(h, w) 0..1: where skin is."""
        height, width = self.size
        return self.whole(along_edges(self.luma[:height, :width], self._looked_face, likely.plane))

    def around(self, matte: F32) -> _View:
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


class TextureStage:
    """Turns frames into terms for the pass. Feed it every frame of a shot in order; `moving` is False for stills.

    still: the faces of the one still that it will be fed, where others ask for them too.
    """

    def __init__(self, parameters: SkinTexture, seed: int, *, moving: bool, still: StillFaces | None = None) -> None:
        self._still = still
        self._parameters = parameters
        self._seed = seed
        self._moving = moving
        self._networks = FaceNetworks()
        self._atlases: dict[tuple[int, float], Future[Atlas]] = {}
        self._aside = ThreadPoolExecutor(1, "grainkit-atlas")
        self._shots = ShotDetector()
        self._start_shot()

    def _start_shot(self) -> None:
        self._tracker = FaceTracker(self._networks)
        self._known: dict[int, _Known] = {}
        self._met: dict[int, int] = {}
        self._frames = 0
        self._person: F32 | None = None
        self._stood: dict[int, Face] = {}

    def stream(self, frames: Iterable[Analysed]) -> Iterator[Analysed]:
        """Each frame with its term, none where there is no skin to texture."""
        with self._networks.ahead() if self._still is None else nullcontext():
            for one in frames:
                own = self.textured(one.frame)
                yield one.with_term(own.term, self._parameters.name, own.light)

    def textured(self, frame: Frame) -> Analysed:
        """The next frame with its term."""
        if min(frame.width, frame.height) < 32:
            return Analysed(frame)
        share = 1.0
        if self._moving:
            shot = self._shots.see(frame)
            share = shot.share
            if shot.starts:
                self._start_shot()
            if share == 0:
                return Analysed(frame)
        faces = self._faces(frame)
        layers, lights = [], []
        for face in faces:
            region = Region.around(face, frame, VIDEO_REACH if self._moving else STILL_REACH)
            laid = None if region is None else self._layer(frame, face, region, faces)
            if laid is not None:
                place, layer = laid
                layers.append((place, layer if share == 1 else layer.scaled(share)))
                lights.append(self._known[face.track].statistics.light)
        self._frames += 1
        return Analysed(frame, _term(layers, frame), lights[0]) if layers else Analysed(frame)

    def _faces(self, frame: Frame) -> list[Face]:
        """Faces that have room for texture, largest first, in px of the frame."""
        found: Sequence[Face]
        if self._still is not None:
            found = self._still.faces
        elif self._tracker.looks:
            small = rgb_of(frame, size=reduced_size(frame, self._look_size(frame)))
            found = self._tracker.track(small, small.shape[1] / frame.width)
        else:
            found = self._followed(frame)
        if self._frames % PERSON_EVERY == 0 or self._person is None:
            self._person = self._networks.person(rgb_of(frame, size=PERSON_SIZE)) if found else None
            self._stood = {face.track: face for face in found}
        return sorted((f for f in found if f.px_per_mm >= SMALLEST), key=lambda f: -f.width)[:MOST_FACES]

    def _look_size(self, frame: Frame) -> int:
        """Long side of the picture that newcomers are looked for in: known faces are to be as large as in others."""
        known = self._tracker.faces
        if not known:
            return LOOK_SIZE
        longest = max(frame.height, frame.width) * FOLLOW_FACE / min(face.width for face in known)
        return int(min(max(longest, LEAST_LOOK), LOOK_SIZE))

    def _followed(self, frame: Frame) -> tuple[Face, ...]:
        """Known faces, in a picture that is no larger than they need."""
        known = self._tracker.faces
        nothing = np.zeros((8, 8, 3), np.float32)
        if not known:
            return self._tracker.track(nothing)
        boxes = np.array([face.box for face in known])
        margin = max(face.width for face in known) * 0.6
        left, top = (max(0, int(v) // 2 * 2) for v in boxes[:, :2].min(0) - margin)
        right, bottom = (
            min(n, int(v)) for v, n in zip(boxes[:, 2:].max(0) + margin, (frame.width, frame.height), strict=True)
        )
        scale = min(1.0, FOLLOW_FACE / min(face.width for face in known))
        height, width = bottom - top, right - left
        if min(height, width) < 8:
            return self._tracker.track(nothing, 1.0, left, top)
        size = (max(8, round(height * scale)), max(8, round(width * scale)))
        return self._tracker.track(rgb_of(frame, (top, left, height, width), size), size[1] / width, left, top)

    def _layer(self, frame: Frame, face: Face, region: Region, faces: Sequence[Face]) -> tuple[Region, Layer] | None:
        known = self._known.get(face.track)
        if known is not None and known.anchor is not None:
            # Followed where none of it is to be textured too: what comes back gets the pores it had.
            known.anchor = known.anchor.follow(frame, face)
            known.speed += SPEED_SHARE * (known.anchor.speed - known.speed)
        view = _View.of(frame, face, region, VIDEO_MATTE if self._moving else STILL_MATTE)
        own = OwnSkin.of(self._seed, self._met.setdefault(face.track, len(self._met)))
        if known is None:
            self._begin_atlas(view, own)
        colour, likely, found = known.colour if known else None, known.likely if known else None, None
        measures = self._moving and (known is None or known.frames % ENERGY_EVERY == 0)
        if frame.matte is None or measures:
            colour = colour or (view.colour() if known is None or frame.matte is None else None)
            if colour is not None:
                likely = self._likely(view, face, colour, known)
                found = view.matte(likely)
                if known is not None:
                    known.likely = likely
                    found = found if known.anchor is None else _bared(found, known.anchor, view)
        if frame.matte is None:
            if found is None:
                return None
            matte = found
        else:
            matte = view.whole(given_matte(frame.matte, region.area, view.size, face, faces))
        if float(matte.max()) < 0.2:
            return None
        anchor = known.anchor if known else Anchor.start(frame, face) if self._moving else None
        view = view.around(matte)
        matte = view.part(matte)
        uv, normals = self._places(face, view, anchor)
        skin = Skin(view.luma, view.rgb, matte, normals, uv, frame.color.luma_weights())
        atlas = known.atlas if known else self._begin_atlas(view, own).result()
        bias = VIDEO_BIAS if self._moving else STILL_BIAS
        # A little beyond the matte, for slopes at its edge.
        wanted = cv2.dilate((matte > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        material = sample(atlas, own.places(uv), wanted, bias, self._parameters.detail_scale)
        # What a user's matte holds besides skin says nothing of what the skin lacks.
        sure = skin if found is None else replace(skin, matte=_shared(matte, view.part(found)))
        if known is None:
            statistics = self._measured(sure, material, view)
            renewed = EnergyMap(float(np.exp(-ENERGY_EVERY / ENERGY_FRAMES)))
            known = self._known[face.track] = _Known(colour, statistics, atlas, anchor, renewed, likely)
        energy, share = self._texture_there(sure, known, view)
        known.frames += 1
        return view.laid(skin_layer(skin, material, energy, known.statistics, self._parameters, share))

    def _begin_atlas(self, view: _View, own: OwnSkin) -> Future[Atlas]:
        """The atlas for a face of this scale, loaded beside what goes before."""
        texel = texel_for(view.face.px_per_mm)
        asked = (own.seed, texel)
        if asked not in self._atlases:
            self._atlases[asked] = self._aside.submit(load_atlas, own.seed, self._parameters.age, texel)
        return self._atlases[asked]

    def _likely(self, view: _View, face: Face, colour: SkinColour, known: _Known | None) -> _Likely:
        """What may be skin: looked at now and then, and moved along in between."""
        frame, before = view.frame, None if known is None else known.likely
        back = None if known is None or known.anchor is None else known.anchor.back()
        if before is not None and back is not None and before.index + 1 == frame.index and before.age + 1 < SKIN_EVERY:
            return before.carried(back, view)
        person = None
        if self._person is not None:
            person = _part(self._person, view.region, view.small, frame, face, self._stood.get(face.track, face))
        return view.likely(colour, person)

    def _places(self, face: Face, view: _View, anchor: Anchor | None) -> tuple[Lattice, F32]:
        """Atlas coordinates over the view, and normals (h, w, 3) of its squares."""
        squares = view.rgb.shape[:2]
        if anchor is not None:
            uv = view.over(anchor.uv())
            return uv, normals_at(uv.on_squares(squares, BLOCK), face.rotation)
        uv, field = uv_and_normals(view.face, *view.luma.shape)
        normals = field.on_squares(squares, BLOCK)
        length = np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), np.float32(1e-6))
        return uv, np.asarray(normals / length, np.float32)

    def _texture_there(self, skin: Skin, known: _Known, view: _View) -> tuple[F32, tuple[float, ...]]:
        """Mean square per band and square that the picture has by itself; what motion leaves of each band."""
        if not self._moving:
            return local_energy(energy_of(skin.luma, skin.matte), view.face.px_per_mm), motion_blur(0.0)
        uv = skin.uv.on_squares(skin.rgb.shape, BLOCK)
        if known.frames % ENERGY_EVERY == 0:
            known.texture.add(energy_of(skin.luma, skin.matte), uv)
        return known.texture.at(uv), motion_blur(known.speed * view.scale)

    def _measured(self, skin: Skin, material: Material, view: _View) -> SkinStatistics:
        mm = view.face.px_per_mm
        small = cv2.resize(skin.matte, skin.rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
        low = masked_blur(luminance(linear(skin.rgb)), (small > 0.5).astype(np.float32), KEEP_MM * mm / BLOCK)
        light = estimate_light(low, skin.normals, small)
        if self._parameters.lamp is not None:
            light = replace(light, direction=self._parameters.lamp)
        brightness = brightness_of(skin.luma)
        noise = source_noise(bands_of(brightness), brightness, skin.matte)
        sharp = sharpness_of(skin.luma, _features(view.face, (skin.luma.shape[0], skin.luma.shape[1])))
        soft = VIDEO_SOFT if self._moving else 0.0
        return measure(skin, material, light, mm, self._parameters, sharp, noise, soft)


def _bared(matte: F32, anchor: Anchor, view: _View) -> F32:
    """A matte without what passes in front of the face: texture goes with the skin."""
    if not anchor.cover.veil.any():
        return matte
    veil = view.over(anchor.veil())
    small = veil.on_squares(view.rgb.shape, BLOCK)[..., 0]
    whole = cv2.resize(small, matte.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(matte * (1 - np.clip(whole, 0, 1)), np.float32)


def _shared(matte: F32, found: F32) -> F32:
    """Where a matte and found skin meet; the matte where that is next to nowhere."""
    both = np.minimum(matte, found)
    return both if np.count_nonzero(both > 0.5) >= LEAST_SKIN else matte


def _features(face: Face, shape: tuple[int, int]) -> F32:
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


def _part(person: F32, region: Region, size: tuple[int, int], frame: Frame, face: Face, stood: Face) -> F32:
    """The matte of people (made of the whole frame) over a region, at `size` (height, width).

    face, stood: where a face is, and where it was when the matte was made: its surroundings have gone with it.
    """
    height, width = person.shape
    moved = stood.center - face.center
    x = (np.arange(size[1], dtype=np.float32) + 0.5) * (region.width / size[1]) + (region.left + float(moved[0]))
    y = (np.arange(size[0], dtype=np.float32) + 0.5) * (region.height / size[0]) + (region.top + float(moved[1]))
    x, y = x * (width / frame.width) - 0.5, y * (height / frame.height) - 0.5
    grid_x, grid_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return np.asarray(cv2.remap(person, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _term(layers: list[tuple[Region, Layer]], frame: Frame) -> TextureTerm:
    """The layers of all faces over one rectangle; where two overlap, the stronger stands."""
    top, left = min(r.top for r, _ in layers), min(r.left for r, _ in layers)
    bottom, right = max(r.top + r.height for r, _ in layers), max(r.left + r.width for r, _ in layers)
    across, down = frame.color.subsampling
    luma = np.zeros((bottom - top, right - left), np.int16)
    cb, cr = (np.zeros((-(-luma.shape[0] // down), -(-luma.shape[1] // across)), np.int16) for _ in range(2))
    for region, layer in layers:
        y, x = region.top - top, region.left - left
        _lay(layer.gain, np.float32(LUMA_ONE), luma[y:, x:])
        for plane, to in ((layer.cb, cb), (layer.cr, cr)):
            _lay(_halved(plane, across, down), np.float32(CHROMA_ONE), to[y // down :, x // across :])
    return TextureTerm(top, left, luma, cb, cr)


def _halved(plane: F32, across: int, down: int) -> F32:
    if (across, down) == (1, 1):
        return plane
    size = (-(-plane.shape[1] // across), -(-plane.shape[0] // down))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def _lay(plane: Any, one: Any, to: Any) -> None:
    """Writes a plane, in fixed point, where it is stronger than what is there."""
    most = np.float32(32000)
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            value = np.int16(np.rint(min(max(plane[y, x] * one, -most), most)))
            if abs(value) > abs(to[y, x]):
                to[y, x] = value
