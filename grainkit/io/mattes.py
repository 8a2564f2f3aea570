"""The user's own mattes: found for an input, checked against it, and handed to its frames one by one.

White is where skin may be textured, black where it may not. A matte has its picture's size, or its shape.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from grainkit.errors import InputError
from grainkit.io import open_source
from grainkit.io.base import SourceInfo
from grainkit.io.still_formats import looks_like_still
from grainkit.picture.frame import Frame
from grainkit.picture.resample import alpha_top, resample, to_float

#: Chroma, of half its range, that encoders leave in a grey clip; more is colour.
_GREY = 0.1
#: Files that may lie beside mattes in a folder and are none.
_NOTES = (".txt", ".json", ".yaml", ".yml", ".xml")


@dataclass(frozen=True)
class Mattes:
    """A matte for every frame of one input. Make it with `mattes_for`.

    path: what is read: a still, a clip, a pattern or a folder of numbered stills. files: its files, in order.
    size: (width, height) that the frames have. shift: number of a frame's matte less that of the frame.
    start, stop: the range that is read, by the mattes' own numbers. first_number: in the name of the input's frame 0.
    max_pixels: as for `open_source`.
    """

    path: Path
    files: tuple[Path, ...]
    size: tuple[int, int]
    shift: int = 0
    start: int = 0
    stop: int | None = None
    first_number: int = 0
    max_pixels: int | None = None

    def over(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, each with its matte. InputError where one is missing, in colour or of another shape."""
        with open_source(self.path, start=self.start, stop=self.stop, max_pixels=self.max_pixels) as source:
            mattes = iter(source)
            for frame in frames:
                wanted = frame.index + self.shift
                matte = next((m for m in mattes if m.index >= wanted), None)
                if matte is None or matte.index != wanted:
                    raise InputError(_missing(self.path, frame.index + self.first_number))
                yield replace(frame, matte=self._plane(matte))

    def _plane(self, matte: Frame) -> npt.NDArray[np.float32]:
        grey, *chroma = to_float(matte)
        if any(np.abs(plane).max() > _GREY / 2 for plane in chroma):
            raise InputError(f"{self.path}: is in colour; a matte is grey, white where skin may be textured")
        if matte.alpha is not None and (matte.alpha < alpha_top(matte.alpha, matte.color)).any():
            raise InputError(f"{self.path}: has transparency; flatten the matte to grey on black")
        whole = (0.0, 0.0, float(matte.width), float(matte.height))
        return np.clip(np.nan_to_num(resample(grey, self.size, whole)), 0, 1)


def mattes_for(
    spec: str | Path, info: SourceInfo, inputs: Iterable[Path], *, start: int = 0, stop: int | None = None,
    max_pixels: int | None = None,
) -> Mattes:  # fmt: skip
    """The mattes that `spec` names for an input.

    spec: a still for a still; a clip, a pattern or a folder of numbered stills for a clip or a sequence. Or a folder
        that holds a matte of the input's own name, less its ending. Numbered mattes of a sequence have its numbers;
        those of a clip are counted from the lowest.
    inputs: the input's own files. start, stop: the range of its frames that is read. max_pixels: as for `open_source`.
    Raises InputError where there is none, it is of another kind or shape, or frames are known to have none.
    """
    if str(spec) == "-":
        raise InputError("--matte -: a matte is not read from standard input; name a file or a pattern")
    path = _of_its_name(Path(spec), info)
    with open_source(path, max_pixels=max_pixels) as source:
        found = source.info
    if (found.kind == "still") != (info.kind == "still"):
        each = "a matte for each frame: a pattern such as m_%05d.png, or a clip"
        needs = "one still" if info.kind == "still" else each
        raise InputError(f"{path}: is a {found.kind}; {info.name} is a {info.kind} and takes {needs}")
    if abs(found.width * info.height - found.height * info.width) > max(info.width, info.height):
        raise InputError(
            f"{path}: is {found.width}x{found.height}, and {info.name} is {info.width}x{info.height}; "
            "a matte has the same size, or the same shape and is scaled"
        )
    files: tuple[Path, ...] = (path,)
    if found.kind == "sequence":
        from grainkit.io.sequence import sequence_files

        files = tuple(sequence_files(path))
    if known(files) & known(inputs):
        raise InputError(f"{path}: is the input itself; a matte is a grey picture beside it")
    shift = info.first_number - found.first_number if info.kind == found.kind == "sequence" else 0
    if found.kind == "sequence":
        numbers = range(start, start + info.frames if info.kind == "sequence" and info.frames else start + 1)
        have = range(found.frames or 0)
        for number in (numbers[0], numbers[-1]):
            if number + shift not in have:
                first = next(n for n in numbers if n + shift not in have)
                own = ", numbered as it is" if info.kind == "sequence" else ""
                raise InputError(_missing(path, first + info.first_number, own))
    return Mattes(
        path, files, (info.width, info.height), shift, start + shift, None if stop is None else stop + shift,
        info.first_number, max_pixels,
    )  # fmt: skip


def matte_files(spec: str | Path) -> list[Path]:
    """Every file that `spec` may mean: one, those of a pattern, or all in a folder."""
    path = Path(spec)
    if path.is_dir():
        return [p for p in path.rglob("*") if p.is_file()]
    if path.exists():
        return [path]
    from grainkit.io.sequence import sequence_files

    return sequence_files(path) if "%" in path.name else []


def known(files: Iterable[Path]) -> set[tuple[int, int | str]]:
    """What tells files apart, whatever they are called: device and number of those that exist.

    Some disks of Windows number nothing: there it is the path, as the system compares it.
    """
    found = ((p, p.stat()) for p in files if p.exists())
    return {(s.st_dev, s.st_ino or os.path.normcase(p.resolve())) for p, s in found}


def _of_its_name(path: Path, info: SourceInfo) -> Path:
    """In a folder, the matte called like the input; else `path` as it is."""
    if not path.is_dir() or info.path is None or info.kind not in ("still", "clip"):
        return path
    stem = info.path.stem
    is_still = info.kind == "still"
    found = sorted(
        p for p in path.iterdir()
        if p.stem == stem and looks_like_still(p) == is_still and p.suffix.lower() not in _NOTES
    )  # fmt: skip
    if len(found) > 1:
        raise InputError(f"{path}: holds {found[0].name} and {found[1].name} for {info.name}; keep one of them")
    if not found and is_still:
        raise InputError(f"{path}: holds no matte for {info.name}; call it {stem}.png")
    return found[0] if found else path


def _missing(path: Path, number: int, own: str = "") -> str:
    each = f"give one for every frame of the input{own}, black for no texture"
    return f"{path}: there is no matte for frame {number}; {each}"
