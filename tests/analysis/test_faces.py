"""Faces are found where they are, kept from frame to frame, and nowhere else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from skimage.data import astronaut, coffee

from grainkit.analysis.face import EYE_CORNERS, mean_face
from grainkit.analysis.faces import FaceTracker, StillFaces, find_faces
from grainkit.analysis.networks import FaceNetworks
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from samples.draw import clip, limited_420
from tests.skin import found


@pytest.fixture(scope="module")
def networks():
    return FaceNetworks()


def test_a_photographed_face_is_found_in_its_place(networks):
    (face,) = find_faces(networks, astronaut())
    left, right = face.points[list(EYE_CORNERS), :2]
    assert np.linalg.norm((left + right) / 2 - (225, 103)) < 8
    assert face.score > 0.9
    assert 0.5 < face.px_per_mm < 0.8


@pytest.mark.parametrize(
    "picture", [coffee(), np.zeros((200, 300, 3), np.uint8), np.full((16, 16, 3), 200, np.uint8)], ids=str
)
def test_no_face_where_there_is_none(networks, picture):
    assert find_faces(networks, np.ascontiguousarray(picture)) == ()


def test_half_a_face_at_the_border_and_a_tiny_picture_are_no_error(networks):
    picture = astronaut()
    for part in (picture[:, 215:], picture[115:], picture[60:160, 170:270], picture[::8, ::8]):
        for face in find_faces(networks, np.ascontiguousarray(part)):
            assert np.isfinite(face.points).all()


def test_a_moving_face_keeps_its_number(networks):
    tracker = FaceTracker(networks)
    seen = [tracker.track(picture) for picture in clip(6, 180, 320)]
    assert [tuple(f.track for f in faces) for faces in seen] == [(0,)] * 6


def test_the_faces_of_a_still_are_looked_for_once_by_all_who_ask(monkeypatch):
    looks = []
    track = FaceTracker.track
    monkeypatch.setattr(FaceTracker, "track", lambda self, *picture: looks.append(self) or track(self, *picture))
    (picture,) = clip(1, 1440, 1080)
    still = StillFaces(Frame(limited_420(picture), Color()))
    with ThreadPoolExecutor(4) as pool:
        asked = [job.result() for job in [pool.submit(lambda: still.faces) for _ in range(4)]]
    assert len(looks) == 1
    assert all(faces is asked[0] for faces in asked)
    assert still.picture.shape == (960, 1280, 3)
    (face,), (seen,) = asked[0], find_faces(FaceNetworks(), still.picture)
    assert face.scaled(still.scale).points == pytest.approx(seen.points, abs=1e-2)


def test_normals_are_unit_and_the_nose_looks_at_the_camera():
    face = found().face
    normals = face.normals()
    assert np.linalg.norm(normals, axis=1) == pytest.approx(np.ones(468), abs=1e-4)
    assert normals[4, 2] > 0.8
    assert normals[234, 0] < 0 < normals[454, 0]


def test_scale_is_that_of_the_mean_face():
    face = found().face
    width = np.ptp(mean_face().vertices[:, 0])
    assert np.ptp(face.points[:, 0]) == pytest.approx(width * face.px_per_mm, rel=0.15)
    half = face.scaled(0.5, 10, 20)
    assert half.px_per_mm == pytest.approx(face.px_per_mm / 2)
    assert half.points[0, 0] == pytest.approx((face.points[0, 0] - 10 + 0.5) / 2 - 0.5, abs=1e-3)
