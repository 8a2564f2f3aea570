"""CAMBI, the contrast-aware multiscale banding index: how visible the steps in smooth areas are.

Tandon et al., "CAMBI: Contrast-aware Multiscale Banding Index", PCS 2021, in the form that libvmaf 3 gives
it (tests compare the two). 0 is no banding, about 5 slightly annoying, 24 unwatchable. A pixel counts
where it lies in a flat neighbourhood; its contrast is how many pixels around it share its level and how
many lie one step (1 to 4 codes of 10 bit) away.

Ours can pool over a part of the picture, so that backdrop and skin are judged apart.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from grainkit.machine.jit import njit
from grainkit.scale.cores import cores

U16 = npt.NDArray[np.uint16]
F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: Weight of each scale, fine to coarse, and of a step of 1 to 4 codes.
SCALE_WEIGHTS = (16, 8, 4, 2, 1)
STEP_WEIGHTS = (1, 2, 3, 4)
#: Share of the pixels, those with the strongest bands, that the index is the mean of.
TOP = 0.6
#: Side of the square in which a neighbourhood is judged flat, px.
FLAT = 7
#: A step is seen from this change of luminance on (Weber fraction), on a BT.1886 display of these nits.
VISIBLE, WHITE_NITS, BLACK_NITS, GAMMA = 0.019, 300.0, 0.01, 2.4
_BLACK, _WHITE, _CODES = 64, 940, 1024


def cambi(luma: F32, region: Mask | None = None) -> float:
    """The index of an 8-bit picture.

    luma: (h, w) Y', 0 black, 1 white, at least 64 px each way; read as 10-bit limited codes.
    region: pixels to judge; the whole picture where None. 0.0 where it is empty.
    """
    if region is not None and not region.any():
        return 0.0
    codes = np.clip(np.rint(luma * (_WHITE - _BLACK) + _BLACK), 0, _CODES - 1).astype(np.int32)
    image = _anti_dithered(codes)
    height, width = image.shape
    window = ((65 * (width + height) // 375) >> 4) | 1
    flat = _flat(image)
    score = 0.0
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            image, flat = np.ascontiguousarray(image[::2, ::2]), np.ascontiguousarray(flat[::2, ::2])
            region = None if region is None else region[::2, ::2]
        image = _modes(_modes(image).T).T
        contrast = _contrasts(np.ascontiguousarray(image), flat, window)
        score += weight * _pooled(contrast if region is None else contrast[region])
    return float(score / window**2)


def _anti_dithered(codes: npt.NDArray[np.int32]) -> U16:
    """Mean of each pixel and those to the right and below, rounded down: 8-bit dither must not hide a band."""
    right = np.concatenate([codes[:, 1:], codes[:, -1:]], 1)
    pair = codes + right
    pair[:, -1] = codes[:, -1]
    out = np.empty(codes.shape, np.uint16)
    out[:-1, :-1] = (pair[:-1, :-1] + pair[1:, :-1]) >> 2
    out[:-1, -1] = (codes[:-1, -1] + codes[1:, -1]) >> 1
    out[-1, :-1] = pair[-1, :-1] >> 1
    out[-1, -1] = codes[-1, -1]
    return out


def _flat(image: U16) -> Mask:
    """Where enough of the FLAT x FLAT pixels around equal their right and lower neighbours."""
    same = np.ones(image.shape, np.int32)
    same[:-1] &= image[:-1] == image[1:]
    same[:, :-1] &= image[:, :-1] == image[:, 1:]
    around = np.pad(same, FLAT // 2 + 1)[:-1, :-1].cumsum(0).cumsum(1)
    count = around[FLAT:, FLAT:] - around[:-FLAT, FLAT:] - around[FLAT:, :-FLAT] + around[:-FLAT, :-FLAT]
    height, width = image.shape
    # Larger pictures, seen from as far, are judged more strictly.
    size = max((height >> 6) * (width >> 6), 1)
    least = (FLAT * FLAT + 3 * ((size - 1).bit_length() - 11) - 1) >> 1
    flat: Mask = count > least
    return flat


def _modes(image: U16) -> U16:
    """The most frequent of three in a row (the least where all differ); the two ends stay."""
    before, here, after = image[:, :-2], image[:, 1:-1], image[:, 2:]
    least = np.minimum(np.minimum(before, here), after)
    out = image.copy()
    out[:, 1:-1] = np.where((before == here) | (before == after), before, np.where(here == after, here, least))
    return out


@lru_cache(maxsize=1)
def _visible_up_to() -> npt.NDArray[np.int32]:
    """For steps of 1 to 4 codes, the brightest 10-bit code at which the step is seen."""
    root = 1 / GAMMA
    span = WHITE_NITS**root - BLACK_NITS**root
    volts = (np.arange(_CODES, dtype=np.float64) - _BLACK) / (_WHITE - _BLACK)
    nits = (span * (np.clip(volts, 0, 1) + BLACK_NITS**root / span)) ** GAMMA
    found = []
    for step in range(1, len(STEP_WEIGHTS) + 1):
        codes = np.arange(_BLACK, _WHITE - step)
        seen = nits[codes + step] - nits[codes] > VISIBLE * nits[codes]
        found.append(codes[seen].max(initial=0))
    return np.array(found, np.int32)


def _contrasts(image: U16, flat: Mask, window: int) -> F32:
    """`_contrast` of the whole picture, by parts on all cores: no pixel sees farther than half the window."""
    height, half = len(image), window // 2
    tall = max(-(-height // cores()), 4 * window)

    def part(top: int) -> F32:
        above, end = max(top - half, 0), min(top + tall, height)
        rows = slice(above, min(end + half, height))
        return _contrast(image[rows], flat[rows], window, _visible_up_to())[top - above : end - above]

    with ThreadPoolExecutor(thread_name_prefix="grainkit-cambi") as pool:
        return np.concatenate(list(pool.map(part, range(0, height, tall))))


@njit(cache=True, nogil=True)
def _contrast(image: U16, flat: Mask, window: int, visible: npt.NDArray[np.int32]) -> F32:
    """The contrast of each flat pixel with a level one step away, from counts in the window around it."""
    height, width = image.shape
    half, steps = window // 2, visible.shape[0]
    # counts[level, x]: flat pixels of that level in the window around (row, x). Steps may reach below code 0.
    counts = np.zeros((1024 + 2 * steps, width), np.uint16)
    out = np.zeros((height, width), np.float32)
    for entering in range(height + half):
        if entering < height:
            for x in range(width):
                if flat[entering, x]:
                    level = counts[image[entering, x] + steps]
                    for at in range(max(x - half, 0), min(x + half + 1, width)):
                        level[at] += np.uint16(1)
        leaving = entering - window
        if leaving >= 0:
            for x in range(width):
                if flat[leaving, x]:
                    level = counts[image[leaving, x] + steps]
                    for at in range(max(x - half, 0), min(x + half + 1, width)):
                        level[at] -= np.uint16(1)
        row = entering - half
        if row < 0:
            continue
        for x in range(width):
            if not flat[row, x]:
                continue
            value = np.int32(image[row, x])
            own = np.float32(counts[value + steps, x])
            best = np.float32(0.0)
            for step in range(1, steps + 1):
                if value <= visible[step - 1]:
                    other = np.float32(max(counts[value + steps + step, x], counts[value + steps - step, x]))
                    best = max(best, np.float32(step) * own * other / (own + other))
            out[row, x] = best
    return out


def _pooled(contrast: F32) -> float:
    """Mean of the largest TOP of the values; 0 where there are none, as where a coarse scale has none of a region."""
    values = contrast.ravel()
    if not values.size:
        return 0.0
    count = min(max(int(TOP * values.size), 1), values.size)
    return float(np.partition(values, values.size - count)[values.size - count :].mean(dtype=np.float64))
