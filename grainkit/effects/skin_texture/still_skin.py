"""Skin texture of stills: each is looked at by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import Face
from grainkit.analysis.faces import StillFaces
from grainkit.analysis.light import Light
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import rgb_of
from grainkit.effects.base import Analysed
from grainkit.effects.skin_texture.atlases import Atlases
from grainkit.effects.skin_texture.energy import energy_of, local_energy
from grainkit.effects.skin_texture.first_look import first_look
from grainkit.effects.skin_texture.layer import Layer, Skin, skin_layer
from grainkit.effects.skin_texture.merged import merged
from grainkit.effects.skin_texture.own_skin import OwnSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.sample import sample
from grainkit.effects.skin_texture.skin_view import LEAST_MATTE, PERSON_SIZE, Region, View, rimmed, with_room
from grainkit.picture.frame import Frame

F32 = npt.NDArray[np.float32]

#: Region around a face, in face widths: to the sides, above, below. It reaches to hands and shoulders.
REACH = (1.6, 0.45, 3.5)
#: px per mm that a matte is worked out at.
MATTE = 2.2
#: Level-of-detail bias: crisp.
BIAS = -0.5


class StillSkin:
    """Turns stills into terms for the pass.

    faces: those of the one still that it will be fed, where others ask for them too.
    """

    def __init__(self, parameters: SkinTexture, seed: int, faces: StillFaces | None = None) -> None:
        self._parameters = parameters
        self._seed = seed
        self._faces = faces
        self._networks = FaceNetworks()
        self._atlases = Atlases(parameters.age)

    def stream(self, frames: Iterable[Analysed]) -> Iterator[Analysed]:
        """Each still with its term, None where there is no skin to texture."""
        with self._networks.ahead() if self._faces is None else nullcontext():
            for one in frames:
                own = self.textured(one.frame)
                yield one.with_term(own.term, self._parameters.name, own.light)

    def textured(self, frame: Frame) -> Analysed:
        """A still with its term."""
        if min(frame.width, frame.height) < 32:
            return Analysed(frame)
        faces = with_room((self._faces or StillFaces(frame, self._networks)).faces)
        person = self._networks.person(rgb_of(frame, size=PERSON_SIZE)) if faces and frame.matte is None else None
        regions = ((face, Region.around(face, frame, REACH)) for face in faces)
        seen = [(face, region) for face, region in regions if region is not None]
        layers, lights = [], []
        for index, (face, region) in enumerate(seen):
            view = View.of(frame, face, region, MATTE)
            made = self._layer(view, face, faces, person, OwnSkin.of(self._seed, index))
            if made is not None:
                layer, light = made
                layers.append(layer)
                lights.append(light)
        return Analysed(frame, merged(layers, frame), light=lights[0]) if layers else Analysed(frame)

    def _layer(
        self, view: View, face: Face, faces: Sequence[Face], person: F32 | None, own: OwnSkin
    ) -> tuple[tuple[Region, Layer], Light] | None:
        """What one face gets, and what it is lit by; None where no skin is seen."""
        atlas = self._atlases.begin(own, view.face.px_per_mm)
        matte = _matte(view, face, faces, person)
        if matte is None or float(matte.max()) < LEAST_MATTE:
            return None
        view = view.around(matte)
        matte = view.part(matte)
        uv, normals = view.places()
        skin = Skin(view.luma, view.rgb, matte, normals, uv, view.frame.color.luma_weights())
        parameters = self._parameters
        material = sample(atlas.result(), own.places(uv), rimmed(matte), BIAS, parameters.detail_scale)
        statistics = first_look(skin, material, view.face, parameters)
        energy = local_energy(energy_of(skin.luma, skin.matte), view.face.px_per_mm)
        return view.laid(skin_layer(skin, material, energy, statistics, parameters)), statistics.light


def _matte(view: View, face: Face, faces: Sequence[Face], person: F32 | None) -> F32 | None:
    """Where skin is: as the user says, else as it is found; None where too little is seen to tell."""
    if view.frame.matte is not None:
        return view.given(view.frame.matte, face, faces)
    colour = view.colour()
    if colour is None:
        return None
    return view.matte(view.likely(colour, None if person is None else view.people(person)))
