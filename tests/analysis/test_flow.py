"""Motion between two pictures: known shifts, light that changes, places with nothing to hold on to."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from grainkit.analysis.flow import CELL, Picture, match

SIZE = (160, 200)


def textured(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    plane = rng.standard_normal((SIZE[0] + 80, SIZE[1] + 80)).astype(np.float32)
    return 0.3 * (cv2.GaussianBlur(plane, (0, 0), 3.0) * 10 + cv2.GaussianBlur(plane, (0, 0), 8.0) * 20)


def cut(plane: np.ndarray, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
    """What lies (dx, dy) px from the middle part; float throughout."""
    move = np.fft.fft2(plane)
    fy, fx = np.fft.fftfreq(plane.shape[0])[:, None], np.fft.fftfreq(plane.shape[1])[None]
    moved = np.fft.ifft2(move * np.exp(2j * np.pi * (fx * dx + fy * dy))).real.astype(np.float32)
    return np.ascontiguousarray(moved[40 : 40 + SIZE[0], 40 : 40 + SIZE[1]])


def found(now: np.ndarray, then: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    cells = (SIZE[0] // CELL, SIZE[1] // CELL)
    weight = np.ones(cells, np.float32) if weight is None else weight
    start = np.zeros((*cells, 2), np.float32)
    return match(Picture(now, 0, 0), Picture(then, 0, 0), start, weight, 1.2, 5).field


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (0.4, -0.7), (1.6, 1.1)])
def test_a_shift_is_found_to_a_hundredth(dx, dy):
    plane = textured()
    field = found(cut(plane, dx, dy), cut(plane))
    # now(x) = plane(x + d) = then(x + d)
    assert np.median(field[..., 0]) == pytest.approx(dx, abs=0.01)
    assert np.median(field[..., 1]) == pytest.approx(dy, abs=0.01)
    assert np.abs(field[4:-4, 4:-4] - (dx, dy)).max() < 0.1


def test_noise_moves_little():
    plane, rng = textured(), np.random.default_rng(1)
    noise = [0.05 * rng.standard_normal(SIZE).astype(np.float32) for _ in range(2)]
    field = found(cut(plane, 0.5, 0.2) + noise[0], cut(plane) + noise[1])
    assert np.median(np.linalg.norm(field - (0.5, 0.2), axis=-1)) < 0.05


def test_where_there_is_nothing_to_see_the_rest_is_followed():
    plane = textured()
    hole = np.ones_like(plane)
    hole[90:150, 100:180] = 0
    hole = cv2.GaussianBlur(hole, (0, 0), 4)
    field = found(cut(plane * hole, 0.6, 0.3), cut(plane * hole))
    assert np.abs(field[18:22, 20:30] - (0.6, 0.3)).max() < 0.1


def test_a_part_that_moves_otherwise_is_followed_there():
    plane = textured()
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    bump = 1.2 * np.exp(-((x - 100) ** 2 + (y - 80) ** 2) / (2 * 25.0**2))
    padded = plane.astype(np.float32)
    now = cv2.remap(padded, x + 40 + bump, y + 40, cv2.INTER_LANCZOS4)
    field = found(now, cut(plane))
    assert field[20, 25, 0] == pytest.approx(1.2, abs=0.15)
    assert abs(field[4, 4, 0]) < 0.1


def test_what_has_no_weight_has_no_say():
    plane, other = textured(), textured(1)
    now, then = cut(plane, 0.7, 0.0), cut(plane)
    now[:, 120:], then[:, 120:] = cut(other)[:, 120:], cut(other)[:, 120:]
    weight = np.ones((SIZE[0] // CELL, SIZE[1] // CELL), np.float32)
    weight[:, 120 // CELL :] = 0
    field = found(now, then, weight)
    assert np.abs(field[:, : 90 // CELL, 0] - 0.7).max() < 0.1
