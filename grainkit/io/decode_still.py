"""A still file to samples and metadata: by the format that its first bytes are, and what holds for all of them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

from grainkit.errors import InputError
from grainkit.io import icc, png
from grainkit.io.base import MAX_STILL
from grainkit.io.finite import BRIGHTEST, made_finite
from grainkit.io.foreign import FOREIGN_HEAD, begins_like_a_clip, foreign, raw
from grainkit.io.still import Still
from grainkit.io.still_formats import HEAD, format_by_ending, format_of, format_titles
from grainkit.io.still_formats.tiff import TIFF

#: What libraries raise for damaged files.
_DAMAGE = (
    ValueError, OSError, SyntaxError, EOFError, RuntimeError, LookupError, TypeError, OverflowError, ArithmeticError,
    MemoryError, struct.error, zlib.error,
)  # fmt: skip

#: What four float samples take; no file of a picture is larger, but for its metadata.
_BYTES_PER_PIXEL = 16
#: Dots per inch: what JPEG can say.
MAX_DPI = 65535


def read_still(path: Path, max_pixels: int = MAX_STILL) -> Still:
    """Read and decode a file. Raises InputError for anything that is not one whole still of at most so many pixels."""
    try:
        if path.stat().st_size > max_pixels * _BYTES_PER_PIXEL + png.MAX_TEXT:
            raise InputError(
                f"{path}: is {path.stat().st_size:,} bytes, more than {max_pixels:,} pixels take; "
                "make it smaller, or raise --max-pixels"
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return decode_still(data, path, max_pixels)


def decode_still(data: bytes, path: Path, max_pixels: int = MAX_STILL) -> Still:
    """Decode a file's bytes; `path` is for its name in messages. Raises InputError as `read_still` does."""
    if not data:
        raise InputError(f"{path}: the file is empty; export it again")
    found = format_of(data[:HEAD])
    if found is None:
        raise no_still(data[:FOREIGN_HEAD], path)
    if found is TIFF and (negative := raw(data[:HEAD], path)):
        raise InputError(f"{path}: holds {negative.what}; {negative.remedy}")
    try:
        still = found.decode(data, max_pixels)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: the {found.name.upper()} cannot be read, {reason}; export it again") from error
    if format_by_ending(path) is not found:
        still = replace(
            still, notes=(f"named {path.suffix or 'without an ending'} but holds a {found.name.upper()}", *still.notes)
        )
    return _plausible_dpi(_as_profiled(_finite(still)))


def _finite(still: Still) -> Still:
    """Without NaN and infinities, which is said."""
    rgb, count = made_finite(still.rgb)
    alpha, more = (None, 0) if still.alpha is None else made_finite(still.alpha)
    if not count + more:
        return still
    said = f"{count + more:,} of its samples were no finite numbers: NaN becomes 0, infinity {BRIGHTEST:g}"
    return replace(still, rgb=rgb, alpha=alpha, notes=(*still.notes, said))


def _as_profiled(still: Still) -> Still:
    """With the colours that its ICC profile names by code points, where the file itself names none."""
    found = None if still.metadata.coded else icc.code_points(still.metadata.icc)
    if found is None:
        return still
    return replace(still, color=replace(still.color, primaries=found[0], transfer=found[1], assumed=()))


def no_still(head: bytes, path: Path) -> InputError:
    """What is said of a file that begins like this and was taken for a still: what it is, and what to do."""
    other = foreign(head, path)
    if other is not None:
        return InputError(f"{path}: holds {other.what}; {other.remedy}")
    if begins_like_a_clip(head):
        return InputError(f"{path}: holds a clip or sound, not a still; name it by what it is, and give it by itself")
    return InputError(
        f"{path}: holds no picture that grainkit knows; stills are {format_titles()}: save it as one of these"
    )


def _plausible_dpi(still: Still) -> Still:
    """Without a density that no container could be given, nor any grain be sized by."""
    dpi = still.metadata.dpi
    if dpi is None or all(1 <= d <= MAX_DPI for d in dpi):
        return still
    note = f"its {dpi[0]:g} x {dpi[1]:g} dots per inch are left out; 1 to {MAX_DPI} are possible"
    return replace(still, metadata=replace(still.metadata, dpi=None), notes=(*still.notes, note))
