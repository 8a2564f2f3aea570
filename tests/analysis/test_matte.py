"""The matte covers skin and keeps off everything else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from grainkit.analysis.face import BROWS, CHEEKS, EYES, FOREHEAD, LIPS
from grainkit.analysis.faces import find_faces
from grainkit.analysis.matte import excluded, filled, skin_colour, skin_matte
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


@pytest.fixture(scope="module")
def woman():
    """A photographed face, and the networks that found it."""
    picture = (astronaut() / 255).astype(np.float32)
    (face,) = find_faces(FaceNetworks(), picture)
    return picture, face


def matte_of(picture, face, **options):
    colour = skin_colour(picture, face, **options)
    assert colour is not None
    return skin_matte(picture, face, colour, **options)


def inside(face, group, shape):
    return filled(shape, cv2.convexHull(face.points[list(group), :2]).reshape(-1, 2)) > 0.9


def test_golden_hair_is_not_skin(woman):
    picture, face = woman
    matte = matte_of(picture, face)
    assert matte[20:60, 190:270].max() < 0.05
    assert matte[80:150, 150:172].mean() < 0.1


@pytest.mark.parametrize("cast", [(1.0, 0.55, 0.9), (0.6, 0.8, 1.0), (0.35, 0.3, 0.3)])
def test_the_colour_of_the_light_does_not_matter(woman, cast):
    picture, face = woman
    matte = matte_of(picture * np.array(cast, np.float32), face)
    for cheek in CHEEKS:
        assert matte[inside(face, cheek, matte.shape)].mean() > 0.8


def test_a_cheek_in_shade_is_still_skin(woman):
    picture, face = woman
    x = np.linspace(-1, 1, picture.shape[1], dtype=np.float32)[None, :, None]
    middle = 2 * face.center[0] / picture.shape[1] - 1
    shade = 0.4 + 0.6 / (1 + np.exp((x - middle) * 30))
    matte = matte_of((picture * shade).astype(np.float32), face)
    for cheek in CHEEKS:
        assert matte[inside(face, cheek, matte.shape)].mean() > 0.8


def test_a_beard_is_left_out(woman):
    picture, face = woman
    size = 3
    large = np.clip(cv2.resize(picture, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC), 0, 1)
    large = np.ascontiguousarray(large[:700, 400:950])
    own = face.scaled(size, 400 / size, 0)
    strands = np.random.default_rng(3).normal(0, 1, large.shape[:2]).astype(np.float32)
    strands = cv2.GaussianBlur(strands, (0, 0), sigmaX=0.9, sigmaY=3)
    strands = np.clip(0.25 + 0.15 * strands / strands.std(), 0.02, 0.9)
    chin = (172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 287, 18, 57)
    zone = filled(large.shape[:2], own.points[list(chin), :2])[..., None]
    grey = strands[..., None] * large.mean(-1, keepdims=True)
    bearded = (large * (1 - zone) + zone * grey).astype(np.float32)
    jaw = cv2.erode(inside(own, chin, large.shape[:2]).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    jaw &= excluded(large.shape[:2], own) < 0.05
    assert matte_of(large, own)[jaw].mean() > 0.7
    assert matte_of(bearded, own)[jaw].mean() < 0.2


def test_a_large_picture_gives_the_matte_of_a_small_one(woman):
    picture, face = woman
    large = np.clip(cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), 0, 1)
    matte = matte_of(large, face.scaled(4), work_scale=0.8)
    assert matte.shape == large.shape[:2]
    small = cv2.resize(matte, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small - matte_of(picture, face)).sum() < 0.2 * small.sum()


@pytest.mark.parametrize("width", [205, 225, 245])
def test_half_a_face_at_the_border(woman, width):
    picture, face = woman
    whole, part = matte_of(picture, face), matte_of(np.ascontiguousarray(picture[:, :width]), face)
    assert np.abs(part[:, : width - 8] - whole[:, : width - 8]).sum() < 0.25 * part.sum()


@pytest.mark.parametrize("height", [16, 3])
def test_too_little_of_a_face_gives_no_colour(woman, height):
    picture, face = woman
    assert skin_colour(np.ascontiguousarray(picture[:height, :height]), face) is None


def test_a_black_picture_has_no_skin(woman):
    picture, face = woman
    assert matte_of(np.zeros_like(picture), face).max() == 0
