"""How much grain a picture has and how large it is, measured where the picture itself is flat.

Squares of the picture are freed of what a quadratic surface explains. What is left is compared with what is left,
after the same treatment, of our own grain of every size: so neither the square's edge nor the surface biases
amount or size. On clips the difference of neighbouring frames is looked at where nothing moves: what differs there
is grain, whatever the picture shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from grainkit.picture.color import Color, chroma_codes, luma_codes
from grainkit.picture.frame import Frame
from grainkit.picture.noise import NoiseFilter
from grainkit.picture.resample import to_float

F64 = npt.NDArray[np.float64]
F32 = npt.NDArray[np.float32]

#: Side of the squares, luma px.
SQUARE = 32
#: Frames of a clip from one pair to the next: odd, so that grain held for two frames changes within some pairs.
PAIR_EVERY = 7
#: Pairs that are looked at, from the first frame on.
PAIRS = 12
#: Share of the squares of a luma bin that is surely flat, and how many times their energy others may have.
FLATTEST, TOLERANCE = 0.1, 3.0
#: Grain is alike all over a square and near normal: most that a quarter's energy may be of another's, and most
#: kurtosis. Neither depends on the amount, so what is left out by them does not bias it.
UNEVEN, PEAKED = 4.0, 4.5
#: A bin whose deviation is so many times that of the middle square, or whose size so many times (or that part of) the
#: usual one, holds texture, not grain: grain differs from tone to tone in amount, not in size.
OUTLYING, OFF_SIZE = 3.0, 1.5
#: Bins of luma, and the squares that one, and the picture, need to say something.
BINS, LEAST, LEAST_IN_ALL = 12, 8, 24
#: Squares nearer to black or white than this are clipped in part.
EDGE = 0.03
#: Lags that are compared, px each way.
LAGS = 4
#: Sizes (Gaussian sigma, px) that are tried, and steps between two of them.
SIZES, STEPS = np.geomspace(0.3, 5.0, 15), 16
#: Sigma, px of a plane, below which all grain looks alike on it.
FINEST = 0.33
#: Variance that rounding to a code adds, in codes: between that of plain rounding (1/12) and of dither (1/6).
ROUNDING = 0.125
#: Mean difference of autocorrelation from that of any grain beyond which what was measured is something else.
UNLIKE = 0.08


@dataclass(frozen=True)
class MeasuredGrain:
    """Grain as it was found.

    luma: (display luma, deviation) points in rising order, both as shares of the range. sigma: of luma grain, px.
    chroma: deviation of (Cb, Cr) relative to luma's, as shares of their ranges; (0, 0) for grey.
    chroma_sigma: of (Cb, Cr) grain, luma px. squares: how many were flat.
    unlike: rms difference of its autocorrelation from that of our grain.
    over_time: from differences between frames, or within each picture.
    """

    luma: tuple[tuple[float, float], ...]
    sigma: float
    chroma: tuple[float, float]
    chroma_sigma: tuple[float, float]
    squares: int
    unlike: float
    over_time: bool

    @property
    def strongest(self) -> float:
        """The largest deviation, codes of 255."""
        return 255 * max(deviation for _, deviation in self.luma)

    def deviation(self, luma: F64) -> F64:
        """Deviation at display luma as a share of the range; beyond what was measured, as at its ends."""
        points = np.array(self.luma)
        return np.asarray(np.interp(luma, points[:, 0], points[:, 1]))


def measure_grain(frames: Iterable[Frame]) -> MeasuredGrain | None:
    """The grain of a still (one frame), or of a clip by its first frames; None where nothing is flat enough.

    Only as many frames are taken as are looked at. The same frames give the same numbers.
    """
    singles: list[_Squares] = []
    pairs: list[_Squares] = []
    before: Frame | None = None
    for number, frame in enumerate(frames):
        place = number % PAIR_EVERY
        if place == 0:
            singles.append(_squares(to_float(frame), to_float(frame)[0], frame.color))
            before = frame
        elif place == 1 and before is not None:
            first, second = to_float(before), to_float(frame)
            half = np.float32(np.sqrt(0.5))
            change = tuple((b - a) * half for a, b in zip(first, second, strict=True))
            pairs.append(_squares(change, first[0], frame.color))
            if len(pairs) == PAIRS:
                break
    # Where most squares do not change at all, grain is held or a codec repeats them: only the picture can tell.
    moving = [p for p in pairs if np.sum(p.energy > p.rounding) > 0.5 * len(p.energy)]
    found = _fitted(moving, over_time=True) if moving else None
    return found or _fitted(singles, over_time=False)


@dataclass(frozen=True, eq=False)
class _Squares:
    """One picture's squares. level: (n,) mean luma. lags: per plane (n, LAGS + 1, LAGS + 1) lag products.

    even: (n,) whether luma's square is alike all over and has no peaks. subsampling: of each plane.
    white: variance of each plane that its storage adds.
    """

    level: F64
    even: npt.NDArray[np.bool_]
    lags: list[F64]
    subsampling: tuple[tuple[int, int], ...]
    white: tuple[float, ...]

    @property
    def energy(self) -> F64:
        """(n,) mean square of luma."""
        return self.lags[0][:, 0, 0]

    @property
    def rounding(self) -> float:
        return self.white[0]


def _squares(planes: tuple[F32, ...], luma: F32, color: Color) -> _Squares:
    subsampling = ((1, 1), color.subsampling, color.subsampling)[: len(planes)]
    rows, columns = (n // SQUARE for n in luma.shape)
    level = _cut(luma, rows, columns, SQUARE, SQUARE).mean(axis=(1, 2))
    lags: list[F64] = []
    even = np.ones(len(level), np.bool_)
    for plane, (across, down) in zip(planes, subsampling, strict=True):
        height, width = SQUARE // down, SQUARE // across
        flat = _cut(plane, rows, columns, height, width).reshape(-1, height * width)
        smooth = _surface(height, width)
        cut = (flat - (flat @ smooth) @ smooth.T).reshape(-1, height, width)
        if not lags:
            even = _even(cut)
        lags.append(_lag_products(cut))
    return _Squares(level, even, lags, subsampling, _white(color)[: len(planes)])


def _cut(plane: F32, rows: int, columns: int, height: int, width: int) -> F64:
    """(rows x columns, height, width): the plane's squares, row by row."""
    whole = plane[: rows * height, : columns * width].astype(np.float64)
    whole = whole.reshape(rows, height, columns, width).swapaxes(1, 2)
    return whole.reshape(-1, height, width)


def _even(squares: F64) -> npt.NDArray[np.bool_]:
    """(n,) whether each square could be grain alone."""
    square = squares**2
    half = SQUARE // 2
    quarters = square.reshape(-1, 2, half, 2, half).mean(axis=(2, 4)).reshape(-1, 4)
    energy = square.mean(axis=(1, 2))
    peaks = (square**2).mean(axis=(1, 2))
    uneven = quarters.max(axis=1) > UNEVEN * quarters.min(axis=1)
    return np.asarray(~uneven & (peaks <= PEAKED * energy**2))


@cache
def _surface(height: int, width: int) -> F64:
    """Orthonormal quadratic surfaces over a square, (px, 6)."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    return np.asarray(np.linalg.qr(terms)[0])


def _lag_products(squares: F64) -> F64:
    """(n, LAGS + 1, LAGS + 1): mean product of px and their neighbours so many rows and columns on."""
    _, height, width = squares.shape
    out = np.empty((len(squares), LAGS + 1, LAGS + 1))
    for down in range(LAGS + 1):
        for across in range(LAGS + 1):
            a, b = squares[:, : height - down, : width - across], squares[:, down:, across:]
            out[:, down, across] = np.einsum("nij,nij->n", a, b) / (a.shape[1] * a.shape[2])
    return out


@lru_cache(maxsize=8)
def _model(subsampling: tuple[int, int]) -> F64:
    """What squares of our grain of deviation 1 give for each of SIZES (luma px): (sizes, LAGS + 1, LAGS + 1)."""
    across, down = subsampling
    height, width = SQUARE // down, SQUARE // across
    smooth = _surface(height, width)
    y, x = (n.ravel() for n in np.mgrid[:height, :width])
    reach = max(height, width) - 1
    gap = (reach + y[:, None] - y[None], reach + x[:, None] - x[None])
    found = []
    for sigma in SIZES:
        spread = NoiseFilter.of_size(sigma / across, sigma / down).correlation(reach)[gap]
        left = spread - smooth @ (smooth.T @ spread)
        left -= (left @ smooth) @ smooth.T
        products = left.reshape(height, width, height, width)
        lags = np.empty((LAGS + 1, LAGS + 1))
        for r in range(LAGS + 1):
            for c in range(LAGS + 1):
                rows, columns = (n.ravel() for n in np.mgrid[: height - r, : width - c])
                lags[r, c] = products[rows, columns, rows + r, columns + c].mean()
        found.append(lags)
    return np.stack(found)


@lru_cache(maxsize=8)
def _sizes(subsampling: tuple[int, int]) -> tuple[F64, F64]:
    """(sizes, lag products of each), with steps between those worked out."""
    at = np.linspace(0, len(SIZES) - 1, (len(SIZES) - 1) * STEPS + 1)
    low = np.minimum(at.astype(int), len(SIZES) - 2)
    part = at - low
    model = _model(subsampling)
    between = model[low] + (model[low + 1] - model[low]) * part[:, None, None]
    return np.exp(np.interp(at, np.arange(len(SIZES)), np.log(SIZES))), between


def _best(lags: F64, subsampling: tuple[int, int]) -> tuple[float, float, float]:
    """(sigma in luma px, variance, rms difference) of our grain that comes nearest to these lag products."""
    sizes, model = _sizes(subsampling)
    shape = model / model[:, :1, :1]
    error = np.sqrt(np.mean((shape - lags / lags[0, 0]) ** 2, axis=(1, 2)))
    best = int(error.argmin())
    return float(sizes[best]), float(lags[0, 0] / model[best, 0, 0]), float(error[best])


def _fitted(pictures: list[_Squares], *, over_time: bool) -> MeasuredGrain | None:
    if not pictures:
        return None
    first = pictures[0]
    level = np.concatenate([p.level for p in pictures])
    lags = [np.concatenate([p.lags[k] for p in pictures]) for k in range(len(first.lags))]
    energy = lags[0][:, 0, 0]
    bins = _flat(level, energy, np.concatenate([p.even for p in pictures]))
    bins = _of_one_size(bins, lags[0], first.white[0])
    if sum(map(len, bins)) < LEAST_IN_ALL:
        return None
    chosen = np.concatenate(bins)
    pooled = [_without(plane[chosen].mean(axis=0), white) for plane, white in zip(lags, first.white, strict=True)]
    if pooled[0][0, 0] <= 0.5 * first.rounding:
        # No more than rounding: no grain, and nothing to tell a size from.
        luma = tuple((round(float(level[b].mean()), 4), 0.0) for b in bins)
        return MeasuredGrain(luma, float(SIZES[0]), (0.0, 0.0), (0.0, 0.0), len(chosen), 0.0, over_time)
    sigma, variance, unlike = _best(pooled[0], (1, 1))
    if unlike > UNLIKE:
        return None
    seen = variance / pooled[0][0, 0]
    luma = tuple(
        (float(level[b].mean()), float(np.sqrt(max(energy[b].mean() - first.rounding, 0.0) * seen))) for b in bins
    )
    chroma, sizes = [0.0, 0.0], [sigma, sigma]
    for k, (plane, white) in enumerate(zip(pooled[1:], first.white[1:], strict=True)):
        if plane[0, 0] > 0.5 * white:
            own, amount, _ = _best(plane, first.subsampling[1])
            chroma[k] = float(np.sqrt(amount / variance))
            # Below a px of its own plane a size cannot be told; then it is taken for luma's.
            sizes[k] = own if own > FINEST * max(first.subsampling[1]) else sigma
    return MeasuredGrain(
        luma, sigma, (chroma[0], chroma[1]), (sizes[0], sizes[1]), len(chosen), unlike, over_time
    )  # fmt: skip


def _flat(level: F64, energy: F64, even: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.int64]]:
    """Flat squares of each luma bin that has enough of them, in rising order of luma."""
    found = []
    for low, high in pairwise(np.linspace(EDGE, 1 - EDGE, BINS + 1)):
        inside = np.flatnonzero((level >= low) & (level < high) & (energy > 0) & even)
        if len(inside) < LEAST:
            continue
        flat = inside[energy[inside] <= TOLERANCE * np.quantile(energy[inside], FLATTEST)]
        if len(flat) >= LEAST:
            found.append(flat)
    if not found:
        return []
    most = OUTLYING**2 * np.median(np.concatenate([np.full(len(flat), energy[flat].mean()) for flat in found]))
    return [flat for flat in found if energy[flat].mean() <= most]


def _of_one_size(bins: list[npt.NDArray[np.int64]], lags: F64, white: float) -> list[npt.NDArray[np.int64]]:
    """Bins that look like grain, and like grain of the size that most squares have; all where there is none at all."""
    pooled = [_without(lags[flat].mean(axis=0), white) for flat in bins]
    if all(lag[0, 0] <= 0.5 * white for lag in pooled):
        return bins
    fits = [_best(lag, (1, 1)) if lag[0, 0] > 0.5 * white else None for lag in pooled]
    sizes = [
        np.full(len(flat), fit[0]) for flat, fit in zip(bins, fits, strict=True) if fit is not None and fit[2] <= UNLIKE
    ]
    if not sizes:
        return []
    usual = float(np.median(np.concatenate(sizes)))
    return [
        flat
        for flat, fit in zip(bins, fits, strict=True)
        if fit is None or (fit[2] <= UNLIKE and 1 / OFF_SIZE <= fit[0] / usual <= OFF_SIZE)
    ]


def _without(lags: F64, white: float) -> F64:
    """Lag products less those of rounding."""
    out = lags.copy()
    out[0, 0] = max(out[0, 0] - white, 0.0)
    return out


def _white(color: Color) -> tuple[float, float, float]:
    """Variance of normalised (Y, Cb, Cr) that storing in integers adds."""
    if color.is_float and not color.is_rgb:
        return 0.0, 0.0, 0.0
    if not color.is_rgb:
        black, white = luma_codes(color.depth, color.range)
        unit = chroma_codes(color.depth, color.range)[1]
        return ROUNDING / (white - black) ** 2, ROUNDING / unit**2, ROUNDING / unit**2
    if color.is_float:
        return 0.0, 0.0, 0.0
    step = ROUNDING / ((1 << color.depth) - 1) ** 2
    kr, kg, kb = color.luma_weights()
    cb = (kr**2 + kg**2 + (1 - kb) ** 2) / (2 * (1 - kb)) ** 2
    cr = ((1 - kr) ** 2 + kg**2 + kb**2) / (2 * (1 - kr)) ** 2
    return step * (kr**2 + kg**2 + kb**2), step * cb, step * cr


def codes_by_luma(luma: Iterable[float], deviation: Iterable[float]) -> list[list[float]]:
    """[luma, deviation in codes of 255] pairs, rounded for people."""
    return [[round(float(x), 3), round(float(255 * d), 3)] for x, d in zip(luma, deviation, strict=True)]
