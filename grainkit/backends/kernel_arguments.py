"""What the kernels take: the structs of kernels/*.cu in Python, field by field, and how they are packed.

Each kernel has one parameter, a struct that is passed by value. It is declared in the kernel's source, and here once
more under the same name with the same fields in the same order; tests/cudacheck compares the two as the compiler lays
them out. Which pixels a field means, and in what units, is said in the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple, Protocol, get_type_hints

import numpy as np
import numpy.typing as npt

#: Types of fields, as C has them. An address is one in the card's memory, 0 for none.
Address = Annotated[int, np.uint64]
Long = Annotated[int, np.int64]
Int = Annotated[int, np.int32]
Word = Annotated[int, np.uint32]
Float = Annotated[float, np.float32]


class Rows(NamedTuple):
    """Rows of samples in the card's memory; pitch counts samples."""

    first: Address
    pitch: Long


#: Rows that are not there.
NO_ROWS = Rows(0, 0)


class Rectangle(NamedTuple):
    top: Int
    left: Int
    height: Int
    width: Int


class Relief(NamedTuple):
    terms: Address
    part: Rectangle


class Shoulder(NamedTuple):
    knee: Float
    curvature: Float
    strength: Float


class Scale(NamedTuple):
    offset: Float
    unit: Float
    top: Float


class Channels(NamedTuple):
    r_cr: Float
    g_cb: Float
    g_cr: Float
    b_cb: Float


class Weights(NamedTuple):
    kr: Float
    kg: Float
    kb: Float
    cb_scale: Float
    cr_scale: Float


class LumaTone(NamedTuple):
    """Of codes."""

    curve: Address
    gain: Address
    straight: Int
    source_shift: Int
    target_shift: Int
    black: Int
    last: Int
    high: Int


class FloatLumaTone(NamedTuple):
    """LumaTone<float>."""

    luma_curve: Address
    gain: Address
    shoulder: Shoulder
    scale: Scale


class LumaArguments(NamedTuple):
    source: Rows
    target: Rows
    width: Int
    height: Int
    tone: LumaTone | FloatLumaTone
    relief: Relief
    grain: Address
    frame: Word


class ChromaTone(NamedTuple):
    """Of codes."""

    curve: Address
    gain: Address
    luma_curve: Address
    chroma_factor: Address
    straight: Int
    source_shift: Int
    target_shift: Int
    luma_black: Float
    luma_unit: Float
    chroma_grey: Float
    chroma_unit: Float
    channels: Channels
    shoulder: Shoulder
    grey: Int
    low: Int
    high: Int
    relief_unit: Int
    last: Int


class FloatChromaTone(NamedTuple):
    """ChromaTone<float>."""

    luma_curve: Address
    chroma_factor: Address
    gain: Address
    channels: Channels
    shoulder: Shoulder
    scale: Scale


class ChromaArguments(NamedTuple):
    luma: Rows
    luma_width: Int
    luma_height: Int
    cb: Rows
    cr: Rows
    cb_target: Rows
    cr_target: Rows
    width: Int
    height: Int
    tone: ChromaTone | FloatChromaTone
    cb_terms: Address
    cr_terms: Address
    relief: Rectangle
    cb_grain: Address
    cr_grain: Address
    frame: Word


class FromRgbArguments(NamedTuple):
    rgb: Rows
    luma: Rows
    cb: Rows
    cr: Rows
    width: Int
    height: Int
    scale: Float
    weights: Weights


class ToRgbArguments(NamedTuple):
    luma: Rows
    cb: Rows
    cr: Rows
    origin: Rows
    rgb: Rows
    width: Int
    height: Int
    scale: Float
    top: Float
    weights: Weights
    key: Word
    frame: Word


class WeighArguments(NamedTuple):
    source: Rows
    source_width: Int
    black: Float
    unit: Float
    target: Rows
    width: Int
    height: Int
    rows: Address
    down: Address
    down_taps: Int
    columns: Address
    across: Address
    across_taps: Int
    extent: Address
    tile_width: Int
    tile_height: Int
    line: Int


class PremultiplyArguments(NamedTuple):
    source: Rows
    black: Float
    unit: Float
    alpha: Rows
    target: Rows
    width: Int
    height: Int


class StraightArguments(NamedTuple):
    plain: Rows
    premultiplied: Rows
    alpha: Rows
    width: Int
    height: Int
    extent: Address
    black: Float
    unit: Float
    seen: Float


class ExtentArguments(NamedTuple):
    source: Rows
    width: Int
    height: Int
    blocks: Int
    pairs: Address


class PartArguments(NamedTuple):
    source: Rows
    first: Rows
    second: Rows
    width: Int
    height: Int
    shift: Int


class _Pointer(Protocol):
    @property
    def ptr(self) -> int: ...


class _Held(Protocol):
    """What is asked of an array on the card."""

    @property
    def data(self) -> _Pointer: ...
    @property
    def strides(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[np.generic]: ...


def address(array: _Held | None) -> int:
    """Where an array on the card begins; 0 for None."""
    return 0 if array is None else int(array.data.ptr)


def rows_of(plane: _Held) -> Rows:
    """The rows of a plane on the card."""
    return Rows(address(plane), plane.strides[0] // plane.dtype.itemsize)


def layout(arguments: Sequence[object]) -> np.dtype[np.void]:
    """Where C keeps the fields of one of the tuples above, by their names."""
    hints = get_type_hints(type(arguments), include_extras=True)
    fields = [
        (name, layout(value) if isinstance(value, tuple) else hints[name].__metadata__[0])
        for name, value in zip(hints, arguments, strict=True)
    ]
    return np.dtype(fields, align=True)


def packed(arguments: Sequence[object], dtype: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """The struct as a kernel takes it by value: () of `dtype`, which is the layout of these arguments."""
    return np.array(arguments, dtype)
