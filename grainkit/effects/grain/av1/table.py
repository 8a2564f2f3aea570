"""Film grain tables (`filmgrn1`): the text in which libaom, SVT-AV1's and other tools hand parameters on.

After the first line each entry is a line `E start end apply seed update`, times in ten-millionths of a second,
and where `update` is 1 the parameters: p (lag, coefficient shift, grain scale shift, scaling shift, chroma from
luma, overlap, then mult, luma mult and offset of Cb and of Cr), points sY, sCb, sCr, coefficients cY, cCb, cCr.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grainkit.effects.grain.av1.film_grain import FilmGrain, Points
from grainkit.errors import InputError

_HEAD = "filmgrn1"
_TICKS = 10_000_000
_FOREVER = 2**63 - 1
_MAX_FILE = 64 << 20
_PARAMETERS = ("p", "sY", "sCb", "sCr", "cY", "cCb", "cCr")


@dataclass(frozen=True)
class GrainTable:
    """entries: (start, end, parameters or None for no grain), times in ten-millionths of a second, in order."""

    entries: tuple[tuple[int, int, FilmGrain | None], ...]

    def at(self, seconds: float) -> FilmGrain | None:
        """Parameters for a frame that is shown then; None where the table has none."""
        # A frame's time is not a whole number of ticks: rounded, it belongs to the entry that begins with it.
        tick = round(seconds * _TICKS)
        return next((grain for start, end, grain in self.entries if start <= tick < end), None)


def table_text(grain: FilmGrain, seed: int) -> str:
    """A table with one entry for all time. seed: of its first frame; who reads it draws the others."""
    p = (
        grain.lag, grain.ar_shift, grain.scale_shift, grain.scaling_shift, int(grain.chroma_from_luma),
        int(grain.overlap), *grain.cb_mix, *grain.cr_mix,
    )  # fmt: skip
    lines: list[tuple[str, tuple[int, ...]]] = [("p", p)]
    for name, points in (("sY", grain.luma_points), ("sCb", grain.cb_points), ("sCr", grain.cr_points)):
        lines.append((name, (len(points), *(n for point in points for n in point))))
    lines += [("cY", grain.luma_coefficients), ("cCb", grain.cb_coefficients), ("cCr", grain.cr_coefficients)]
    body = "".join(f"\t{name} {' '.join(map(str, numbers))}\n" for name, numbers in lines)
    return f"{_HEAD}\nE 0 {_FOREVER} 1 {seed} 1\n{body}"


def read_table(path: Path, *, clip: bool) -> GrainTable:
    """The table in a file. clip: whether grain is to stay in the limited range, which a table does not say.

    Raises InputError naming file and line where it is no table or holds what AV1 cannot code.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE).removeprefix(codecs.BOM_UTF8).decode("ascii", "replace")
    except OSError as error:
        raise InputError(f"cannot read the grain table {path}: {error.strerror or error}") from error
    lines = _Lines(path, text)
    if lines.words() != [_HEAD]:
        raise lines.wrong(f"a film grain table begins with a line '{_HEAD}'")
    entries: list[tuple[int, int, FilmGrain | None]] = []
    grain: FilmGrain | None = None
    while (numbers := lines.numbers("E")) is not None:
        if len(numbers) != 5:
            raise lines.wrong("an entry is E, start, end, apply, seed and update")
        start, end, apply, _, update = numbers
        if update:
            grain = _parameters(lines, clip)
        entries.append((start, end, grain if apply else None))
    if not entries:
        raise lines.wrong("the table has no entry")
    return GrainTable(tuple(entries))


def _parameters(lines: _Lines, clip: bool) -> FilmGrain:
    found = {}
    for name in _PARAMETERS:
        numbers = lines.numbers(name)
        if numbers is None:
            raise lines.wrong(f"parameters end before {name}")
        found[name] = numbers
    p = found["p"]
    if len(p) != 12:
        raise lines.wrong("p holds twelve numbers")
    try:
        return FilmGrain(
            luma_points=_points(lines, found["sY"]),
            cb_points=_points(lines, found["sCb"]),
            cr_points=_points(lines, found["sCr"]),
            scaling_shift=p[3],
            lag=p[0],
            luma_coefficients=tuple(found["cY"]),
            cb_coefficients=tuple(found["cCb"]),
            cr_coefficients=tuple(found["cCr"]),
            ar_shift=p[1],
            scale_shift=p[2],
            cb_mix=(p[6], p[7], p[8]),
            cr_mix=(p[9], p[10], p[11]),
            overlap=bool(p[5]),
            clip=clip,
            chroma_from_luma=bool(p[4]),
        )
    except ValueError as error:
        raise lines.wrong(str(error)) from error


def _points(lines: _Lines, numbers: list[int]) -> Points:
    count, *flat = numbers or [-1]
    if len(flat) != 2 * count:
        raise lines.wrong("points are their count, then value and scaling of each")
    return tuple(zip(flat[::2], flat[1::2], strict=True))


class _Lines:
    """Lines that hold anything, one after the other, and where they stand."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._number = 0
        self._lines: Iterator[tuple[int, list[str]]] = (
            (n, words) for n, line in enumerate(text.splitlines(), start=1) if (words := line.split())
        )

    def words(self) -> list[str]:
        """The next line's words, none at the end."""
        self._number, words = next(self._lines, (self._number, []))
        return words

    def numbers(self, name: str) -> list[int] | None:
        """The numbers of the next line, which begins with `name`; None at the end."""
        words = self.words()
        if not words:
            return None
        if words[0] != name:
            raise self.wrong(f"'{words[0][:20]}' stands where {name} should")
        try:
            return [int(word) for word in words[1:]]
        except ValueError as error:
            raise self.wrong(f"{name} holds something else than whole numbers") from error

    def wrong(self, what: str) -> InputError:
        return InputError(f"{self._path}, line {self._number}: {what}")
