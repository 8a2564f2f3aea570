"""What the integer noise promises: known answers, and the size and scale its filters state."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from grainkit.picture.noise import (
    CLUMP_ENERGY,
    COARSE_ONE,
    COARSE_SHIFT,
    FIELD_STD,
    MIX_SHIFT,
    ROW_SHIFT,
    WHITE_STD,
    NoiseFilter,
    autocorrelation,
    gaussian_taps,
    noise_words,
    pcg4d,
    stream_key,
    white,
)

U32 = np.uint32


def by_the_paper(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    """pcg4d in Python's own integers, as Jarzynski & Olano print it."""
    top = 2**32 - 1
    v = [(x * 1664525 + 1013904223) & top for x in (a, b, c, d)]

    def mix() -> None:
        v[0] = (v[0] + v[1] * v[3]) & top
        v[1] = (v[1] + v[2] * v[0]) & top
        v[2] = (v[2] + v[0] * v[1]) & top
        v[3] = (v[3] + v[1] * v[2]) & top

    mix()
    v[:] = [x ^ (x >> 16) for x in v]
    mix()
    return v[0], v[1], v[2], v[3]


@pytest.mark.parametrize(
    "counter", [(0, 0, 0, 0), (1, 2, 3, 4), (2**32 - 1, 2**31, 0x9E3779B9, 77), (65535, 65536, 1, 0)]
)
def test_the_hash_is_pcg4d_to_the_last_bit(counter):
    found = tuple(int(w) for w in pcg4d(*(U32(c) for c in counter)))
    assert found == by_the_paper(*counter)


@pytest.mark.parametrize("byte", [0, 0xFF, 0x01, 0xF7, 0x3C])
def test_white_noise_is_the_centred_sum_of_two_nibbles(byte):
    assert int(white(np.uint8(byte))) == sum(int(digit, 16) for digit in f"{byte:02x}") - 15


def test_no_bit_of_the_samples_is_like_that_of_a_neighbour():
    x, y = np.meshgrid(np.arange(480, dtype=U32), np.arange(270, dtype=U32))
    words = np.stack(_words(x, y, U32(3), stream_key(7, 0, 0)), axis=1)  # (blocks, rows of one, groups)
    samples = words.reshape(-1, 480).view(np.uint8)
    for bit in range(8):
        signs = np.where(samples >> bit & 1, 1.0, -1.0)
        for a, b in ((signs[:, k:], signs[:, :-k]) for k in (1, 4)):
            assert abs(np.mean(a * b)) < 4 / np.sqrt(a.size), bit
        for a, b in ((signs[k:], signs[:-k]) for k in (1, 4)):
            assert abs(np.mean(a * b)) < 4 / np.sqrt(a.size), bit


@njit
def _words(x, y, frame, key):
    out = np.empty((4, *x.shape), np.uint32)
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[0, i, k], out[1, i, k], out[2, i, k], out[3, i, k] = noise_words(x[i, k], y[i, k], frame, key)
    return out[0], out[1], out[2], out[3]


def test_streams_of_planes_octaves_and_seeds_differ():
    keys = {int(stream_key(seed, plane, octave)) for seed in range(8) for plane in range(3) for octave in range(2)}
    assert len(keys) == 8 * 3 * 2


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 1.7, 4.0, 8.0])
def test_taps_have_unit_energy_and_the_width_asked(sigma):
    half = gaussian_taps(sigma)
    energy = autocorrelation(half)[0]
    assert energy == pytest.approx(1.0, rel=0.03)
    x = np.arange(len(half))
    spread = np.sqrt(2 * np.sum(half * x**2) / (half[0] + 2 * np.sum(half[1:])))
    assert spread == pytest.approx(sigma, rel=0.06) or sigma < 0.5


@pytest.mark.parametrize("sigma", [0.3, 0.57, 1.0, 2.5, 6.0])
def test_the_field_is_scaled_near_its_nominal_deviation(sigma):
    assert NoiseFilter.of_size(sigma, sigma).std == pytest.approx(FIELD_STD, rel=0.01)


def test_the_deviation_of_white_noise_is_exact():
    assert pytest.approx(2**0.5 * np.arange(16).std()) == WHITE_STD


def by_definition(half: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Autocorrelation of filtered white noise, and of that enlarged with weights 3 and 1, at lags -reach..reach."""
    known = autocorrelation(half)

    def plain(lag: int) -> float:
        return float(known[abs(lag)]) if abs(lag) < known.size else 0.0

    def made_of(place: int) -> dict[int, int]:
        return {place // 2: 3, place // 2 + (1 if place % 2 else -1): 1}

    def enlarged(a: int, b: int) -> float:
        return sum(v * w * plain(i - j) for i, v in made_of(a).items() for j, w in made_of(b).items())

    lags = range(-reach, reach + 1)
    return (
        np.array([plain(lag) for lag in lags]),
        np.array([(enlarged(0, lag) + enlarged(1, 1 + lag)) / 2 for lag in lags]),
    )


@pytest.mark.parametrize("reach", [0, 1, 2, 7, 20])
def test_the_correlation_of_the_field_is_that_of_its_octaves(reach):
    shape = NoiseFilter.of_size(1.7, 0.8)
    fine_y, coarse_y = (by_definition(taps, reach)[k] for k, taps in enumerate((shape.fine_y, shape.coarse_y)))
    fine_x, coarse_x = (by_definition(taps, reach)[k] for k, taps in enumerate((shape.fine_x, shape.coarse_x)))
    whole = shape.fine_weight**2 * np.outer(fine_y, fine_x)
    whole += (shape.coarse_weight / 16) ** 2 * np.outer(coarse_y, coarse_x)
    np.testing.assert_allclose(shape.correlation(reach), whole / whole[reach, reach], atol=1e-12)


def test_clumps_are_wider_than_the_grain_by_their_ratio():
    shape = NoiseFilter.of_size(2.0, 1.0)
    np.testing.assert_array_equal(shape.coarse_x, gaussian_taps(2.0 * 2.2 / 2, COARSE_ONE))
    np.testing.assert_array_equal(shape.coarse_y, gaussian_taps(1.0 * 2.2 / 2, COARSE_ONE))


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.3])
def test_clumps_have_their_share_of_the_energy(sigma):
    shape = NoiseFilter.of_size(sigma, 1.5 * sigma)
    energy = 1.0
    for half in (shape.coarse_x, shape.coarse_y):
        full = np.pad(np.concatenate([half[:0:-1], half]).astype(float), 1)
        # Enlarged twofold, each place is 3 of the nearer sample and 1 of the farther.
        energy *= float(np.sum((3 * full + np.roll(full, 1)) ** 2))
    deviation = WHITE_STD * np.sqrt(energy) / (1 << ROW_SHIFT) / (1 << COARSE_SHIFT)
    share = (shape.coarse_weight * deviation / (FIELD_STD << MIX_SHIFT)) ** 2
    assert share == pytest.approx(CLUMP_ENERGY, rel=2e-3)


@pytest.mark.parametrize(("sigma", "radius"), [(0.3, 1), (0.73, 1), (0.75, 2), (1.1, 2), (1.12, 3)])
def test_filters_end_where_their_reach_does(sigma, radius):
    assert len(gaussian_taps(sigma)) == radius + 1
