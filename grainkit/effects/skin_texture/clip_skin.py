"""Skin texture of clips: it holds to faces as they move.

The only stage of texture with a memory. It belongs to a shot: at a cut everything is forgotten, within a shot
statistics stay as they were measured on the first frame a face was seen in, so nothing pulses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.anchor import Anchor
from grainkit.analysis.face import Face
from grainkit.analysis.faces import LOOK_SIZE, FaceTracker
from grainkit.analysis.lattice import Lattice
from grainkit.analysis.matte import SkinColour
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import reduced_size, rgb_of
from grainkit.analysis.shots import ShotDetector
from grainkit.analysis.uv import normals_at
from grainkit.effects.base import Analysed
from grainkit.effects.skin_texture.atlas import Atlas
from grainkit.effects.skin_texture.atlases import Atlases
from grainkit.effects.skin_texture.blocks import BLOCK
from grainkit.effects.skin_texture.energy import EnergyMap, energy_of
from grainkit.effects.skin_texture.first_look import first_look
from grainkit.effects.skin_texture.layer import Layer, Skin, SkinStatistics, motion_blur, skin_layer
from grainkit.effects.skin_texture.merged import merged
from grainkit.effects.skin_texture.own_skin import OwnSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.sample import sample
from grainkit.effects.skin_texture.skin_view import LEAST_MATTE, PERSON_SIZE, Region, View, rimmed, with_room
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]

#: Least long side of the picture that newcomers are looked for in, px, where all known faces are large.
LEAST_LOOK = 640
#: Between looks known faces are followed in a picture that shows the smallest at this width, px.
FOLLOW_FACE = 110.0
#: Frames from one look at where people are, at where skin is, and at how much texture there is, to the next.
#: In between, people go with their faces and skin with what the anchor sees to move.
PERSON_EVERY, SKIN_EVERY, ENERGY_EVERY = 6, 3, 4
#: Frames in which what is known of a face's own texture is renewed.
ENERGY_FRAMES = 24.0
#: Share of a face's speed that is taken over per frame.
SPEED_SHARE = 0.12
#: Fewer px of skin than this within a user's matte say nothing of it.
LEAST_SKIN = 200
#: Region around a face, in face widths: to the sides, above, below. It is face, ears and neck, because all of it is
#: worked out again for every frame.
REACH = (0.3, 0.3, 0.6)
#: px per mm that a matte is worked out at.
MATTE = 1.0
#: Level-of-detail bias: calm.
BIAS = 0.5
#: Gaussian sigma that shaded relief is smoothed with, px. What is finer than two px or so scintillates when it
#: moves by parts of a px; the band is still filled up, with what it has at longer periods.
SOFT = 0.75


@dataclass(frozen=True, eq=False)
class _Likely:
    """What may be skin by colour and place in a region of one frame: (h, w) 0..1, features and edges aside.

    age: frames since it was looked at; it was moved along since.
    """

    plane: F32
    region: Region
    index: int
    age: int = 0

    def carried(self, back: Lattice, view: View) -> _Likely:
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

    def follow(self, frame: Frame, face: Face) -> None:
        """Go along with the face to its place in the next frame."""
        if self.anchor is not None:
            self.anchor = self.anchor.follow(frame, face)
            self.speed += SPEED_SHARE * (self.anchor.speed - self.speed)

    @property
    def measures(self) -> bool:
        """Whether the next picture is looked at for how much texture it has by itself."""
        return self.frames % ENERGY_EVERY == 0

    def energy(self, skin: Skin) -> F32:
        """Mean square per band and square that the face has by itself, (h, w, BANDS). skin: of the next picture."""
        uv = skin.uv.on_squares(skin.rgb.shape, BLOCK)
        if self.measures:
            self.texture.add(energy_of(skin.luma, skin.matte), uv)
        self.frames += 1
        return self.texture.at(uv)


class _Found(NamedTuple):
    """Where skin was found: its colour, what may be skin, and (h, w) 0..1 what is. None where it was not looked for."""

    colour: SkinColour | None
    likely: _Likely | None = None
    matte: F32 | None = None


class ClipSkin:
    """Turns frames of a clip into terms for the pass. Feed it every frame in order."""

    def __init__(self, parameters: SkinTexture, seed: int) -> None:
        self._parameters = parameters
        self._seed = seed
        self._networks = FaceNetworks()
        self._atlases = Atlases(parameters.age)
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
        """Each frame with its term, None where there is no skin to texture."""
        with self._networks.ahead():
            for one in frames:
                own = self.textured(one.frame)
                yield one.with_term(own.term, self._parameters.name, own.light)

    def textured(self, frame: Frame) -> Analysed:
        """The next frame with its term."""
        if min(frame.width, frame.height) < 32:
            return Analysed(frame)
        shot = self._shots.see(frame)
        if shot.starts:
            self._start_shot()
        if shot.share == 0:
            return Analysed(frame)
        faces = self._faces(frame)
        layers, lights = [], []
        for face in faces:
            region = Region.around(face, frame, REACH)
            laid = None if region is None else self._layer(View.of(frame, face, region, MATTE), face, faces)
            if laid is not None:
                place, layer = laid
                layers.append((place, layer if shot.share == 1 else layer.scaled(shot.share)))
                lights.append(self._known[face.track].statistics.light)
        self._frames += 1
        return Analysed(frame, merged(layers, frame), light=lights[0]) if layers else Analysed(frame)

    def _faces(self, frame: Frame) -> list[Face]:
        """Faces that have room for texture, largest first, in px of the frame."""
        if self._tracker.looks:
            small = rgb_of(frame, size=reduced_size(frame, self._look_size(frame)))
            found = self._tracker.track(small, small.shape[1] / frame.width)
        else:
            found = self._followed(frame)
        if self._frames % PERSON_EVERY == 0 or self._person is None:
            self._person = self._networks.person(rgb_of(frame, size=PERSON_SIZE)) if found else None
            self._stood = {face.track: face for face in found}
        return with_room(found)

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

    def _layer(self, view: View, face: Face, faces: Sequence[Face]) -> tuple[Region, Layer] | None:
        """What one face gets, and where; None where none of its skin is seen."""
        frame, known = view.frame, self._known.get(face.track)
        if known is not None:
            # Followed where none of it is to be textured too: what comes back gets the pores it had.
            known.follow(frame, face)
        own = OwnSkin.of(self._seed, self._met.setdefault(face.track, len(self._met)))
        if known is None:
            # It is loaded beside what goes before.
            self._atlases.begin(own, view.face.px_per_mm)
        found = self._look(view, face, known)
        matte = found.matte if frame.matte is None else view.given(frame.matte, face, faces)
        if matte is None or float(matte.max()) < LEAST_MATTE:
            return None
        anchor = known.anchor if known else Anchor.start(frame, face)
        view = view.around(matte)
        matte = view.part(matte)
        uv, normals = _places(face, view, anchor)
        skin = Skin(view.luma, view.rgb, matte, normals, uv, frame.color.luma_weights())
        atlas = known.atlas if known else self._atlases.begin(own, view.face.px_per_mm).result()
        material = sample(atlas, own.places(uv), rimmed(matte), BIAS, self._parameters.detail_scale)
        # What a user's matte holds besides skin says nothing of what the skin lacks.
        sure = skin if found.matte is None else replace(skin, matte=_shared(matte, view.part(found.matte)))
        if known is None:
            statistics = first_look(sure, material, view.face, self._parameters, SOFT)
            renewed = EnergyMap(float(np.exp(-ENERGY_EVERY / ENERGY_FRAMES)))
            known = self._known[face.track] = _Known(found.colour, statistics, atlas, anchor, renewed, found.likely)
        energy = known.energy(sure)
        blur = motion_blur(known.speed * view.scale)
        return view.laid(skin_layer(skin, material, energy, known.statistics, self._parameters, blur))

    def _look(self, view: View, face: Face, known: _Known | None) -> _Found:
        """Where skin is, as far as the frame's own matte does not say or texture is measured on it."""
        given = view.frame.matte is not None
        if given and known is not None and not known.measures:
            return _Found(known.colour)
        colour = known.colour if known else None
        if colour is None and (known is None or not given):
            colour = view.colour()
        if colour is None:
            return _Found(None)
        likely = self._likely(view, face, colour, known)
        matte = view.matte(likely.plane)
        if known is not None:
            known.likely = likely
            matte = matte if known.anchor is None else _bared(matte, known.anchor, view)
        return _Found(colour, likely, matte)

    def _likely(self, view: View, face: Face, colour: SkinColour, known: _Known | None) -> _Likely:
        """What may be skin: looked at now and then, and moved along in between."""
        before = None if known is None else known.likely
        back = None if known is None or known.anchor is None else known.anchor.back()
        index = view.frame.index
        if before is not None and back is not None and before.index + 1 == index and before.age + 1 < SKIN_EVERY:
            return before.carried(back, view)
        person = None
        if self._person is not None:
            person = view.people(self._person, self._stood.get(face.track, face).center - face.center)
        return _Likely(view.likely(colour, person), view.region, index)


def _places(face: Face, view: View, anchor: Anchor | None) -> tuple[Lattice, F32]:
    """Atlas coordinates over the view, and normals (h, w, 3) of its squares."""
    if anchor is None:
        return view.places()
    uv = view.over(anchor.uv())
    return uv, normals_at(uv.on_squares(view.rgb.shape[:2], BLOCK), face.rotation)


def _bared(matte: F32, anchor: Anchor, view: View) -> F32:
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
