"""Coordinates travel with the face: known motion is followed, and drift is taken out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from grainkit.analysis.anchor import Anchor
from grainkit.analysis.faces import FaceTracker
from grainkit.analysis.networks import FaceNetworks
from samples.draw import portrait

SIZE = (400, 300)
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def moved(picture: np.ndarray, move: np.ndarray) -> np.ndarray:
    """The picture under an affine motion (2, 3): where a point goes."""
    return cv2.warpAffine(picture, move, SIZE[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def motion(t: float) -> np.ndarray:
    """Shift, roll and zoom that grow with t, about the middle."""
    centre = (SIZE[1] / 2, SIZE[0] / 2)
    out = cv2.getRotationMatrix2D(centre, 0.5 * t, 1 + 0.004 * t)
    out[:, 2] += (1.1 * t, -0.6 * t)
    return out


@pytest.fixture(scope="module")
def base() -> np.ndarray:
    picture = np.ascontiguousarray(portrait(*SIZE[::-1]))
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.standard_normal(SIZE).astype(np.float32), (0, 0), 2.0)
    return np.clip(picture + 0.05 * texture[..., None], 0, 1).astype(np.float32)


def follow(base: np.ndarray, count: int) -> tuple[list[np.ndarray], list[np.ndarray], Anchor]:
    """Coordinates of every frame, the motions, and the last anchor."""
    tracker = FaceTracker(FaceNetworks())
    anchor, fields, moves = None, [], []
    for t in range(count):
        moves.append(motion(t))
        rgb = np.clip(moved(base, moves[-1]) + np.random.default_rng(t).normal(0, 0.004, base.shape), 0, 1)
        rgb = rgb.astype(np.float32)
        (face,) = tracker.track(rgb)
        luma = rgb @ LUMA
        anchor = Anchor.start(luma, face) if anchor is None else anchor.follow(luma, face)
        fields.append(anchor.uv(0, 0, *SIZE))
    assert anchor is not None
    return fields, moves, anchor


def test_coordinates_stay_on_the_skin(base):
    fields, moves, anchor = follow(base, 20)
    scale = anchor.face.px_per_mm
    points = np.array([[110.0, 170], [190, 170], [150, 140], [150, 215], [120, 200]])
    start = np.array([fields[0][int(y), int(x)] for x, y in points])
    for field, move in zip(fields[1:], moves[1:], strict=True):
        places = points @ move[:, :2].T + move[:, 2]
        now = np.stack(
            [cv2.remap(field[..., k], np.float32(places[:, :1]), np.float32(places[:, 1:]), 1)[:, 0] for k in (0, 1)], 1
        )
        slip = np.linalg.norm(now - start, axis=1) * scale
        assert np.median(slip) < 0.8


def test_the_same_frames_give_the_same_coordinates(base):
    first, _, _ = follow(base, 4)
    again, _, _ = follow(base, 4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_new_key_frame_hardly_moves_a_coordinate(base):
    _, _, anchor = follow(base, 6)
    before = anchor.uv(100, 80, 150, 150)
    after = anchor._rekeyed().uv(100, 80, 150, 150)
    jump = np.linalg.norm(before - after, axis=-1)
    # In px of the picture: re-reading a field on its own grid rounds off its finest ripples.
    assert np.median(jump) * anchor.face.px_per_mm < 0.1
    assert np.percentile(jump, 99) * anchor.face.px_per_mm < 0.4
