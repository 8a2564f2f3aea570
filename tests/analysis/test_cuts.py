"""Cuts are found; pans, flashes of grain and slow light changes are not cuts."""

from __future__ import annotations

import numpy as np

from grainkit.analysis.cuts import CutDetector
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from tests.passes import neutral


def scene(seed: int, shift: int = 0, light: float = 1.0, noise: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    coarse = rng.random((12, 24))
    wide = np.kron(coarse, np.ones((15, 15)))[:, shift : shift + 240]
    luma = 16 + 200 * light * wide + np.random.default_rng(noise).normal(0, 3, wide.shape)
    planes = neutral(np.clip(luma, 16, 235).astype(np.uint8), Color())
    chroma = np.full(planes[1].shape, 100 + 10 * (seed % 5), np.uint8)
    return Frame((planes[0], chroma, planes[2]), Color())


def cuts(frames) -> list[int]:
    detector = CutDetector()
    return [i for i, frame in enumerate(frames) if detector.is_cut(frame)]


def test_every_cut_is_found_and_the_first_frame_is_none():
    assert cuts(scene(i // 4, noise=i) for i in range(16)) == [4, 8, 12]


def test_pans_noise_and_fading_light_are_not_cuts():
    assert cuts(scene(1, shift=4 * i, noise=i) for i in range(20)) == []
    assert cuts(scene(2, light=1 - 0.03 * i, noise=i) for i in range(20)) == []


def test_flat_and_tiny_pictures_are_no_error():
    color = Color(subsampling=(1, 1))
    flat = [Frame(neutral(np.full((2, 2), v, np.uint8), color), color) for v in (16, 16, 17)]
    assert cuts(flat) == []
