"""The analysis stage for locked grain: frames in, the grain that the pass is to add to each out.

Grain is looked up in a tile at coordinates that travel with the picture, so it keeps its place on what moves and an
encoder pays for it once. Its memory belongs to a shot: at a cut it starts afresh, with another part of the tile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.advection import Advection
from grainkit.analysis.cuts import CutDetector
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import rgb_of
from grainkit.backends.pass_term import LUMA_ONE, PassTerm
from grainkit.effects.base import Analysed
from grainkit.effects.grain.locked_tile import SIDE, SIGMA, STD, grain_tile
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.machine.jit import njit
from grainkit.picture.color import Color, luma_codes
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.noise import SIGMA_MIN, pcg4d, stream_key

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
U32 = npt.NDArray[np.uint32]

#: (height, width) of what people are found in; the network's own.
PERSON_SIZE = (256, 256)
#: Frames from one look at where people are to the next; share of the difference that is made up per frame.
PERSON_EVERY, PERSON_SHARE = 16, 0.2
#: Grain on what is no person, of that on people: locked to a still backdrop, more would look like dirt on the lens.
BACKDROP = 0.35
#: Where there are no people a moving picture gets all of it: from this share of its long side per frame on, told
#: over this many frames.
MOVES, MOVES_FRAMES = 1 / 1920, 12.0
#: Bits below one of the gains by code, of places below a texel (the tile once round is 32 bits), and below those
#: that are read between.
_GAIN_BITS = 8
_PLACE_BITS = 32 - (SIDE.bit_length() - 1)
_DOWN, _FRACTION = np.uint32(_PLACE_BITS), np.int32(_PLACE_BITS - 6)
_SIDE, _63 = np.uint32(SIDE), np.int32(63)
_6, _8, _16, _24, _64 = np.int32(6), np.int32(8), np.int32(16), np.int32(24), np.int32(64)
_DROP = np.int32(_GAIN_BITS + 6)
#: One, in shares.
_SHARE = float(1 << 24)
#: Steps of luma that float frames are looked up in.
_STEPS = 1024

_jit = njit(cache=True, nogil=True, error_model="numpy")


class LockedStage:
    """Turns frames into terms for the pass. Feed it every frame of a shot in order.

    sigma: Gaussian sigma of the grain, px of the frames.
    """

    def __init__(self, grain: CinemaGrain, seed: int, sigma: float) -> None:
        self._grain, self._seed, self._sigma = grain, seed, max(sigma, SIGMA_MIN)
        self._cuts = CutDetector()
        self._networks = FaceNetworks()
        self._tables: dict[Color, I32] = {}
        self._way: Advection | None = None
        self._frames = 0
        self._seen = self._people = np.zeros((2, 2), np.float32)
        self._moving = 0.0

    def stream(self, frames: Iterable[Analysed]) -> Iterator[Analysed]:
        """Each frame with its term, on top of the one that it comes with."""
        for one in frames:
            yield one.with_term(self.term(one.frame), self._grain.name)

    def term(self, frame: Frame) -> PassTerm:
        """The term of the next frame: the whole of it."""
        if self._cuts.is_cut(frame) or self._way is None:
            self._start_shot(frame)
        else:
            self._way = self._way.follow(frame)
        assert self._way is not None
        amount = self._amount(frame, self._way)
        luma = np.empty((frame.height, frame.width), np.int16)
        texels = SIGMA / self._sigma * (1 << _PLACE_BITS)
        places = np.rint(self._way.coordinates * texels).astype(np.int64) + self._corner
        first, step = np.array(self._way.first), np.array(self._way.step)
        codes, table = self._codes(frame)
        _lay(codes, table, grain_tile(self._seed), places, self._way.whole, amount, first, step, texels, luma)
        across, down = frame.color.subsampling
        cb, cr = (np.zeros((-(-frame.height // down), -(-frame.width // across)), np.int16) for _ in range(2))
        self._frames += 1
        return PassTerm(0, 0, luma, cb, cr)

    def _start_shot(self, frame: Frame) -> None:
        self._way = Advection.start(frame)
        self._frames = 0
        words = pcg4d(np.uint32(frame.index), np.uint32(0), np.uint32(0), stream_key(self._seed, 4, 1))
        self._corner = np.array([int(word) % SIDE for word in words[:2]], np.int64) << _PLACE_BITS

    def _amount(self, frame: Frame, way: Advection) -> F32:
        """(rows, columns) share of the grain at the points of the lattice."""
        if self._frames % PERSON_EVERY == 0:
            seen = self._networks.person(np.nan_to_num(rgb_of(frame, size=PERSON_SIZE)))
            shape = way.coordinates.shape[:2]
            # Only what is inside: grain of full strength beside a contour would flicker as it moves.
            self._seen = np.clip(2 * cv2.resize(seen, shape[::-1]) - 1, 0, 1).astype(np.float32)
        if self._frames == 0:
            self._people, self._moving = self._seen, 0.0
        self._seen, self._people = way.carried(self._seen), way.carried(self._people)
        self._people += np.float32(PERSON_SHARE) * (self._seen - self._people)
        speed = float(np.median(np.linalg.norm(way.motion, axis=-1))) / (MOVES * max(frame.width, frame.height))
        self._moving += (min(speed, 1.0) - self._moving) / MOVES_FRAMES
        backdrop = BACKDROP + (1 - BACKDROP) * self._moving * (1 - float(self._people.max()))
        return np.asarray(backdrop + (1 - backdrop) * self._people, np.float32)

    def _codes(self, frame: Frame) -> tuple[Plane, I32]:
        """Luma codes, and the gain per unit of tile by code: in LUMA_ONE, with _GAIN_BITS below it."""
        plane = frame.planes[0][:]
        color = frame.color
        if color.is_float or color.is_rgb:
            black, white, count = 0.0, float(_STEPS - 1), _STEPS
            # NaN is nothing above 0.
            plane = np.where(plane > 0, np.minimum(plane, 1), 0) * np.float32(_STEPS - 1)
            plane = (plane + np.float32(0.5)).astype(np.uint16)
        else:
            (black, white), count = luma_codes(color.depth, color.range), 1 << color.depth
        if color not in self._tables:
            luma = np.asarray((np.arange(count) - black) / (white - black), np.float64)
            gain = self._grain.deviation(luma) / np.maximum(luma, 1e-6) / STD
            self._tables[color] = np.rint(gain * LUMA_ONE * (1 << _GAIN_BITS)).astype(np.int32)
        return plane, self._tables[color]


@_jit
def _run(
    u: np.int32, v: np.int32, share: np.int32, du: np.int32, dv: np.int32, more: np.int32, start: int, end: int,
    out: I32,
) -> None:  # fmt: skip
    """Places and shares of px start..end along a straight line: 32 bits with the whole tile once round, and 2^24ths."""
    for i in range(start, end):
        out[0, i] = u
        u = np.int32(u + du)
    for i in range(start, end):
        out[1, i] = v
        v = np.int32(v + dv)
    for i in range(start, end):
        out[2, i] = share
        share = np.int32(share + more)


@_jit
def _fetch(tile: U32, us: I32, vs: I32, out: U32) -> None:
    # A loop of its own: LLVM cannot vectorise a look-up.
    for i in range(out.shape[0]):
        out[i] = tile[(np.uint32(vs[i]) >> _DOWN) * _SIDE + (np.uint32(us[i]) >> _DOWN)]


@_jit
def _read(words: U32, us: I32, vs: I32, shares: I32, out: I32) -> None:
    """What lies between the texels of words, times its share: 64ths of a unit of the tile."""
    for i in range(out.shape[0]):
        word = np.int32(words[i])
        a, b = np.int32(word << _24) >> _24, np.int32(word << _16) >> _24
        c, d = np.int32(word << _8) >> _24, word >> _24
        s, t = (us[i] >> _FRACTION) & _63, (vs[i] >> _FRACTION) & _63
        near, far = np.int32(_64 * a) + np.int32(s * (b - a)), np.int32(_64 * c) + np.int32(s * (d - c))
        value = np.int32(np.int32(_64 * near) + np.int32(t * (far - near))) >> _6
        out[i] = np.int32(value * (shares[i] >> _16)) >> _8


@_jit
def _look_up(codes: Plane, table: I32, out: I32) -> None:
    for i in range(out.shape[0]):
        out[i] = table[codes[i]]


@_jit
def _scale(values: I32, gains: I32, out: I16) -> None:
    for i in range(out.shape[0]):
        out[i] = np.int16(np.int32(gains[i] * values[i]) >> _DROP)


@_jit
def _lay(
    codes: Plane, table: I32, tile: U32, places: npt.NDArray[np.int64], whole: npt.NDArray[np.bool_], amount: F32,
    first: F64, step: F64, px: float, out: I16,
) -> None:  # fmt: skip
    """Gains of all px. places: int64 places in the tile of the lattice's points; px: how far a px of the frame goes."""
    height, width = out.shape
    rows, columns = whole.shape
    run, words = np.empty((3, width), np.int32), np.empty(width, np.uint32)
    us, vs, shares = run[0], run[1], run[2]
    values, gains = np.empty(width, np.int32), np.empty(width, np.int32)
    edges = np.ceil(first[0] + np.arange(columns + 1) * step[0]).astype(np.int64)
    middles = np.ceil(first[0] + (np.arange(columns) + 0.5) * step[0]).astype(np.int64)
    edges[0], edges[columns] = 0, width
    line = np.empty((columns + 1, 3))
    per = 1 / step[0]
    for y in range(height):
        j = min(max(int(np.floor((y - first[1]) / step[1])), 0), rows - 1)
        t = (y - first[1]) / step[1] - j
        inside = 0 <= t <= 1
        b = 1 if t > 0.5 else 0
        for i in range(columns + 1):
            for n in range(2):
                line[i, n] = places[j, i, n] + t * (places[j + 1, i, n] - places[j, i, n])
            line[i, 2] = (amount[j, i] + t * (amount[j + 1, i] - amount[j, i])) * _SHARE
        for i in range(columns):
            at, start, end = first[0] + i * step[0], edges[i], edges[i + 1]
            more = (line[i + 1, 2] - line[i, 2]) * per
            step_share = np.int32(more)
            if inside and whole[j, i]:
                du, dv = (line[i + 1, 0] - line[i, 0]) * per, (line[i + 1, 1] - line[i, 1]) * per
                ahead = start - at
                _run(
                    np.int32(np.int64(line[i, 0] + ahead * du)), np.int32(np.int64(line[i, 1] + ahead * dv)),
                    np.int32(line[i, 2] + ahead * more), np.int32(np.int64(du)), np.int32(np.int64(dv)), step_share,
                    start, end, run,
                )  # fmt: skip
                continue
            # Rigid about the nearest of the corners.
            for a, begin, stop in ((0, start, middles[i]), (1, middles[i], end)):
                u = places[j + b, i + a, 0] + (begin - at - a * step[0]) * px
                v = places[j + b, i + a, 1] + (t - b) * step[1] * px
                _run(
                    np.int32(np.int64(u)), np.int32(np.int64(v)), np.int32(line[i, 2] + (begin - at) * more),
                    np.int32(np.int64(px)), np.int32(0), step_share, begin, stop, run,
                )  # fmt: skip
        _fetch(tile, us, vs, words)
        _read(words, us, vs, shares, values)
        _look_up(codes[y], table, gains)
        _scale(values, gains, out[y])
