"""YUV4MPEG2 streams: the pipe between tools. Byte for byte what came in where nothing was changed.

The format carries size, rate, pixel aspect, field order, chroma sampling with siting and, by a common extension,
range; never matrix, primaries or transfer, which are assumed by size as for untagged clips.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from grainkit.errors import EncodingError, InputError, OutputError
from grainkit.io.base import MAX_MOVING, SourceInfo, check_pixels, no_such_frames
from grainkit.io.color_tags import convention
from grainkit.io.interlaced import interlaced_note
from grainkit.picture.color import Color, Range, Siting, assumed_words
from grainkit.picture.frame import Frame, Plane

_MAGIC = b"YUV4MPEG2"
#: No header or frame line is longer in practice; a file that is not Y4M may have no line end at all.
_LONGEST_LINE = 4096
_CHROMA = re.compile(r"(420|422|444|mono)(jpeg|mpeg2|paldv)?(?:p?(\d+))?")
_SAMPLING = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "mono": (1, 1)}
_SITING = {"jpeg": Siting.CENTER, "mpeg2": Siting.LEFT, "paldv": Siting.TOPLEFT}
_SITED_NAME = {Siting.CENTER: "jpeg", Siting.LEFT: "mpeg2", Siting.TOPLEFT: "paldv"}
#: The header's I tag to a field order. Where that is mixed, the I tag of a FRAME line says how it is shown, and how
#: it and its chroma are sampled. Fields that are shown again (T, B, 2, 3) have no place in frames of one length.
_ORDERS = {"t": "tff", "b": "bff", "m": "mixed"}
_INTERLACING = {"": "p", **{order: tag for tag, order in _ORDERS.items()}}
_FRAME_ORDERS = {"1pp": "", "tii": "tff", "bii": "bff"}
_FRAME_TAGS = {order: tag for tag, order in _FRAME_ORDERS.items()}
#: FFmpeg's ratios are of two 32-bit numbers.
_MAX_RATIO = 2**31 - 1
_DEPTHS = (8, 9, 10, 12, 14, 16)


class Y4MSource:
    """Frames `start` to `stop` - 1 of a Y4M stream, with their absolute numbers; pts counts frames.

    stream: binary, need not seek; it is read only as far as needed and not closed.
    allow_truncated: end quietly, with a note, where the last frame is cut off.
    Raises InputError for a header or frame that is broken or cut off.
    """

    info: SourceInfo

    def __init__(
        self,
        stream: BinaryIO,
        name: str = "-",
        start: int = 0,
        stop: int | None = None,
        allow_truncated: bool = False,
        max_pixels: int = MAX_MOVING,
    ) -> None:
        self._stream = stream
        self._name = name
        self._start, self._stop = start, stop
        self._allow_truncated = allow_truncated
        self.info = _parse_header(self._line(0), name)
        check_pixels(f"{name}: ", self.info.width, self.info.height, max_pixels)
        color = self.info.color
        self._shapes = [(self.info.height, self.info.width)]
        if not self.info.pixel_format.startswith("gray"):
            across, down = color.subsampling
            self._shapes += [(-(-self.info.height // down), -(-self.info.width // across))] * 2
        self._dtype = np.dtype("u1" if color.depth == 8 else "<u2")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The stream belongs to the caller; it stays open."""

    def __iter__(self) -> Iterator[Frame]:
        count = 0
        while self._stop is None or count < self._stop:
            line = self._line(count)
            if not line:
                break
            if line.split(b" ")[0] != b"FRAME":
                raise InputError(f"{self._name}: where frame {count} should begin there is {line[:20]!r}, not FRAME")
            order = self._order(line.decode("ascii", "replace"), count)
            planes = self._planes()
            if planes is None:
                self._cut_off(count)
                return
            if count >= self._start:
                yield self._frame(planes, count, order)
            count += 1
        if count <= self._start and self._stop != self._start:
            raise no_such_frames(self._name, "pipe", count, self._start, self._stop)

    def _frame(self, planes: tuple[Plane, ...], index: int, order: str) -> Frame:
        return Frame(planes, self.info.color, index, index, 1, self.info.time_base, field_order=order)

    def _order(self, line: str, frame: int) -> str:
        """The field order of the frame that this line begins."""
        if self.info.field_order != "mixed":
            return self.info.field_order
        tag = next((word[1:] for word in line.split(" ")[1:] if word.startswith("I")), "")
        if tag not in _FRAME_ORDERS:
            raise InputError(
                f"{self._name}: frame {frame} of a stream of mixed fields (Im) says I{tag}; "
                f"{', '.join(f'I{known}' for known in _FRAME_ORDERS)} are read"
            )
        return _FRAME_ORDERS[tag]

    def _line(self, frame: int) -> bytes:
        """The next line without its end; empty at the end of the stream."""
        line = self._stream.readline(_LONGEST_LINE)
        if line and not line.endswith(b"\n"):
            if self._allow_truncated and b"FRAME".startswith(line[:5]):
                return b""
            if frame == 0 and not _MAGIC.startswith(line[: len(_MAGIC)]):
                raise InputError(f"{self._name} is not Y4M: it does not begin with {_MAGIC.decode()}")
            raise InputError(
                f"{self._name} is truncated or damaged at frame {frame}; pass --allow-truncated to finish what there is"
            )
        return line[:-1]

    def _planes(self) -> tuple[Plane, ...] | None:
        planes: list[Plane] = []
        for shape in self._shapes:
            data = self._read(shape[0] * shape[1] * self._dtype.itemsize)
            if data is None:
                return None
            samples = np.frombuffer(data, self._dtype).reshape(shape)
            planes.append(samples if samples.itemsize == 1 else samples.astype(np.uint16, copy=False))
        return tuple(planes)

    def _read(self, size: int) -> bytearray | None:
        """Exactly `size` bytes, or None where the stream ends before (pipes give less than is asked for)."""
        data = bytearray(size)
        view, done = memoryview(data), 0
        while done < size:
            got = self._stream.read(size - done)
            if not got:
                return None
            view[done : done + len(got)] = got
            done += len(got)
        return data

    def _cut_off(self, count: int) -> None:
        if not self._allow_truncated:
            raise InputError(
                f"{self._name} is truncated after frame {count - 1}; pass --allow-truncated to finish what there is"
                if count
                else f"{self._name} is truncated within its first frame; check the tool that writes it"
            )
        self.info = replace(self.info, notes=(*self.info.notes, f"truncated: {count} frames read"))


def _parse_header(line: bytes, name: str) -> SourceInfo:
    if not line:
        raise InputError(f"{name} is empty; a Y4M stream was expected")
    words = line.decode("ascii", "replace").split(" ")
    if words[0] != _MAGIC.decode():
        raise InputError(f"{name} is not Y4M: it does not begin with {_MAGIC.decode()}")
    tags = {word[0]: word[1:] for word in words[1:] if word and word[0] != "X"}
    extra = dict(word[1:].split("=", 1) for word in words[1:] if word.startswith("X") and "=" in word)
    notes: list[str] = []

    width, height = _size(tags, name)
    sampling, siting, depth = _chroma(tags.get("C", "420"), name)
    rate = _ratio(tags.get("F", ""))
    if rate is None:
        rate = Fraction(25)
        notes.append("no frame rate given (F tag), or none that can be; 25 frames per second assumed")
    if order := _ORDERS.get(tags.get("I", "p"), ""):
        notes.append(interlaced_note(order))

    assumed = ["matrix", "primaries", "transfer"]
    range_name = extra.get("COLORRANGE", "").lower()
    if range_name not in ("limited", "full"):
        assumed.append("range")
    if siting is None and sampling != "444" and sampling != "mono":
        assumed.append("siting")
    matrix, primaries, transfer = convention(width, height)
    color = Color(
        matrix=matrix,
        primaries=primaries,
        transfer=transfer,
        range=Range.FULL if range_name == "full" else Range.LIMITED,
        siting=siting or Siting.LEFT,
        depth=depth,
        subsampling=_SAMPLING[sampling],
        assumed=tuple(assumed),
    )
    notes.append(assumed_words(color))
    deep = "" if depth == 8 else f"{depth}le"
    return SourceInfo(
        name=name,
        path=None,
        kind="pipe",
        width=width,
        height=height,
        color=color,
        rate=rate,
        time_base=1 / rate,
        sample_aspect=_ratio(tags.get("A", "")) or Fraction(1),
        field_order=order,
        pixel_format=f"gray{deep}" if sampling == "mono" else f"yuv{sampling}p{deep}",
        notes=tuple(notes),
    )


def _size(tags: dict[str, str], name: str) -> tuple[int, int]:
    width, height = tags.get("W", ""), tags.get("H", "")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise InputError(f"{name}: the Y4M header gives no size (W{width} H{height}); it needs W and H above 0")
    return int(width), int(height)


def _chroma(tag: str, name: str) -> tuple[str, Siting | None, int]:
    """(sampling, siting or None, depth) of a C tag."""
    found = _CHROMA.fullmatch(tag)
    if found is None or int(found[3] or 8) not in _DEPTHS:
        raise InputError(
            f"{name}: Y4M chroma C{tag} is not supported; it is 420, 422, 444 or mono with 8, 9, 10, 12, 14 or 16 bits"
        )
    return found[1], _SITING.get(found[2] or ""), int(found[3] or 8)


def _ratio(text: str) -> Fraction | None:
    """'30000:1001' as a fraction; None where it is missing, 0:0, nonsense, or more than containers can say."""
    above, _, below = text.partition(":")
    if not (above.isdecimal() and below.isdecimal()):
        return None
    if not (0 < int(above) <= _MAX_RATIO and 0 < int(below) <= _MAX_RATIO):
        return None
    return Fraction(int(above), int(below))


class Y4MSink:
    """Writes frames as Y4M. The stream is flushed, not closed, at commit(). BrokenPipeError goes through.

    color: depth 8..16, sampling, siting and range of the frames that come; one-plane frames are written as mono.
    field_order: of the frames that come, as a source's info has it.
    Raises OutputError for frames Y4M cannot hold (float, R'G'B').
    """

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        stream: BinaryIO,
        color: Color,
        width: int,
        height: int,
        rate: Fraction,
        sample_aspect: Fraction = Fraction(1),
        field_order: str = "",
    ) -> None:
        if color.depth not in _DEPTHS:
            raise OutputError(f"Y4M holds {', '.join(map(str, _DEPTHS))} bits, not {color.depth}; set delivery depth")
        self._stream = stream
        self._color = color
        self._size = (height, width)
        self._tags = (
            f"W{width} H{height} F{rate.numerator}:{rate.denominator} "
            f"I{_INTERLACING[field_order]} A{sample_aspect.numerator}:{sample_aspect.denominator}"
        )
        self._mixed = field_order == "mixed"
        self._planes = 0

    def write(self, frame: Frame) -> None:
        """Append one frame; the first one writes the header."""
        native = np.uint8 if self._color.depth == 8 else np.uint16
        if frame.planes[0].shape != self._size or any(plane.dtype != native for plane in frame.planes):
            raise EncodingError(
                f"frame {frame.index} is {frame.width}x{frame.height} {frame.planes[0].dtype}, but the stream is "
                f"{self._size[1]}x{self._size[0]} {np.dtype(native)}"
            )
        if not self._planes:
            self._planes = len(frame.planes)
            self._stream.write(self._header().encode("ascii"))
        if len(frame.planes) != self._planes:
            raise EncodingError(f"frame {frame.index} has {len(frame.planes)} planes, those before had {self._planes}")
        tag = f" I{_FRAME_TAGS[frame.field_order]}" if self._mixed else ""
        self._stream.write(f"FRAME{tag}\n".encode("ascii"))
        for plane in frame.planes:
            stored = plane if plane.itemsize == 1 else plane.astype("<u2", copy=False)
            self._stream.write(np.ascontiguousarray(stored).data)

    def _header(self) -> str:
        color = self._color
        sampling = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}[color.subsampling]
        if self._planes == 1:
            chroma = "mono" if color.depth == 8 else f"mono{color.depth}"
        elif color.depth > 8:
            chroma = f"{sampling}p{color.depth}"
        else:
            chroma = sampling + (_SITED_NAME.get(color.siting, "mpeg2") if sampling == "420" else "")
        return f"{_MAGIC.decode()} {self._tags} C{chroma} XCOLORRANGE={color.range.name}\n"

    def commit(self) -> None:
        self._stream.flush()

    def abort(self) -> None:
        """Nothing to take back: what went down a pipe is gone."""
