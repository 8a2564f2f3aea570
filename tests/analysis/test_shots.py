"""Shots begin after cuts, dissolves and black; what moves, pans or changes its light stays one shot."""

from __future__ import annotations

import numpy as np
import pytest

from grainkit.analysis.shots import RAMP, ShotDetector, Step
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from tests.passes import neutral


def scene(seed: int, shift: int = 0, light: float = 1.0) -> np.ndarray:
    """Luma codes of a picture that pans."""
    wide = np.kron(np.random.default_rng(seed).random((12, 34)), np.ones((15, 15)))[:, shift : shift + 240]
    return 16 + 200 * light * wide


def steps(pictures: list[np.ndarray]) -> list[Step]:
    detector = ShotDetector()
    noise = np.random.default_rng(0)
    codes = [np.clip(p + noise.normal(0, 3, p.shape), 16, 235).astype(np.uint8) for p in pictures]
    return [detector.see(Frame(neutral(c, Color()), Color(), i)) for i, c in enumerate(codes)]


def starts(found: list[Step]) -> list[int]:
    return [i for i, step in enumerate(found) if step.starts]


@pytest.mark.parametrize("length", [6, 12, 24])
@pytest.mark.parametrize("speed", [0, 1])
def test_after_a_dissolve_a_shot_starts_and_texture_comes_in_a_ramp(length, speed):
    mixed = [
        (1 - w) * scene(1, speed * (20 + i)) + w * scene(2, speed * i)
        for i, w in enumerate((np.arange(length) + 1) / (length + 1))
    ]
    before, after = [scene(1, speed * i) for i in range(20)], [scene(2, speed * (length + i)) for i in range(30)]
    found = steps([*before, *mixed, *after])
    first, second = starts(found)
    assert first == 0
    assert 20 + length // 2 < second <= 20 + length + 5
    shares = [step.share for step in found]
    assert shares[:20] == [1.0] * 20
    assert shares[second - 1] == 0
    assert shares[second : second + RAMP] == [(k + 1) / RAMP for k in range(RAMP)]
    assert set(shares[second + RAMP :]) == {1.0}


def test_black_ends_a_shot_and_the_next_starts_when_it_has_come_out_of_it():
    light = [*np.linspace(1, 0, 8), *np.linspace(0, 1, 12), *np.ones(12)]
    found = steps([*(scene(1) for _ in range(6)), *(scene(1 + (i > 7), light=v) for i, v in enumerate(light))])
    first, second = starts(found)
    assert first == 0
    assert 6 + 16 < second < 6 + 8 + 12 + 3
    assert found[second - 1].share == 0
    assert found[-1].share == 1


def test_pans_cuts_and_light_are_no_dissolve():
    pan = [scene(3, 4 * i) for i in range(60)]
    swing = [scene(4, light=0.8 + 0.2 * np.cos(i / 5)) for i in range(40)]
    found = steps([*pan, *swing])
    assert starts(found) == [0, 60]
    assert {step.share for step in found} == {1.0}


def test_a_plain_surface_without_a_trace_of_noise_is_one_shot():
    detector, grey = ShotDetector(), np.full((64, 96), 120, np.uint8)
    found = [detector.see(Frame(neutral(grey, Color()), Color(), i)) for i in range(30)]
    assert starts(found) == [0]
