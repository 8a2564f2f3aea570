"""Numbered stills as one clip, decoded ahead and encoded behind on a few threads, in constant memory."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from grainkit.errors import GrainkitError, InputError, OutputError
from grainkit.io.base import MAX_STILL, SourceInfo, StillMetadata, no_such_frames
from grainkit.io.delivery import StillDelivery
from grainkit.io.formats import SUFFIXES, looks_like_still
from grainkit.io.metadata import claimed_source_type
from grainkit.io.pending import Pending, kept_folder, output_errors
from grainkit.io.stills import Still, encode_still, frame_of, read_still
from grainkit.picture.frame import Frame

_FIELD = re.compile(r"%(0?)([0-9]{0,9})d")
_MAX_THREADS = 4
#: A numbered still of so many may be joined by a stray, and how many strays are named.
_STRAYS, _NAMED = 4, 3
#: In a folder that is kept for another run: SHA-256 and name of each file that is whole, a line each.
_DONE = ".done"


@dataclass(frozen=True)
class Pattern:
    """A printf pattern of file names: `folder` / `prefix` NUMBER `suffix`, NUMBER padded with zeros to `digits`."""

    folder: Path
    prefix: str
    digits: int
    suffix: str

    def path(self, number: int) -> Path:
        """The file of a number."""
        return self.folder / f"{self.prefix}{number:0{self.digits}d}{self.suffix}"

    def numbers(self) -> list[int]:
        """Numbers of the files that are there, in order; InputError where the folder cannot be read.

        Where case tells no files apart, `F_001.PNG` is the file `f_001.png`.
        """
        found = set()
        for name in (p.name for p in _listed(self.folder)):
            middle = name[len(self.prefix) : len(name) - len(self.suffix)]
            if not (middle.isascii() and middle.isdecimal()):
                continue
            path = self.path(int(middle))
            if path.name == name or (path.name.casefold() == name.casefold() and path.exists()):
                found.add(int(middle))
        return sorted(found)

    @property
    def name(self) -> str:
        """The files' name as a printf pattern, less its ending, such as `f_%05d`."""
        return self._written(self.suffix[: self.suffix.rindex(".")] if "." in self.suffix else self.suffix)

    def __str__(self) -> str:
        return str(self.folder / self._written(self.suffix))

    def _written(self, suffix: str) -> str:
        field = f"%0{self.digits}d" if self.digits > 1 else "%d"
        return f"{self.prefix.replace('%', '%%')}{field}{suffix.replace('%', '%%')}"


def parse_pattern(text: Path | str) -> Pattern | None:
    """The pattern in the last part of a path (`%d`, `%05d`; `%%` is a percent sign); None where it holds not one."""
    path = Path(text)
    pieces = path.name.split("%%")
    found = [(i, m) for i, piece in enumerate(pieces) for m in _FIELD.finditer(piece)]
    if len(found) != 1 or any("%" in _FIELD.sub("", piece) for piece in pieces):
        return None
    at, match = found[0]
    before = "%".join([*pieces[:at], pieces[at][: match.start()]])
    after = "%".join([pieces[at][match.end() :], *pieces[at + 1 :]])
    digits = int(match[2] or 1)
    return Pattern(path.parent, before, digits, after) if digits <= 20 else None


@dataclass(frozen=True)
class Numbered:
    """Stills that share one name but for a number, in the order of the numbers, and strays that lie among them."""

    pattern: Pattern
    files: tuple[Path, ...]
    strays: tuple[Path, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """That the strays are left out, by name."""
        if not self.strays:
            return ()
        shown = ", ".join(p.name for p in self.strays[:_NAMED])
        more = f" and {len(self.strays) - _NAMED} more" if len(self.strays) > _NAMED else ""
        are = "is" if len(self.strays) == 1 else "are"
        return (f"{shown}{more} {are} left out: not one of {self.files[0].name} to {self.files[-1].name}",)


def numbered_among(files: list[Path]) -> Numbered | None:
    """The numbered stills among these files, all but a few strays (a cover, a thumbnail); None where they are not."""
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Path]] = {}
    for file in files:
        words = _words(file.name)
        for at in range(1, len(words), 2):
            alike.setdefault((tuple(words[:at]), tuple(words[at + 1 :])), []).append(file)
    most = max(alike.values(), key=len, default=[])
    strays = [file for file in files if file not in set(most)]
    if strays and (len(most) < 3 or len(strays) > max(1, len(most) // _STRAYS)):
        return None
    pattern = _common_pattern(most)
    return None if pattern is None else Numbered(pattern, tuple(most), tuple(strays))


def series_files(path: Path | str) -> list[Path]:
    """The stills of a folder, told by their endings, in the order of the numbers in their names; InputError: none."""
    files = [p for p in _listed(Path(path)) if looks_like_still(p) and p.is_file()]
    if not files:
        raise InputError(f"{path}: the folder holds no stills; they end in .png, .jpg, .tif, .webp or .exr")
    return sorted(files, key=lambda p: [(int(w), w) if w.isdecimal() else (-1, w) for w in _words(p.name)])


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError as error:
        raise InputError(f"{folder}: no such folder") from error
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _words(name: str) -> list[str]:
    """Digits and the rest, in turn."""
    return re.split(r"([0-9]+)", name)


def _common_pattern(files: list[Path]) -> Pattern | None:
    """The pattern that all of two or more files follow: names alike but for one number."""
    names = [_words(p.name) for p in files]
    if len(names) < 2 or any(len(n) != len(names[0]) for n in names):
        return None
    varying = [i for i, words in enumerate(zip(*names, strict=True)) if len(set(words)) > 1]
    if len(varying) != 1 or varying[0] % 2 == 0:
        return None
    at, first = varying[0], names[0]
    written = [n[at] for n in names]
    digits = len(written[0]) if len({len(w) for w in written}) == 1 else 1
    if any(w.startswith("0") and len(w) > 1 for w in written):
        digits = min(len(w) for w in written)
    pattern = Pattern(files[0].parent, "".join(first[:at]), digits, "".join(first[at + 1 :]))
    return pattern if all(pattern.path(int(w)).name == p.name for w, p in zip(written, files, strict=True)) else None


class SequenceSource:
    """Numbered stills, from a printf pattern or a folder that holds one sequence.

    A frame's index is its place counted from the lowest number, whatever `start` is. Frames `start` to
    `stop` - 1 come out; pts is the index, in units of 1 / `rate`. All have the size, depth and kind of the first.
    Raises InputError when made for a missing number, and while iterating for a file that is
    damaged or differs, naming it.
    """

    def __init__(
        self, pattern_or_folder: Path | str, *, start: int = 0, stop: int | None = None,
        rate: Fraction = Fraction(24), max_pixels: int = MAX_STILL,
    ) -> None:  # fmt: skip
        pattern, numbers, notes = _numbered(pattern_or_folder)
        self._max_pixels = max_pixels
        self._files = [pattern.path(number) for number in numbers]
        stop = len(self._files) if stop is None else min(stop, len(self._files))
        if not 0 <= start < stop:
            raise no_such_frames(pattern_or_folder, "sequence", len(self._files), start, stop)
        self._range = range(start, stop)
        self._time_base = 1 / rate
        still = read_still(self._files[start], max_pixels)
        self._kind = _kind(still)
        self._pool: ThreadPoolExecutor | None = None
        self.info = SourceInfo(
            name=str(pattern_or_folder), path=Path(pattern_or_folder), kind="sequence",
            width=still.rgb.shape[1], height=still.rgb.shape[0], color=still.color, frames=len(self._range), rate=rate,
            time_base=self._time_base, has_alpha=still.alpha is not None, pixel_format=still.pixel_format,
            still=still.metadata, digital_source_type=claimed_source_type(still.metadata.xmp),
            notes=(*still.notes, *notes), first_number=numbers[0], frame_name=pattern.name,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Frame]:
        threads = _threads()
        self._pool = ThreadPoolExecutor(threads, "grainkit-decode")
        ahead: deque[Future[Frame]] = deque()
        try:
            for index in self._range:
                ahead.append(self._pool.submit(self._frame, index))
                if len(ahead) > threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            self.close()

    def _frame(self, index: int) -> Frame:
        path = self._files[index]
        still = read_still(path, self._max_pixels)
        if _kind(still) != self._kind:
            first = self._files[self._range.start].name
            raise InputError(f"{path}: is {_kind(still)}, but {first} is {self._kind}; a sequence is of one kind")
        return replace(
            frame_of(replace(still, color=self.info.color)),
            index=index, pts=index, duration=1, time_base=self._time_base,
        )  # fmt: skip

    def close(self) -> None:
        """Stop decoding ahead."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sequence_files(spec: Path | str) -> list[Path]:
    """All files of the sequence in order; InputError for none, for a gap, for a folder that is no sequence."""
    pattern, numbers, _ = _numbered(spec)
    return [pattern.path(number) for number in numbers]


def _numbered(spec: Path | str) -> tuple[Pattern, list[int], tuple[str, ...]]:
    """The pattern, the numbers that are there, and what is to be noted."""
    notes: tuple[str, ...] = ()
    pattern: Pattern | None
    if Path(spec).is_dir():
        found = numbered_among(series_files(spec))
        if found is None:
            raise InputError(
                f"{spec}: its stills are no numbered sequence; name them like f_00001.png, or treat them one by one"
            )
        pattern, notes = found.pattern, found.notes
    else:
        pattern = parse_pattern(spec)
        if pattern is None:
            raise InputError(f"{spec}: is neither a folder nor a pattern; write the number as in f_%05d.png")
    numbers = pattern.numbers()
    if not numbers:
        raise InputError(f"{spec}: no file has such a name; a pattern is like f_%05d.png, for f_00001.png and so on")
    for number, expected in zip(numbers, range(numbers[0], numbers[-1] + 1), strict=False):
        if number != expected:
            raise InputError(
                f"{pattern.path(expected)}: missing from the sequence {numbers[0]} to {numbers[-1]}; "
                "put it back, renumber the files, or finish each on its own with --as stills"
            )
    return pattern, numbers, notes


def _kind(still: Still) -> str:
    return f"{still.rgb.shape[1]}x{still.rgb.shape[0]} {still.pixel_format}"


def _threads() -> int:
    return min(_MAX_THREADS, max(2, os.cpu_count() or 1))


def frames_kept(destination: Path, word: str, first_number: int) -> int:
    """How many files from the first number on an earlier run kept for this pattern, each of them whole."""
    pattern = parse_pattern(destination)
    folder = None if pattern is None else kept_folder(Path(os.path.abspath(pattern.folder)), word)
    if pattern is None or folder is None or not (folder / _DONE).is_file():
        return 0
    lines = os.fsdecode((folder / _DONE).read_bytes()).split("\n")  # as it is written
    digests = {name: digest for digest, _, name in (line.partition(" ") for line in lines)}
    for count in itertools.count():
        name = pattern.path(first_number + count).name
        if name not in digests or not (folder / name).is_file():
            return count
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digests[name]:
                return count
    return 0


class SequenceSink:
    """Writes each frame as a numbered still, encoding on threads; all files appear at commit().

    destination: a printf pattern (`DIR/f_%05d.png`; the folder is made where it is missing) or a folder,
        whose files are called FOLDER/NAME_%06d.EXT after it.
    first_number: number of the file of frame 0. workers: encoding threads; as many as there are cores, up to 4,
        when None. At most workers + 2 frames are held.
    kept: a word by which another run finds what this one has done, should it end early; see `Pending`.
    delivery, dpi, metadata, xmp: as for `encode_still`.
    An error while encoding or storing a frame is raised by a later write(), or by commit().
    """

    notes: tuple[str, ...] = ()

    def __init__(
        self, destination: Path | str, *, delivery: StillDelivery, dpi: float = 0.0,
        metadata: StillMetadata | None = None, xmp: bytes | None = None, first_number: int = 0,
        workers: int | None = None, kept: str = "",
    ) -> None:  # fmt: skip
        if "%" in Path(destination).name:
            found = parse_pattern(destination)
            if found is None:
                raise OutputError(f"{destination}: one number is needed in the name, as in f_%05d.png")
            self._pattern = found
        else:
            folder = Path(destination)
            self._pattern = Pattern(folder, f"{folder.absolute().name}_", 6, SUFFIXES[delivery.container])
        self._delivery, self._dpi, self._xmp = delivery, dpi, xmp
        self._metadata = metadata or StillMetadata()
        self._first_number = first_number
        self._numbers: set[int] = set()
        self._workers = workers or _threads()
        self._pending = Pending(Path(os.path.abspath(self._pattern.folder)), folder=True, kept=kept)
        self._done = self._pending.path / _DONE if kept else None
        self._pool = ThreadPoolExecutor(self._workers, "grainkit-encode")
        self._behind: deque[Future[None]] = deque()

    def write(self, frame: Frame) -> None:
        """Queue a frame; waits while workers + 2 are held. Raises what an earlier frame's encoding raised."""
        number = frame.index + self._first_number
        if number in self._numbers:
            raise GrainkitError(f"{self._pattern.path(number)}: frame {frame.index} was written already")
        while self._behind and (self._behind[0].done() or len(self._behind) > self._workers):
            self._behind.popleft().result()
        self._numbers.add(number)
        self._behind.append(self._pool.submit(self._store, frame, number))

    def _store(self, frame: Frame, number: int) -> None:
        data = encode_still(frame, self._delivery, self._dpi, self._metadata, self._xmp)
        name = self._pattern.path(number).name
        with output_errors(self._pattern.folder / name):
            (self._pending.path / name).write_bytes(data)
            if self._done is not None:
                # In one write: whatever ends this process leaves whole lines, or none.
                with self._done.open("ab", buffering=0) as file:
                    file.write(hashlib.sha256(data).hexdigest().encode() + b" " + os.fsencode(name) + b"\n")

    def commit(self) -> None:
        """Wait for all frames, then move them into place. GrainkitError where none was written."""
        while self._behind:
            self._behind.popleft().result()
        self._pool.shutdown()
        if not self._numbers:
            raise GrainkitError(f"{self._pattern}: no frame was written")
        if self._done is not None:
            self._done.unlink()
        self._pending.commit()

    def abort(self) -> None:
        """Stop encoding and remove what is not committed."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._behind.clear()
        self._pending.abort()
