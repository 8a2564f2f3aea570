"""Clips in: the frames of a file, in order and with their times, and what it says of itself.

Planes are taken from the decoder as they are. Nothing is converted by libswscale, whose default matrix is BT.601.
PyAV sets slice threads; frame threads are asked for.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
import av.error
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer

from grainkit.errors import InputError
from grainkit.io import cuda_decode, field_order, pixel_formats, vpx_alpha
from grainkit.io.base import MAX_MOVING, SourceInfo, StillMetadata, check_pixels, no_such_frames
from grainkit.io.clip_color import color_of
from grainkit.io.container_tags import GENERATED, as_written
from grainkit.io.ebml import missing_bytes
from grainkit.io.ffmpeg import as_text, bytes_of, fraction, open_input, picture_streams, plane_bytes, reason_of
from grainkit.io.frame_times import shown, stamped, started
from grainkit.io.hdr10 import read_hdr10
from grainkit.io.interlaced import DEINTERLACE, interlaced_note
from grainkit.io.iso_boxes import holds_credentials, shown_seconds
from grainkit.io.metadata import CREDENTIALS_LOST, finished_before, read_packet
from grainkit.io.orientation import Orientation, from_display_matrix, oriented_color, oriented_planes
from grainkit.io.pixel_formats import PixelFormat
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import PlanesOfRgb

log = logging.getLogger(__name__)

#: Damaged packets in a row after which a clip counts as ended.
_GIVE_UP_AFTER = 8
#: HDR metadata that follows the picture from frame to frame.
_DYNAMIC_HDR = {"DYNAMIC_HDR_PLUS": "HDR10+", "DOVI_METADATA": "Dolby Vision", "DYNAMIC_HDR_VIVID": "HDR Vivid"}
_SOURCE_TYPE = re.compile(r"digitalsourcetype/(\w+)")


class VideoSource:
    """Frames `start` to `stop` - 1 of a clip, in order, with their absolute numbers.

    Everything before `start` is decoded and left out: exact in every codec. Memory is constant.
    allow_truncated: finish with what decodes where the clip is cut short or damaged, and note it.
    Raises InputError (when made, or while iterating) for a file that is not a readable clip.
    """

    info: SourceInfo

    def __init__(
        self, path: Path | str, *, start: int = 0, stop: int | None = None, allow_truncated: bool = False,
        hwaccel: str = "", max_pixels: int = MAX_MOVING,
    ) -> None:  # fmt: skip
        self._name = str(path)
        self._path = Path(path)
        self._start, self._stop = start, stop
        self._allow_truncated = allow_truncated
        self._damage = ""
        self._container = open_input(self._path, hwaccel)
        try:
            self._stream = _picture_stream(self._container, self._name)
            context = self._stream.codec_context
            check_pixels(f"{self._name}: ", context.width, context.height, max_pixels)
            # What the header says is not what every frame must have.
            self._decoder, alpha_note = vpx_alpha.decoder_of(self._stream)
            self._decoder.options = {"max_pixels": str(max_pixels)}
            self._decoder.thread_type = "AUTO"
            self._pictures = self._decode()
            self._head = started(self._pictures)
            self._first = self._head[0] if self._head else None
            if self._first is None:
                raise InputError(f"{self._name}: no frame can be decoded; it is damaged, encrypted or holds no picture")
            self._form = _readable_format(self._first, self._name)
            self._format_name = self._first.format.name
            self._size = (self._first.width, self._first.height)
            self._time_base = fraction(self._stream.time_base) or 1 / self._rate()
            self._turn, turn_note = _orientation(self._first)
            if self._on_card and not self._turn.is_upright:
                raise InputError(f"{self._name} is rotated, which --hwaccel does not do; leave it out")
            self._order = self._stream_order()
            self._color, color_note = color_of(self._stream, self._first, self._form)
            self.info = self._describe((color_note, turn_note, alpha_note))
        except BaseException:
            self.close()
            raise

    @property
    def _on_card(self) -> bool:
        return self._format_name == "cuda"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        count = 0
        self._first = None
        step = max(1, round(1 / self._rate() / self._time_base))
        for picture, pts, duration in shown(stamped(self._head, self._pictures, step), self._last_duration):
            if self._stop is not None and count >= self._stop:
                return
            if count >= self._start:
                yield self._frame(picture, count, pts, duration)
            count += 1
        if self._damage:
            self._report_damage(count)
        if count <= self._start and self._stop != self._start:
            raise no_such_frames(self._name, "clip", count, self._start, self._stop)

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Every picture that decodes; afterwards `_damage` says what was wrong, if anything was."""
        failures, clean, reached = 0, False, Fraction(0)
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                self._damage = self._damage or self._missing_end(reached)
                break
            except av.error.FFmpegError as error:
                self._damage = reason_of(error)
                break
            if packet.pts is not None and packet.time_base:
                reached = max(reached, (packet.pts + (packet.duration or 0)) * packet.time_base)
            # Empty packets mark the end of a stream, and a decoder given one takes nothing more.
            if packet.stream_index != self._stream.index or packet.size == 0:
                continue
            if packet.is_corrupt:
                self._damage = "a frame is cut off"
                if self._allow_truncated:
                    continue
                break
            try:
                pictures = self._decoder.decode(packet)
            except av.error.FFmpegError as error:
                self._damage, failures = reason_of(error), failures + 1
                # A decoder that refuses the header cannot be asked again: PyAV 19 raises a ValueError then.
                if not self._allow_truncated or failures > _GIVE_UP_AFTER or not self._decoder.is_open:
                    break
                continue
            failures = 0
            for picture in pictures:
                # A recording that was cut out of a stream may begin between key frames: that is no damage.
                if picture.is_corrupt and clean:
                    self._damage = "a frame is damaged"
                    if not self._allow_truncated:
                        return
                clean = clean or not picture.is_corrupt
                yield picture
        if self._decoder.is_open:
            with contextlib.suppress(av.error.FFmpegError):
                yield from self._decoder.decode(None)

    def _missing_end(self, reached: Fraction) -> str:
        """What the container promised and did not hold, or ''. Containers that promise nothing lack nothing."""
        if self._container.format.name.startswith("mov"):
            size = self._path.stat().st_size
            ends = (entry.pos + entry.size for stream in self._container.streams for entry in stream.index_entries)
            return "the file ends before its index does" if max(ends, default=0) > size else ""
        if self._container.format.name.startswith("matroska") and (lacking := missing_bytes(self._path)):
            return f"the file ends {lacking} bytes before its segment does"
        if not self._container.format.name.startswith(("matroska", "avi")) or not self._container.duration:
            return ""
        missing = Fraction(self._container.duration, av.time_base) - reached
        # Last blocks often carry no duration, and audio frames last up to 0.12 s.
        if missing <= max(Fraction(1, 4), 4 / self._rate()):
            return ""
        return f"the last {float(missing):.1f} s are missing"

    def _report_damage(self, count: int) -> None:
        if not self._allow_truncated:
            raise InputError(
                f"{self._name} is truncated or damaged after frame {count - 1} ({self._damage}); "
                "pass --allow-truncated to finish what decodes"
            )
        note = f"truncated or damaged ({self._damage}): {count} frames decoded"
        log.warning("%s: %s", self._name, note)
        self.info = replace(self.info, notes=(*self.info.notes, note))

    def _rate(self) -> Fraction:
        rate = fraction(self._stream.average_rate) or fraction(self._stream.guessed_rate)
        return rate or Fraction(25)

    def _last_duration(self, picture: av.VideoFrame, pts: int) -> int | None:
        """How long the last picture is shown: to the end of an MP4 track, elsewhere as its packet says."""
        stream = self._stream
        if self._container.format.name.startswith("mov") and stream.duration and not self._damage:
            until = (stream.start_time or 0) + stream.duration
            seen, tick = shown_seconds(self._path, stream.id)
            if seen > until * self._time_base + tick:
                until = round(seen / self._time_base)
            if until > pts:
                return until - pts
        return picture.duration or None

    def _frame(self, picture: av.VideoFrame, index: int, pts: int, duration: int | None) -> Frame:
        if (picture.width, picture.height) != self._size or picture.format.name != self._format_name:
            raise InputError(
                f"{self._name} changes from {self._size[0]}x{self._size[1]} {self._form.name} to {picture.width}x"
                f"{picture.height} {picture.format.name} at frame {index}; split it there, or make it uniform first"
            )
        color = self.info.color
        order = self._order_of(picture, index)
        if self._on_card:
            woven = cuda_decode.woven(picture, self._form, self._path)
            return Frame(woven, color, index, pts, duration, self._time_base, field_order=order)
        samples = pixel_formats.unpack(self._form, plane_bytes(picture), *self._size)
        alpha, rgb, planes = samples.alpha, samples.rgb, samples.planes
        if not self._turn.is_upright:
            alpha = None if alpha is None else self._turn.apply(alpha)
            rgb = None if rgb is None else self._turn.apply(rgb)
            planes = oriented_planes(planes, self._color, self._turn) if planes else ()
        made = planes if rgb is None else PlanesOfRgb(rgb, color)
        return Frame(made, color, index, pts, duration, self._time_base, alpha, rgb, field_order=order)

    def _stream_order(self) -> str:
        """The order of the fields, '' where there are none. InputError for such as cannot be kept in frames."""
        assert self._first is not None
        if self._on_card and self._first.interlaced_frame:
            raise InputError(f"{self._name} is interlaced, which --hwaccel does not do; leave it out")
        order = field_order.order_of(self._first, self._stream.codec_context.field_order)
        if not order:
            return ""
        if self._stream.codec_context.name == "hevc":
            # The decoder gives each field as a picture of half the height.
            raise InputError(
                f"{self._name}: HEVC codes its fields as pictures of their own, which are not joined here; "
                f"{DEINTERLACE}"
            )
        if not self._turn.is_upright:
            raise InputError(
                f"{self._name} is interlaced and stored with a {self._turn.describe()}, which would mix its fields; "
                f"{DEINTERLACE}"
            )
        return order

    def _order_of(self, picture: av.VideoFrame, index: int) -> str:
        """The picture's field order. What begins interlaced stays so, as its stream says of all its pictures."""
        if not picture.interlaced_frame:
            return self._order
        if not self._order:
            raise InputError(
                f"{self._name} turns from progressive to interlaced at frame {index}; split it there, or {DEINTERLACE}"
            )
        return field_order.order_of(picture, 0)

    def _describe(self, found: tuple[str, ...]) -> SourceInfo:
        assert self._first is not None
        stream, rate, (width, height) = self._stream, self._rate(), self._size
        aspect = fraction(stream.sample_aspect_ratio) or Fraction(1)
        if self._turn.transposed:
            width, height, aspect = height, width, 1 / aspect
        metadata = as_written(as_text(self._container.metadata))
        xmp = metadata.pop("xmp", "")
        claimed = _SOURCE_TYPE.search(xmp)
        if timecode := _timecode(self._container):
            metadata["timecode"] = timecode
        notes = [note for note in found if note]
        if finished_by := read_packet(xmp.encode("utf-8", "replace")).finished_by:
            notes.append(finished_before(finished_by))
        if self._head[-1].pts is None:
            notes.append(f"no timestamps; made from {float(rate):g} frames per second")
        elif len(self._head) > 1:
            notes.append(f"the first {len(self._head) - 1} frames have no timestamps; counted back from the next")
        if changing := [name for kind, name in _DYNAMIC_HDR.items() if _side_data(self._first, kind)]:
            notes.append(f"{' and '.join(changing)} left out: it describes each frame as it was")
        if self._order:
            notes.append(interlaced_note(self._order))
        if self._container.format.name.startswith("mov") and holds_credentials(self._path):
            notes.append(CREDENTIALS_LOST)
        if len(picture_streams(self._container)) > 1:
            notes.append("several picture streams; the first is used")
        return SourceInfo(
            name=self._name,
            path=self._path,
            kind="clip",
            width=width,
            height=height,
            color=oriented_color(self._color, self._turn),
            frames=self._expected_frames(rate),
            rate=rate,
            time_base=self._time_base,
            sample_aspect=aspect,
            has_alpha=self._form.alpha,
            has_audio=bool(self._container.streams.audio),
            field_order=self._order,
            hdr10=read_hdr10(
                _side_data(self._first, "MASTERING_DISPLAY_METADATA"), _side_data(self._first, "CONTENT_LIGHT_LEVEL")
            ),
            pixel_format=self._form.name,
            metadata=metadata,
            still=StillMetadata(text=tuple((key, metadata[key]) for key in GENERATED if key in metadata)),
            digital_source_type=claimed[1] if claimed else "",
            notes=tuple(notes),
        )

    def _expected_frames(self, rate: Fraction) -> int | None:
        total = self._stream.frames
        if not total and self._stream.duration:
            total = round(self._stream.duration * self._time_base * rate)
        if not total and self._container.duration:
            total = round(Fraction(self._container.duration, av.time_base) * rate)
        if not total:
            return None if self._stop is None else self._stop - self._start
        return max(0, min(total, total if self._stop is None else self._stop) - self._start)


def _picture_stream(container: InputContainer, name: str) -> av.VideoStream:
    streams = picture_streams(container)
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream at all"
        raise InputError(f"{name} holds no video stream (it holds: {kinds}); give a clip with a picture")
    stream = streams[0]
    if stream.codec_context is None:
        raise InputError(f"{name}: its picture codec is unknown or encrypted; convert it to H.264 or ProRes first")
    if stream.codec_context.width <= 0 or stream.codec_context.height <= 0:
        raise InputError(f"{name}: its picture has no size ({stream.codec_context.name}); it is damaged or empty")
    return stream


def _readable_format(picture: av.VideoFrame, name: str) -> PixelFormat:
    form = pixel_formats.parse(cuda_decode.software_name(picture))
    if form is None:
        raise InputError(
            f"{name}: pixel format {picture.format.name} is not supported; convert it first, for example with "
            "ffmpeg -i IN -c:v ffv1 -pix_fmt yuv422p10le OUT.mkv (4:2:0, 4:2:2, 4:4:4, gray, RGB and GBR are read)"
        )
    return form


def _side_data(picture: av.VideoFrame, kind: str) -> bytes:
    """The side data of that name, b'' where the picture has none."""
    # A mapping by name in every version, which the stubs of some do not say.
    data = cast("Mapping[str, Buffer]", picture.side_data).get(kind)
    return b"" if data is None else bytes(data)


def _orientation(picture: av.VideoFrame) -> tuple[Orientation, str]:
    """How to turn the picture, and the sentence that says so."""
    data = _side_data(picture, "DISPLAYMATRIX")
    if not data:
        return Orientation(), ""
    turn = from_display_matrix(bytes_of(data).view(np.int32)[:9].tolist())
    if turn is None:
        return Orientation(), f"rotation of {picture.rotation} degrees ignored (only quarter turns are baked in)"
    return turn, "" if turn.is_upright else f"{turn.describe()} baked in"


def _timecode(container: InputContainer) -> str:
    """Start timecode of the clip, wherever its container keeps it, or ''."""
    streams = [stream.metadata for stream in container.streams if stream.type in ("video", "data")]
    places = [as_written(as_text(place)) for place in (container.metadata, *streams)]
    return next((place["timecode"] for place in places if "timecode" in place), "")
