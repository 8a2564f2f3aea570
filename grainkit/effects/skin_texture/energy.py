"""How much texture there is: deviations of ln Y (linear light) per difference-of-Gaussians band.

Band k lies between blurs of SIGMAS[k] and SIGMAS[k + 1] px (ALGORITHMS.md 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.effects.skin_texture.blocks import BLOCK, Under, blur, blurred_means, expand, means
from grainkit.machine.jit import njit

F32 = npt.NDArray[np.float32]

SIGMAS = (0.0, 0.8, 1.6, 3.2, 6.4)
BANDS = 4
#: Added to luminance before its logarithm.
DARK = 0.004
#: Band ratio b0 / b1 of a lens-sharp picture; texture is never crisper than the lashes.
SHARP_RATIO = 0.62
#: Contrast beyond which a place counts as an edge, not as texture, ln Y.
LARGEST = 0.12
#: Texture that is there is looked at within this Gaussian sigma, mm.
WINDOW_MM = 5.0
#: Cells of the map of a face, mm; left, top, right and bottom of it.
CELL_MM, REACH_MM = 4.0, (-136.0, -124.0, 136.0, 216.0)
#: Skin px that the mean of the face counts for in a cell.
PRIOR = 40.0
#: Steps of the table that takes luma 0..1 to ln Y.
_STEPS = 1024
_LUMA = np.array([[0.2126, 0.7152, 0.0722]], np.float32)

_jit = njit(cache=True, nogil=True, error_model="numpy")


def linear(rgb: F32) -> F32:
    """Linear light of sRGB-encoded values 0..1 (IEC 61966-2-1)."""
    curved = cv2.pow((np.maximum(rgb, 0) + np.float32(0.055)) * np.float32(1 / 1.055), 2.4)
    return np.asarray(np.where(rgb <= 0.04045, rgb * np.float32(1 / 12.92), curved), np.float32)


def luminance(light: F32) -> F32:
    """Y of linear BT.709 light (h, w, 3); of encoded values, luma."""
    return np.asarray(cv2.transform(light, _LUMA), np.float32)


def bands_of(plane: F32, mask: F32 | Under | None = None, count: int = BANDS) -> list[F32]:
    """The first difference-of-Gaussians bands of a plane; under a mask only, where one is given."""
    if mask is None:
        steps = [blur(plane, s) for s in SIGMAS[: count + 1]]
    else:
        under = mask if isinstance(mask, Under) else Under(mask)
        steps = [under.blur(plane, s) for s in SIGMAS[: count + 1]]
    return [steps[k] - steps[k + 1] for k in range(count)]


def deviation(plane: F32, mask: F32) -> float:
    """Standard deviation under a mask."""
    weight = float(mask.sum()) + 1e-6
    mean = float((plane * mask).sum()) / weight
    return float(np.sqrt((np.square(plane - np.float32(mean)) * mask).sum() / weight))


def sharpness_of(luma: F32, features: F32) -> float:
    """b0 / b1 on eyes and brows (cover 0..1, (h, w)) over SHARP_RATIO, 0.15..1.15; 1 where none are seen."""
    if features.sum() <= 16:
        return 1.0
    fine = bands_of(brightness_of(luma), count=2)
    ratio = deviation(fine[0], features) / max(deviation(fine[1], features), 1e-4)
    return float(np.clip(ratio / SHARP_RATIO, 0.15, 1.15))


@cache
def _brightness_table() -> F32:
    steps = np.linspace(0, 1, _STEPS + 1, dtype=np.float32)[None]
    return np.asarray(np.log(linear(steps)[0] + DARK), np.float32)


def brightness_of(luma: F32) -> F32:
    """ln Y of grey of that luma (0..1); colour moves it by little, and its contrast by less."""
    out = np.empty(luma.shape, np.float32)
    _look_up(luma, _brightness_table(), out)
    return out


@_jit
def _look_up(luma: F32, table: F32, out: F32) -> None:
    last = np.float32(table.shape[0] - 1)
    for y in range(luma.shape[0]):
        for x in range(luma.shape[1]):
            place = min(max(luma[y, x], np.float32(0.0)), np.float32(1.0)) * last
            i = min(int(place), table.shape[0] - 2)
            out[y, x] = table[i] + (place - np.float32(i)) * (table[i + 1] - table[i])


@dataclass(frozen=True, eq=False)
class Energy:
    """How much texture there is per square: each band's squares summed over skin px, (h, w, BANDS); their number."""

    squares: F32
    count: F32


def energy_of(luma: F32, matte: F32) -> Energy:
    """The texture that a picture has by itself; sides are whole multiples of BLOCK."""
    brightness = brightness_of(luma)
    mask = means((matte > 0.5).astype(np.float32))
    # Beyond the skin its own mean goes on: hair and background do not leak into the bands.
    level = Under(mask).blur(means(brightness), 6.4 / BLOCK)
    _continue(brightness, matte, level)
    steps = [blur(brightness, SIGMAS[k]) for k in (1, 2)]
    small = means(brightness)
    wide = [blurred_means(small, SIGMAS[k]) for k in (3, 4)]
    squares, count = np.empty((*mask.shape, BANDS), np.float32), np.empty(mask.shape, np.float32)
    _square(brightness, steps[0], steps[1], wide[0], wide[1], matte, squares, count)
    return Energy(squares, count)


@_jit
def _continue(plane: F32, matte: F32, level: F32) -> None:
    line, beyond = np.empty(level.shape[1], np.float32), np.empty(plane.shape[1], np.float32)
    for y in range(plane.shape[0]):
        expand(level, y, line, beyond)
        for x in range(plane.shape[1]):
            plane[y, x] = plane[y, x] if matte[y, x] > np.float32(0.5) else beyond[x]


@_jit
def _square(fine: F32, first: F32, second: F32, third: F32, fourth: F32, matte: F32, squares: F32, count: F32) -> None:
    columns = fine.shape[1]
    line, c, d = np.empty(third.shape[1], np.float32), np.empty(columns, np.float32), np.empty(columns, np.float32)
    room = np.empty((BANDS + 1, columns), np.float32)
    most = np.float32(LARGEST)
    squares[:] = np.float32(0.0)
    count[:] = np.float32(0.0)
    for y in range(fine.shape[0]):
        expand(third, y, line, c)
        expand(fourth, y, line, d)
        a, b, e = first[y], second[y], fine[y]
        for x in range(columns):
            sure = np.float32(1.0) if matte[y, x] > np.float32(0.5) else np.float32(0.0)
            b0, b1 = min(abs(e[x] - a[x]), most), min(abs(a[x] - b[x]), most)
            b2, b3 = min(abs(b[x] - c[x]), most), min(abs(c[x] - d[x]), most)
            room[0, x], room[1, x], room[2, x], room[3, x] = (
                b0 * b0 * sure,
                b1 * b1 * sure,
                b2 * b2 * sure,
                b3 * b3 * sure,
            )
            room[4, x] = sure
        j = y // BLOCK
        for i in range(squares.shape[1]):
            for k in range(BLOCK):
                for n in range(BANDS):
                    squares[j, i, n] += room[n, i * BLOCK + k]
                count[j, i] += room[BANDS, i * BLOCK + k]


def local_energy(energy: Energy, px_per_mm: float) -> F32:
    """(h, w, BANDS) mean square of each band, within WINDOW_MM on the skin."""
    sigma = WINDOW_MM * px_per_mm / BLOCK
    spreadout = blur(energy.squares, sigma)
    return np.asarray(spreadout / (blur(energy.count, sigma)[..., None] + np.float32(1e-3)), np.float32)


class EnergyMap:
    """The texture that a face has been seen to have, over its atlas: it stays known while the face turns, and
    changes slowly, so that nothing pulses.

    keep: share that is kept at each `add`.
    """

    def __init__(self, keep: float) -> None:
        self._keep = np.float32(keep)
        left, top, right, bottom = REACH_MM
        shape = (int((bottom - top) / CELL_MM), int((right - left) / CELL_MM))
        self._squares, self._count = np.zeros((*shape, BANDS), np.float32), np.zeros(shape, np.float32)

    def add(self, energy: Energy, uv: F32) -> None:
        """What a frame shows. uv: (h, w, 2) mm of its squares."""
        self._squares *= self._keep
        self._count *= self._keep
        _gather(energy.squares, energy.count, uv, self._squares, self._count)

    def at(self, uv: F32) -> F32:
        """(h, w, BANDS) mean square of each band at these coordinates (h, w, 2), mm."""
        sigma = WINDOW_MM / CELL_MM
        squares, count = blur(self._squares, sigma), blur(self._count, sigma)
        usual = self._squares.sum((0, 1)) / max(float(self._count.sum()), 1.0)
        field = (squares + np.float32(PRIOR) * usual) / (count + np.float32(PRIOR))[..., None]
        place = (uv - np.array(REACH_MM[:2], np.float32)) * np.float32(1 / CELL_MM) - np.float32(0.5)
        found = cv2.remap(field, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)


@_jit
def _gather(squares: F32, count: F32, uv: F32, to_squares: F32, to_count: F32) -> None:
    left, top, per = np.float32(REACH_MM[0]), np.float32(REACH_MM[1]), np.float32(1 / CELL_MM)
    for y in range(count.shape[0]):
        for x in range(count.shape[1]):
            if count[y, x] <= np.float32(0.0):
                continue
            i, j = int((uv[y, x, 0] - left) * per), int((uv[y, x, 1] - top) * per)
            if i < 0 or j < 0 or i >= to_count.shape[1] or j >= to_count.shape[0]:
                continue
            to_count[j, i] += count[y, x]
            for n in range(BANDS):
                to_squares[j, i, n] += squares[y, x, n]
