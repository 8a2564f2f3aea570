"""Coordinates travel with the face: known motion is followed, and drift is taken out."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from grainkit.analysis.anchor import Anchor, _evened, _matched, _oval
from grainkit.analysis.face import Face
from grainkit.analysis.faces import find_faces
from grainkit.analysis.flow import match, middles
from grainkit.analysis.networks import FaceNetworks
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import planes_from_rgb
from samples.draw import portrait
from samples.known_motion import KnownMotion
from samples.occluder import DARK, Occluder

SIZE = (400, 300)
FLOAT = replace(SRGB_STILL, depth=32)


@pytest.fixture(scope="module")
def moving() -> tuple[KnownMotion, Face]:
    picture = np.ascontiguousarray(portrait(*SIZE[::-1]))
    texture = cv2.GaussianBlur(np.random.default_rng(0).standard_normal(SIZE).astype(np.float32), (0, 0), 2.0)
    still = np.clip(picture + 0.05 * texture[..., None], 0, 1).astype(np.float32)
    (face,) = find_faces(FaceNetworks(), still)
    return KnownMotion(still, face.points[:, :2], face.width), face


def seen(motion: KnownMotion, face: Face, t: int, over: Occluder | None = None) -> tuple[Frame, Face]:
    """A frame, and the face as jittering landmarks would tell it."""
    x, y = motion.now(t, face.points[:, 0], face.points[:, 1])
    points = np.stack([x, y, face.points[:, 2]], -1)
    points[:, :2] += np.random.default_rng(t).normal(0, 0.5, (len(points), 2)).astype(np.float32)
    left, top = points[:, :2].min(0)
    right, bottom = points[:, :2].max(0)
    box = (float(left), float(top), float(right), float(bottom))
    return Frame(planes_from_rgb(motion.frame(t, over), FLOAT), FLOAT, t), replace(face, points=points, box=box)


def follow(moving: tuple[KnownMotion, Face], count: int) -> tuple[list[np.ndarray], Anchor]:
    """Coordinates of every frame (h, w, 2), and the last anchor."""
    motion, face = moving
    anchor = Anchor.start(seen(motion, face, 0)[0], face)
    assert anchor is not None
    fields = [anchor.uv().on(*SIZE)]
    for t in range(1, count):
        anchor = anchor.follow(*seen(motion, face, t))
        fields.append(anchor.uv().on(*SIZE))
    return fields, anchor


@pytest.fixture(scope="module")
def followed(moving) -> tuple[list[np.ndarray], Anchor]:
    return follow(moving, 40)


def on_skin(moving: tuple[KnownMotion, Face], fields: list[np.ndarray]) -> np.ndarray:
    """Coordinates along the paths of places of the face, (frames, places, 2), in px of the picture."""
    motion, face = moving
    inner = face.center + 0.75 * (face.points[:, :2] - face.center)
    paths = []
    for t, field in enumerate(fields):
        x, y = motion.now(t, inner[:, :1], inner[:, 1:])
        paths.append(np.stack([cv2.remap(field[..., k], x, y, cv2.INTER_LINEAR)[:, 0] for k in (0, 1)], -1))
    return np.array(paths) * face.px_per_mm


def test_coordinates_stay_on_the_skin(moving, followed):
    paths = on_skin(moving, followed[0])
    slip = np.linalg.norm(np.diff(paths, axis=0), axis=-1)
    assert np.median(slip) < 0.12
    assert np.percentile(slip, 95) < 0.6
    assert np.median(np.linalg.norm(paths - paths[0], axis=-1), axis=1).max() < 1.5


def test_hair_does_not_pull_stretched_skin_away():
    """Matched with the key over and over, from where skin truly is: whatever pulls steadily would add up to drift."""
    still = cv2.resize(astronaut()[:300, 80:380].astype(np.float32) / 255, None, fx=2, fy=2, interpolation=3)
    (face,) = find_faces(FaceNetworks(), still)
    smooth = cv2.bilateralFilter(still, 0, 0.05, face.px_per_mm)
    motion = KnownMotion(cv2.bilateralFilter(smooth, 0, 0.05, face.px_per_mm), face.points[:, :2], face.width)
    (first, _), (last, moved) = (seen(motion, face, t) for t in (0, 53))
    sights = [_matched(first, face, 1.0), _matched(last, moved, 1.0)]
    key, now = (_evened(sight[0], face.px_per_mm, np.zeros(sight[0].cells, bool)) for sight in sights)
    x, y = np.meshgrid(*middles(now))
    there = motion.now(0, *motion.there(53, x, y))
    true = np.stack([there[0] - x, there[1] - y], -1)
    weight, found = _oval(moved, 1.0, now), true
    for _ in range(20):
        found = match(now, key, found, weight, face.px_per_mm, 1).field
    away = np.linalg.norm(found - true, axis=-1)[weight == 1]
    assert np.median(away) < 0.12
    assert np.percentile(away, 95) < 0.6


def test_the_same_frames_give_the_same_coordinates(moving, followed):
    again, _ = follow(moving, 4)
    assert all(np.array_equal(a, b) for a, b in zip(again, followed[0], strict=False))


def test_a_new_key_frame_moves_nothing(followed):
    _, anchor = followed
    assert np.array_equal(anchor.uv().values, anchor._rekeyed().uv().values)


def test_a_face_that_comes_closer_gets_a_new_key_frame(moving):
    motion, face = moving
    first, _ = seen(motion, face, 0)
    anchor = Anchor.start(first, face)
    assert anchor is not None
    key, zoom = anchor.key, 1.0
    for t in range(1, 13):
        zoom *= 1.05
        centre = np.array([*face.center, 0], np.float32)
        matrix = cv2.getRotationMatrix2D((float(face.center[0]), float(face.center[1])), 0, zoom)
        planes = tuple(cv2.warpAffine(p, matrix, SIZE[::-1], flags=cv2.INTER_CUBIC, borderMode=1) for p in first.planes)
        points = centre + (face.points - centre) * np.float32(zoom)
        (left, top), (right, bottom) = points[:, :2].min(0), points[:, :2].max(0)
        box = (float(left), float(top), float(right), float(bottom))
        larger = replace(face, points=points, box=box, px_per_mm=face.px_per_mm * zoom)
        anchor = anchor.follow(replace(first.with_planes(planes), index=t), larger)
        # Every new key keeps the drift there is: not for a step forward and back.
        assert zoom > 1.4 or anchor.key is key
    assert anchor.key is not key


def test_a_face_at_the_border_or_gone_is_no_error(moving):
    motion, face = moving
    frame, _ = seen(motion, face, 0)
    anchor = Anchor.start(frame, face)
    assert anchor is not None
    for shift in (-250.0, 180.0):
        points = face.points + np.array([shift, 0, 0], np.float32)
        box = (face.box[0] + shift, face.box[1], face.box[2] + shift, face.box[3])
        moved = replace(face, points=points, box=box)
        assert np.isfinite(anchor.follow(frame, moved).uv().on(*SIZE)).all()
    outside = replace(face, box=(-900.0, -900.0, -700.0, -700.0))
    assert Anchor.start(frame, outside) is None


def passed_by(moving: tuple[KnownMotion, Face], over: Occluder | None, count: int) -> tuple[list[np.ndarray], ...]:
    """Coordinates and veils of every frame while something passes in front."""
    motion, face = moving
    anchor = Anchor.start(seen(motion, face, 0)[0], face)
    assert anchor is not None
    fields, veils = [anchor.uv().on(*SIZE)], [anchor.veil().on(*SIZE)[..., 0]]
    for t in range(1, count):
        anchor = anchor.follow(*seen(motion, face, t, over))
        fields.append(anchor.uv().on(*SIZE))
        veils.append(anchor.veil().on(*SIZE)[..., 0])
    return fields, veils


@pytest.mark.slow
def test_a_microphone_before_the_face_is_told_from_it(moving):
    motion, face = moving
    over = Occluder("microphone", DARK, (float(motion.points[1, 0]), float(motion.points[1, 1])), motion.width, 2, 20)
    fields, veils = passed_by(moving, over, 30)
    left, size = 0.0, 0.0
    for t, veil in enumerate(veils):
        hull = seen(motion, face, t)[1].hull()
        inside = cv2.fillConvexPoly(np.zeros(SIZE, np.uint8), hull.astype(np.int32), 1)
        on = (over.drawn(t, *SIZE)[1] > 0.9) & (inside > 0)
        left, size = left + float(np.square(1 - veil[on]).sum()), size + on.sum()
    assert size > 1000
    assert left / size < 0.15
    # What comes back has the coordinates that it had, where a match alone would have dragged them along.
    away = np.linalg.norm(on_skin(moving, fields)[-1] - on_skin(moving, fields)[0], axis=-1)
    assert np.median(away) < 3.0


def test_expression_and_light_are_no_cover(moving):
    _, veils = passed_by(moving, None, 24)
    assert np.mean([veil.mean() for veil in veils]) < 0.02
