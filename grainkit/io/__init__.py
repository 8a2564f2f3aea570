"""Pictures in and out. `open_source` finds the reader; each reader is imported only when it is needed."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from grainkit.arguments import GivenRate, as_most_pixels, as_place, as_rate
from grainkit.errors import InputError
from grainkit.io.base import MAX_MOVING, MAX_STILL, Source, no_such_frames
from grainkit.io.foreign import FOREIGN_HEAD, begins_like_a_clip, foreign, promises_still
from grainkit.io.still_formats import format_of
from grainkit.unforeseen import doing

__all__ = ["open_source"]


def open_source(
    spec: str | Path, *, start: int = 0, stop: int | None = None, allow_truncated: bool = False,
    rate: GivenRate | None = None, stdin: BinaryIO | None = None, hwaccel: str = "", max_pixels: int | None = None,
) -> Source:  # fmt: skip
    """The source that `spec` names: `-` (Y4M on `stdin`), a pattern like f_%05d.png, a folder, a still or a clip.

    start, stop: frames start to stop - 1, by absolute number; a still has frame 0 alone.
    allow_truncated: make do with what can be read of a clip that is cut short.
    rate: frames per second of a sequence, 24 when None (25, 23.976, '30000/1001'); other sources know their own.
    hwaccel: 'cuda' decodes clips on the card and leaves their frames there (experimental), for the CUDA backend.
    max_pixels: a picture of more is refused before it is decoded; None is MAX_STILL, or MAX_MOVING of a clip or pipe.
    Raises InputError for what is missing, damaged, too large or not a picture.
    """
    spec, rate, max_pixels = as_place(spec, "input"), as_rate(rate), as_most_pixels(max_pixels)
    with doing(f"reading {spec}"):
        return _opened(spec, start, stop, allow_truncated, rate, stdin, hwaccel, max_pixels)


def _opened(
    spec: str | Path, start: int, stop: int | None, allow_truncated: bool, rate: Fraction | None,
    stdin: BinaryIO | None, hwaccel: str, max_pixels: int | None,
) -> Source:  # fmt: skip
    if start < 0 or (stop is not None and stop <= start):
        raise InputError(
            f"{spec}: frames {start}:{'' if stop is None else stop} are none; write --frames A:B with 0 <= A < B"
        )
    if hwaccel and (str(spec) == "-" or os.path.isdir(spec)):
        raise InputError(f"--hwaccel decodes clips, which {spec} is not; leave it out")
    still_pixels, moving_pixels = max_pixels or MAX_STILL, max_pixels or MAX_MOVING
    if str(spec) == "-":
        from grainkit.io.y4m import Y4MSource

        stream = sys.stdin.buffer if stdin is None else stdin
        return Y4MSource(
            stream, name="-", start=start, stop=stop, allow_truncated=allow_truncated, max_pixels=moving_pixels
        )
    path = Path(spec)
    if os.path.isdir(path) or ("%" in path.name and not os.path.exists(path)):
        from grainkit.io.sequence import SequenceSource

        return SequenceSource(path, start=start, stop=stop, rate=rate or Fraction(24), max_pixels=still_pixels)
    head = _head(path)
    promised = promises_still(path)
    other = foreign(head, path)
    if format_of(head) or other or (promised and not begins_like_a_clip(head)):
        from grainkit.io.stills import StillSource

        if hwaccel and not other:
            raise InputError(f"--hwaccel decodes clips, and {path} is a still; leave it out")
        if start > 0:
            raise no_such_frames(path, "still", 1, start, stop)
        return StillSource(path, max_pixels=still_pixels)
    from grainkit.io.clip_source import VideoSource

    clip = VideoSource(
        path, start=start, stop=stop, allow_truncated=allow_truncated, hwaccel=hwaccel, max_pixels=moving_pixels
    )
    if promised:
        clip.info = replace(clip.info, notes=(f"named {path.suffix} but holds a clip", *clip.info.notes))
    return clip


def _head(path: Path) -> bytes:
    try:
        # A pipe would be read here and gone for whoever reads it next; opening one may take for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path}: is no regular file; give a file, or pipe Y4M in and name it -")
        with path.open("rb") as file:
            head = file.read(FOREIGN_HEAD)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: no such file{_near(path)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not head:
        raise InputError(f"{path}: the file is empty; export it again")
    return head


def _near(path: Path) -> str:
    """'; did you mean X?' where the folder holds a file of a name like it, else ''."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent}"
    names = [p.name for p in path.parent.iterdir()]
    close = get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / close[0]}?" if close else ""
