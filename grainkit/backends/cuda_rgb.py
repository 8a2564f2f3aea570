"""R'G'B' samples on the card to planes and back: kernels/from_rgb.cu and to_rgb.cu, on the current stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grainkit.backends.cuda_launch import Kernels
from grainkit.backends.cuda_memory import Layout
from grainkit.backends.cupy_surface import CardArray, Cupy
from grainkit.backends.kernel_arguments import NO_ROWS, FromRgbArguments, ToRgbArguments, Weights, rows_of
from grainkit.picture.color import Color
from grainkit.picture.noise import stream_key
from grainkit.picture.rgb import DITHER_STREAM, RgbSamples, full_scale, rgb_weights


def in_rows(rgb: CardArray) -> CardArray:
    """(h, w, 3) samples side by side as rows (h, 3 w), without a copy."""
    return rgb.reshape(rgb.shape[0], 3 * rgb.shape[1])


def planes_of_rgb(cupy: Cupy, kernels: Kernels, rows: CardArray, color: Color) -> list[CardArray]:
    """Float planes of R'G'B' rows (h, 3 w)."""
    height, width = rows.shape[0], rows.shape[1] // 3
    layout = Layout(((height, width),) * 3, np.float32)
    luma, cb, cr = planes = layout.views(cupy.empty(layout.nbytes, np.uint8))
    told = FromRgbArguments(
        rows_of(rows), rows_of(luma), rows_of(cb), rows_of(cr), width, height,
        scale=_one_over(full_scale(rows.dtype)), weights=_weights(color),
    )  # fmt: skip
    _launch(kernels, "from_rgb", f"-DSOURCE_BITS={8 * rows.dtype.itemsize}", told)
    return layout.cut(planes)


def rgb_of_planes(
    kernels: Kernels, planes: Sequence[CardArray], rows: CardArray, origin: CardArray | None, color: Color,
    rgb: RgbSamples, frame: int,
) -> None:  # fmt: skip
    """Fill R'G'B' rows (h, 3 w) with float planes. origin: rows the planes were made from."""
    height, width = planes[0].shape
    if origin is not None and (origin.dtype != rgb.dtype or tuple(origin.shape) != (height, 3 * width)):
        origin = None
    top = full_scale(rgb.dtype)
    told = ToRgbArguments(
        rows_of(planes[0]), rows_of(planes[1]), rows_of(planes[2]), rgb=rows_of(rows),
        origin=NO_ROWS if origin is None else rows_of(origin), width=width, height=height, scale=_one_over(top),
        top=top, weights=_weights(color), key=int(stream_key(rgb.seed, DITHER_STREAM, 0)), frame=frame & 0xFFFFFFFF,
    )  # fmt: skip
    _launch(kernels, "to_rgb", f"-DTARGET_BITS={8 * rgb.dtype.itemsize}", told)


def _launch(kernels: Kernels, name: str, define: str, told: FromRgbArguments | ToRgbArguments) -> None:
    kernels.launch(name, (define,), (-(-told.width // 128), -(-told.height // 8)), (32, 8), 0, told)


def _one_over(value: float) -> float:
    return float(np.float32(1.0) / np.float32(value))


def _weights(color: Color) -> Weights:
    return Weights(*(float(w) for w in rgb_weights(color)))
