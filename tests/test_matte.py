"""The matte covers skin and keeps off everything else."""

from __future__ import annotations

import numpy as np
from skimage.data import astronaut

from grainkit.analysis.face import BROWS, CHEEKS, EYES, FOREHEAD, LIPS
from grainkit.analysis.faces import find_faces
from grainkit.analysis.matte import skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from tests.skin import found


def test_cheeks_and_forehead_are_skin():
    f = found()
    assert f.matte[f.cover(*CHEEKS)].mean() > 0.75
    assert f.matte[f.cover(FOREHEAD)].mean() > 0.6


def test_eyes_lips_and_brows_are_not():
    f = found()
    assert f.matte[f.cover(*EYES, LIPS)].max() < 0.05
    assert f.matte[f.cover(*BROWS)].mean() < 0.05


def test_backdrop_hair_and_cloth_are_not():
    f = found()
    height, width = f.matte.shape
    assert f.matte[: height // 12].max() < 0.01
    assert f.matte[:, : width // 12].max() < 0.01
    assert f.matte[int(height * 0.9) :].mean() < 0.02
    hair = f.matte[int(height * 0.15) : int(height * 0.18), int(width * 0.4) : int(width * 0.6)]
    assert hair.mean() < 0.1


def test_an_orange_suit_is_not_skin():
    picture = (astronaut() / 255).astype(np.float32)
    networks = FaceNetworks()
    (face,) = find_faces(networks, picture)
    colour = skin_colour(picture, face)
    assert colour is not None
    matte = skin_matte(picture, face, colour)
    assert matte[260:420, 60:200].max() < 0.2
    assert matte[f_cheek(face)] > 0.5


def f_cheek(face):
    x, y = face.points[50, :2]
    return int(y), int(x)


def test_a_person_matte_takes_walls_out():
    f = found()
    nobody = skin_matte(f.rgb, f.face, f.colour, np.zeros_like(f.person))
    assert nobody.max() == 0
