"""Pictures in memory: what `finish_array` takes, told apart by shape and checked before any work is done.

An array is (height, width, 3) R'G'B', (height, width) or (height, width, 1) grey, (height, width, 4) R'G'B' with
straight alpha, or (batch, height, width, 1, 3 or 4); uint8, uint16 or float32, display-encoded like sRGB.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grainkit.errors import InputError
from grainkit.params import shown
from grainkit.picture.frame import Plane
from grainkit.picture.rgb import RGB

#: How far float samples may lie outside 0..1: what Lanczos and sharpening overshoot by.
OVERSHOOT = 0.1
#: Largest float sample that still looks like light beyond white, and not like codes of an integer type.
MOST_LIGHT = 16.0
#: Channels that a picture may have: grey, R'G'B', and that with alpha.
CHANNELS = (1, 3, 4)

_TAKEN = "(height, width, 3) uint8, uint16 or float32, grey (height, width), RGBA, or a batch of them"


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of an array.

    samples: (h, w, 3) R'G'B' or (h, w) grey, C-contiguous in the machine's byte order, not the caller's to write.
    alpha: (h, w) of the same type, straight, None where there is none.
    """

    samples: RGB
    alpha: Plane | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        height, width = self.samples.shape[:2]
        return int(height), int(width)


def refuse_other_things(given: object) -> None:
    """Raise InputError where `given` is plainly no array: a path, a PIL image, a tensor on the host, a list."""
    library = type(given).__module__.partition(".")[0]
    if isinstance(given, (str, bytes, os.PathLike)):
        remedy = "for files there is finish(input, output), or read it into an array first"
        raise InputError(f"finish_array takes an array, not a path ({shown(given)}); {remedy}")
    if library == "PIL":
        raise InputError("finish_array takes an array, not a PIL image; pass numpy.asarray(image.convert('RGB'))")
    if library == "torch":
        remedy = "pass tensor.detach().cpu().numpy(), channels last, and torch.from_numpy(result) brings it back"
        raise InputError(f"finish_array takes a NumPy array, not a torch tensor on the CPU; {remedy}")
    if isinstance(given, (list, tuple)):
        what = f"a {type(given).__name__}"
        remedy = "pass numpy.stack(pictures) for pictures of one size, numpy.asarray(values, numpy.uint8) for values"
        raise InputError(f"finish_array takes an array, not {what}; {remedy}")
    if isinstance(given, np.ma.MaskedArray):
        raise InputError("finish_array takes no masked array; fill it first: array.filled(0)")
    if isinstance(given, np.matrix):
        raise InputError("finish_array takes no numpy.matrix, which has two axes only; pass numpy.asarray(matrix)")
    if not isinstance(given, np.ndarray):
        raise InputError(f"finish_array takes {_TAKEN}; {shown(given)} is of type {type(given).__name__}")


def pictures_of(array: RGB) -> list[Picture]:
    """The pictures in a NumPy array; nothing of it is ever written to.

    Raises InputError for another shape, type or range, with what it is likely to be.
    """
    _check_type(array)
    _check_shape(array)
    if array.dtype.kind == "f":
        _check_range(array)
    batch = array if array.ndim == 4 else array[None] if array.ndim == 3 else array[None, ..., None]
    return [_picture(one) for one in batch]


def picture_on_card(array: RGB) -> Picture:
    """The one picture in an array on a card; its samples are not looked at, which would have it wait.

    InputError for anything but (height, width, 3) uint8, uint16 or float32.
    """
    _check_type(array)
    _check_shape(array)
    if len(array.shape) != 3 or array.shape[2] != 3:
        raise InputError(
            f"of arrays on a GPU finish_array takes (height, width, 3), not {tuple(array.shape)}; pass pictures one by "
            "one without alpha, or bring the array to the host"
        )
    return Picture(array)


def mattes_of(matte: object, pictures: Sequence[Picture]) -> Sequence[npt.NDArray[np.float32] | None]:
    """The matte of each picture: None, or (h, w) float32 0..1.

    matte: as it was given: None, an (h, w) for all, or (batch, h, w). InputError where it is anything else.
    """
    if matte is None:
        return [None] * len(pictures)
    height, width = size = pictures[0].size
    wanted = f"a matte for this picture is float32 ({height}, {width})"
    if not isinstance(matte, np.ndarray):
        raise InputError(f"{wanted}, an array, not {shown(matte)} of type {type(matte).__name__}")
    if matte.dtype != np.float32 or matte.shape not in (size, (len(pictures), *size)):
        raise InputError(f"{wanted}, not {matte.dtype} {tuple(matte.shape)}")
    low, high = float(matte.min()), float(matte.max())
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"{wanted} of 0 (no texture) to 1, and this one is {low:.4g} to {high:.4g}; clip it with numpy.clip, or "
            "divide it by what is white in it"
        )
    return list(matte) if matte.ndim == 3 else [matte] * len(pictures)


def joined(array: RGB, done: Sequence[RGB]) -> RGB:
    """Finished samples in the shape and type of the array they came from, its alpha with them."""
    out: RGB = array.copy()
    pictures: Iterable[RGB] = out if out.ndim == 4 else [out]
    for whole, samples in zip(pictures, done, strict=True):
        if whole.ndim == 2:
            whole[...] = samples
        elif whole.shape[2] == 1:
            whole[..., 0] = samples
        else:
            whole[..., :3] = samples
    return out


def _picture(one: RGB) -> Picture:
    """One (h, w, channels) picture, its samples where they are wherever that will do."""
    colours = one[..., 0] if one.shape[2] == 1 else one[..., :3]
    return Picture(_plain(colours), _plain(one[..., 3]) if one.shape[2] == 4 else None)


def _plain(samples: RGB) -> RGB:
    """In the machine's byte order and without gaps; a copy only where it is not so already."""
    native: npt.DTypeLike = samples.dtype.newbyteorder("=")
    return np.asanyarray(samples, native, order="C")


def _check_type(array: RGB) -> None:
    kind, size = array.dtype.kind, array.dtype.itemsize
    if (kind, size) in (("u", 1), ("u", 2), ("f", 4)):
        return
    remedy = {
        "f": "use array.astype(numpy.float32)",
        "i": "use array.astype(numpy.uint8) where values are 0 to 255, numpy.uint16 where they are 0 to 65535",
        "u": "use array.astype(numpy.uint8) where values are 0 to 255, numpy.uint16 where they are 0 to 65535",
        "b": "use array * numpy.uint8(255)",
        "O": "its pictures may differ in size: pass them one by one",
    }.get(kind, "give pixels")
    raise InputError(f"finish_array takes {_TAKEN}, not {array.dtype} {tuple(array.shape)}; {remedy}")


def _check_shape(array: RGB) -> None:
    shape = tuple(int(n) for n in array.shape)
    said = f"finish_array takes {_TAKEN}, not {array.dtype} {shape}"
    if 0 in shape:
        raise InputError(f"{said}, which holds nothing; check how it was read or cut")
    if len(shape) == 2 or (len(shape) in (3, 4) and shape[-1] in CHANNELS):
        return
    if len(shape) in (3, 4) and shape[-3] in CHANNELS:
        raise InputError(f"{said}; its channels come first, which numpy.moveaxis(array, -3, -1) mends")
    if len(shape) in (3, 4) and shape[-1] == 2:
        raise InputError(f"{said}; grey with alpha is taken apart: pass array[..., 0], and keep array[..., 1]")
    if len(shape) == 3:
        raise InputError(f"{said}; a batch of grey pictures is array[..., None]")
    raise InputError(f"{said}; pass pictures one by one, or a batch (batch, height, width, 3)")


def _check_range(array: RGB) -> None:
    """InputError where float samples lie outside what a display-encoded picture holds. NaN spreads to both ends."""
    low, high = float(array.min()), float(array.max())
    if low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
        return
    if not np.isfinite([low, high]).all():
        remedy = "numpy.nan_to_num(array, posinf=1, neginf=0) takes them out; better, find where they come from"
        raise InputError(f"float samples are 0 to 1, and some of these are no numbers (NaN, inf); {remedy}")
    said = f"float samples are 0 to 1 (black to white), and these are {low:.4g} to {high:.4g}"
    if low < -OVERSHOOT:
        if low >= -1 - OVERSHOOT and high <= 1 + OVERSHOOT:
            raise InputError(f"{said}: they look like -1 to 1; pass (array + 1) / 2")
        raise InputError(f"{said}: they look standardised by mean and deviation; undo that, or clip them to 0..1")
    if high > MOST_LIGHT or bool((array == array.round()).all()):
        top = 255 if high <= 255 else 65535 if high <= 65535 else 0
        if not top:
            raise InputError(f"{said}: they are no picture's; divide them by the value that is white")
        raise InputError(f"{said}: they look like codes of 0 to {top}; pass array / {top}, or whole numbers as uint")
    raise InputError(
        f"{said}: they look like linear or HDR light; tone map it and encode it for display (sRGB) first, or clip it"
    )
