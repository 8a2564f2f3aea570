"""Planes in a GPU's memory that are resized there, and looked at in parts and small versions: kernels/weigh.cu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from grainkit.backends.cuda_memory import Lane
from grainkit.backends.cupy_surface import CardArray, Cupy, InOrder, Part
from grainkit.backends.kernel_arguments import (
    ExtentArguments,
    PremultiplyArguments,
    StraightArguments,
    WeighArguments,
    address,
    rows_of,
)
from grainkit.errors import BackendUnavailable
from grainkit.picture.frame import Plane
from grainkit.picture.resample import SEEN
from grainkit.picture.taps import F32, Taps

#: Samples of the result that a block makes at most; fewer where their source fills more shared memory than this.
TILE_W, TILE_H = 256, 8
SHARED = 48 * 1024
#: Blocks that look for a plane's extremes, at most, of this many rows at least; and their shared memory.
EXTENT_BLOCKS, EXTENT_ROWS, EXTENT_SHARED = 128, 8, 2 * 256 * 4

#: Launches a kernel by name: (name, -D options, blocks, threads, shared bytes, arguments of its struct).
Launcher = Callable[[str, tuple[str, ...], tuple[int, ...], tuple[int, ...], int, Sequence[object]], None]


@dataclass(frozen=True, eq=False)
class CardTaps:
    """Taps of both axes on the card. rows, down, columns, across: as kernels/weigh.cu takes them."""

    rows: CardArray
    down: CardArray
    columns: CardArray
    across: CardArray
    down_taps: int
    across_taps: int


class Weigher:
    """What `grainkit.picture.taps.weighed` does, for planes on the card; work goes onto the current stream."""

    def __init__(self, cupy: Cupy, launch: Launcher) -> None:
        self.cupy, self._launch = cupy, launch

    def tables(self, down: Taps, across: Taps) -> CardTaps:
        """Taps sent to the card."""
        arrays = (down.first, down.weights, across.first, across.weights.T)
        rows, weights, columns, beside = (self.cupy.asarray(np.ascontiguousarray(array)) for array in arrays)
        return CardTaps(rows, weights, columns, beside, down.weights.shape[1], across.weights.shape[1])

    def weighed(
        self, plane: CardArray, down: Taps, across: Taps, tables: CardTaps | None = None, *, level: tuple[float, float],
        bounded: bool = False, out: CardArray | None = None,
    ) -> CardArray:  # fmt: skip
        """A float32 plane of samples, after (sample - level[0]) / level[1].

        tables: those of down and across, where they are on the card already. bounded: between the extremes of `plane`.
        """
        height, width = len(down.first), len(across.first)
        out = self.cupy.empty((height, width), np.float32) if out is None else out
        bits = 8 * plane.dtype.itemsize
        tile_w, tile_h, line = tiling(across, 128 // bits)
        taps = tables or self.tables(down, across)
        extent = self.extent(plane) if bounded else None
        told = WeighArguments(
            source=rows_of(plane), source_width=plane.shape[1], black=level[0], unit=1.0 / level[1],
            target=rows_of(out), width=width, height=height, rows=address(taps.rows), down=address(taps.down),
            down_taps=taps.down_taps, columns=address(taps.columns), across=address(taps.across),
            across_taps=taps.across_taps, extent=address(extent), tile_width=tile_w, tile_height=tile_h, line=line,
        )  # fmt: skip
        blocks = (-(-width // tile_w), -(-height // tile_h))
        self._launch("weigh", (f"-DSOURCE_BITS={bits}",), blocks, (32, 8), 4 * tile_h * line, told)
        return out

    def seen_part(
        self, plane: CardArray, alpha: CardArray, down: Taps, across: Taps, tables: CardTaps, *,
        level: tuple[float, float], out: CardArray,
    ) -> None:  # fmt: skip
        """What `grainkit.picture.resample.seen_part` makes of a plane, between its extremes.

        alpha: (h, w) float32 0..1, as the plane. out: the plane resized without it, which becomes the result.
        """
        (height, width), bits = plane.shape, 8 * plane.dtype.itemsize
        product = self.cupy.empty((height, width), np.float32)
        premultiply = PremultiplyArguments(
            rows_of(plane), level[0], 1.0 / level[1], rows_of(alpha), rows_of(product), width, height
        )
        blocks = (-(-width // 128), -(-height // 8))
        self._launch("premultiply", (f"-DSOURCE_BITS={bits}",), blocks, (32, 8), 0, premultiply)
        both = [self.weighed(each, down, across, tables, level=(0.0, 1.0)) for each in (product, alpha)]
        height, width = out.shape
        extent = self.extent(plane)
        straight = StraightArguments(
            rows_of(out), rows_of(both[0]), rows_of(both[1]), width, height, address(extent), level[0],
            1.0 / level[1], SEEN,
        )  # fmt: skip
        self._launch("straight", (), (-(-width // 128), -(-height // 8)), (32, 8), 0, straight)

    def extent(self, plane: CardArray) -> CardArray:
        """(2,) float32 on the card: the least and largest sample, no numbers where there is no number."""
        blocks = min(-(-int(plane.shape[0]) // EXTENT_ROWS), EXTENT_BLOCKS)
        pairs = self.cupy.empty((1, 2 * blocks), np.float32)
        self._extent(plane, blocks, pairs)
        found = self.cupy.empty((1, 2), np.float32)
        self._extent(pairs, 1, found)
        return found

    def _extent(self, plane: CardArray, blocks: int, pairs: CardArray) -> None:
        height, width = plane.shape
        told = ExtentArguments(rows_of(plane), width, height, blocks, address(pairs))
        define = f"-DSOURCE_BITS={8 * plane.dtype.itemsize}"
        self._launch("extent", (define,), (blocks,), (256,), EXTENT_SHARED, told)


class CardPlane:
    """A plane on the card that the analysis looks at without bringing it down: a part of it, or a small version.

    stream: a context in which work on it is in order.
    lane: what a frame that came from the host goes on with; None for planes that are the caller's own.
    origin: R'G'B' rows on the card that the frame's planes were made from, or None.
    """

    def __init__(
        self, array: CardArray, weigher: Weigher, stream: InOrder, *, lane: Lane | None = None,
        origin: CardArray | None = None,
    ) -> None:  # fmt: skip
        self.array, self.lane, self.origin = array, lane, origin
        self._weigher, self._stream = weigher, stream

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return self.array.dtype

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, int(self.array.device.id)

    def weighed(self, down: Taps, across: Taps) -> F32:
        """As grainkit.picture.taps's: only the result comes to the host."""
        with self._stream:
            made: F32 = self._weigher.weighed(self.array, down, across, level=(0.0, 1.0)).get()
            return made

    def __getitem__(self, part: Part) -> npt.NDArray[Any]:
        """Samples of a part, on the host."""
        with self._stream:
            return self._weigher.cupy.ascontiguousarray(self.array[part]).get()


def as_planes(arrays: Sequence[CardPlane] | Sequence[CardArray]) -> tuple[Plane, ...]:
    """Planes on the card as a frame takes them, whose type names those of the host's only."""
    return cast("tuple[Plane, ...]", tuple(arrays))


def tiling(across: Taps, run: int) -> tuple[int, int, int]:
    """Width and height of a block's tile, and floats of shared memory per row of it.

    run: source samples that are loaded at once. Raises BackendUnavailable where even the smallest does not fit.
    """
    first, taps = across.first.astype(np.int64), across.weights.shape[1]
    for tile_h in (TILE_H, 1):
        for tile_w in (TILE_W >> i for i in range(7)):
            begin = first[::tile_w] // run * run
            last = first[np.minimum(np.arange(0, len(first), tile_w) + tile_w, len(first)) - 1]
            line = -(-int((last + taps - begin).max()) // run) * run
            if 4 * tile_h * line <= SHARED:
                return tile_w, tile_h, line
    raise BackendUnavailable(
        f"the GPU's shared memory is too small to reduce a picture {taps // 6} times in one step; use --backend cpu"
    )
