"""Clips in and out: the only file that knows PyAV.

What is easy to get wrong, and is settled here once:
- Planes are taken from the decoder as they are. Nothing is converted by libswscale, whose default matrix is BT.601.
- PyAV sets slice threads, with which libx264 compresses worse; both ends ask for frame threads.
- ProRes writes primaries and transfer from the frame, others from the codec context: both are tagged.
- Timestamps: encoder and MP4 track tick in the source's own time base, so nothing is rounded. Key frames
  that come before their display order get negative composition offsets, so that the picture track needs no edit
  list and starts at 0. An edit list is left out of the file altogether where every track starts at 0; audio
  with encoder priming starts before 0 and keeps its own, because without it sound would be late.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from itertools import islice
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer

from grainkit.errors import EncodingError, InputError, OutputError
from grainkit.io import cuda_decode, field_order, pixel_formats, vpx_alpha
from grainkit.io.base import MAX_MOVING, PacketRewriter, SourceInfo, StillMetadata, check_pixels, no_such_frames
from grainkit.io.color_tags import convention, siting_option
from grainkit.io.container_tags import GENERATED, as_written, content, plan_tags
from grainkit.io.delivery import ClipDelivery
from grainkit.io.ebml import missing_bytes
from grainkit.io.frame_times import shown, stamped, started
from grainkit.io.hdr10 import encoder_parameters, read_hdr10, with_parameters
from grainkit.io.interlaced import DEINTERLACE, interlaced_note
from grainkit.io.iso_boxes import holds_credentials, shown_seconds
from grainkit.io.metadata import CREDENTIALS_LOST, finished_before, read_packet
from grainkit.io.orientation import Orientation, from_display_matrix, oriented_color, oriented_planes
from grainkit.io.pending import Pending, output_errors
from grainkit.io.pixel_formats import PixelFormat, Samples
from grainkit.io.quiet import without_lines
from grainkit.io.timecode import shift_timecode
from grainkit.machine import system
from grainkit.picture.color import Color, Matrix, Primaries, Range, Siting, Transfer, assumed_words
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import PlanesOfRgb

log = logging.getLogger(__name__)

#: What containers are called in recipes, and what FFmpeg calls them.
MUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm", "nut": "nut"}
#: Readers that FFmpeg may take. Not those of lists (HLS, concat), which would open whatever files they name. Those
#: of sound are for a better word on why that is no clip.
DEMUXERS = (
    "mov", "matroska", "webm", "nut", "avi", "mpegts", "mpeg", "mxf", "mxf_opatom", "flv", "asf", "ogg", "ivf", "obu",
    "h264", "hevc", "vvc", "m4v", "mpegvideo", "mjpeg", "dv", "gxf", "rm", "wtv", "yuv4mpegpipe",
    "wav", "mp3", "aac", "flac",
)  # fmt: skip
#: Encoders that presets use; `probe_encoders` says which of them this build has.
ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "dnxhd", "ffv1", "aac")
#: How lines begin that encoders write on standard error themselves, past FFmpeg's log, when they refuse a value.
_ENCODERS_OWN_LINES = ("x264 [error]", "x265 [error]", "Svt[error]")
#: ISO 16684-3 annex: the box that holds an XMP packet in MP4 and MOV.
XMP_BOX = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")

#: Damaged packets in a row after which a clip counts as ended.
_GIVE_UP_AFTER = 8
#: Packets read in advance, to see where each stream that is taken along begins.
_LOOK_AHEAD = 64
#: Ticks per second fit 31 bits in MP4.
_MAX_TIMESCALE = (1 << 31) - 1
#: HDR metadata that follows the picture from frame to frame.
_DYNAMIC_HDR = {"DYNAMIC_HDR_PLUS": "HDR10+", "DOVI_METADATA": "Dolby Vision", "DYNAMIC_HDR_VIVID": "HDR Vivid"}
_SOURCE_TYPE = re.compile(r"digitalsourcetype/(\w+)")
#: PyAV 19 reads tags that are not UTF-8 with surrogates for the odd bytes; 18 has to be told.
_TAGS_OF_ANY_BYTES: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)


def probe_encoders() -> dict[str, bool]:
    """Which of the encoders that presets use are in this build."""
    return {name: _encoder_exists(name) for name in ENCODERS}


def library_versions() -> dict[str, str]:
    """Version of PyAV and of each FFmpeg library in it."""
    libraries = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    return {"av": av.__version__, **libraries}


def _encoders_of_pictures() -> list[str]:
    return [name for name, here in probe_encoders().items() if here and av.codec.Codec(name, "w").type == "video"]


def _encoder_exists(name: str) -> bool:
    try:
        av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


# --------------------------------------------------------------------------------------------- reading


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
        self._container = _open_input(self._path, hwaccel)
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
            self._time_base = _fraction(self._stream.time_base) or 1 / self._rate()
            self._turn, turn_note = _orientation(self._first)
            if self._on_card and not self._turn.is_upright:
                raise InputError(f"{self._name} is rotated, which --hwaccel does not do; leave it out")
            self._order = self._stream_order()
            self._color, color_note = _color_of(self._stream, self._first, self._form)
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
                self._damage = _reason(error)
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
                self._damage, failures = _reason(error), failures + 1
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
        rate = _fraction(self._stream.average_rate) or _fraction(self._stream.guessed_rate)
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
        timing = {
            "index": index, "pts": pts, "duration": duration, "time_base": self._time_base,
            "field_order": self._order_of(picture, index),
        }  # fmt: skip
        if self._on_card:
            return Frame(cuda_decode.woven(picture, self._form, self._path), color, **timing)  # type: ignore[arg-type]
        samples = pixel_formats.unpack(self._form, _plane_bytes(picture), *self._size)
        alpha, rgb, planes = samples.alpha, samples.rgb, samples.planes
        if not self._turn.is_upright:
            alpha = None if alpha is None else self._turn.apply(alpha)
            rgb = None if rgb is None else self._turn.apply(rgb)
            planes = oriented_planes(planes, self._color, self._turn) if planes else ()
        made = planes if rgb is None else PlanesOfRgb(rgb, color)
        return Frame(made, color, alpha=alpha, rgb=rgb, **timing)  # type: ignore[arg-type]

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
        aspect = _fraction(stream.sample_aspect_ratio) or Fraction(1)
        if self._turn.transposed:
            width, height, aspect = height, width, 1 / aspect
        metadata = as_written(_text(self._container.metadata))
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
        if len(_picture_streams(self._container)) > 1:
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


def _open_input(path: Path, hwaccel: str = "") -> InputContainer:
    accelerator = cuda_decode.accelerator(hwaccel) if hwaccel else None
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a clip; name a clip in it")
        if size == 0:
            raise InputError(f"{path} is empty; make or copy it again")
        # The prefix keeps FFmpeg from taking a colon in a name for a protocol.
        options = {"export_xmp": "1", "format_whitelist": ",".join(DEMUXERS)}
        name = f"file:{path}"
        try:
            opened: InputContainer = av.open(
                name, "r", container_options=options, hwaccel=accelerator, **_TAGS_OF_ANY_BYTES
            )
        except (av.error.FFmpegError, RuntimeError) as error:
            # A driver's EPERM or ENOENT says nothing about a file that can be read.
            if accelerator is not None and os.access(path, os.R_OK):
                raise cuda_decode.refused(path, error) from error
            raise
        return opened
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; check the name") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read; change its permissions") from error
    except av.error.FFmpegError as error:
        if _is_mp4(path):
            raise InputError(
                f"{path} is truncated or damaged: its index cannot be read, so no frame can; copy or export it again"
            ) from error
        if isinstance(error, av.error.ArgumentError):
            raise InputError(
                f"{path} is not of a kind that is read: clips are mp4, mov, mkv, webm, avi and others, but no lists of "
                "other files (HLS, concat)"
            ) from error
        raise InputError(
            f"{path} is not a clip that can be read ({_reason(error)}); mp4, mov, mkv, webm, avi and others are"
        ) from error


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def _picture_streams(container: InputContainer) -> list[av.VideoStream]:
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def _picture_stream(container: InputContainer, name: str) -> av.VideoStream:
    streams = _picture_streams(container)
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


def _bytes_of(buffer: Any) -> pixel_formats.Bytes:
    return np.frombuffer(buffer, np.uint8)


def _plane_bytes(picture: av.VideoFrame) -> list[pixel_formats.Bytes]:
    """One (rows, bytes per row) view per plane, top row first; valid while the picture lives."""
    views = []
    for plane in picture.planes:
        rows = _bytes_of(plane).reshape(plane.height, abs(plane.line_size))
        views.append(rows if plane.line_size > 0 else rows[::-1])
    return views


def _side_data(picture: av.VideoFrame, kind: str) -> bytes:
    """The side data of that name, b'' where the picture has none."""
    kept: Any = picture.side_data  # a mapping by name in every version, which the stubs of some do not say
    data = kept.get(kind)
    return b"" if data is None else bytes(data)


def _orientation(picture: av.VideoFrame) -> tuple[Orientation, str]:
    """How to turn the picture, and the sentence that says so."""
    data = _side_data(picture, "DISPLAYMATRIX")
    if not data:
        return Orientation(), ""
    turn = from_display_matrix(_bytes_of(data).view(np.int32)[:9].tolist())
    if turn is None:
        return Orientation(), f"rotation of {picture.rotation} degrees ignored (only quarter turns are baked in)"
    return turn, "" if turn.is_upright else f"{turn.describe()} baked in"


def _color_of(stream: av.VideoStream, picture: av.VideoFrame, form: PixelFormat) -> tuple[Color, str]:
    """What the numbers mean (tags of the picture, else the stream, else convention), and what was assumed, said."""
    context = stream.codec_context
    assumed: list[str] = []

    def tag(kind: Any, *said: int) -> Any:
        for value in said:
            if value in set(kind) and value != kind.UNSPECIFIED:
                return kind(value)
        return None

    primaries = tag(Primaries, picture.color_primaries, context.color_primaries)
    transfer = tag(Transfer, picture.color_trc, context.color_trc)
    matrices = (picture.colorspace, context.colorspace)
    if context.name == "dnxhd":
        # Its stream has two bits for the matrix, which most encoders leave at BT.709.
        matrices = matrices[::-1]
    matrix = Matrix.BT709 if form.is_rgb else tag(Matrix, *matrices)
    if (
        matrix is None
        and not form.is_rgb
        and picture.colorspace not in (0, 2, 3)
        and picture.colorspace not in set(Matrix)
    ):
        raise InputError(
            f"{stream.container.name.removeprefix('file:')}: colour matrix {picture.colorspace} of H.273 is not "
            "supported; convert it to BT.709 or BT.2020 first"
        )
    family = _family(matrix, primaries, transfer, form, picture)
    if matrix is None:
        matrix = family[0]
        assumed.append("matrix")
    if primaries is None:
        primaries = family[1]
        assumed.append("primaries")
    if transfer is None:
        transfer = family[2]
        assumed.append("transfer")

    jpeg = form.full_range or context.name in ("mjpeg", "ljpeg", "jpegls")
    code = picture.color_range or context.color_range
    if form.is_rgb or form.full_range:
        range_ = Range.FULL
    elif code in (1, 2):
        range_ = Range.FULL if code == 2 else Range.LIMITED
    else:
        range_ = Range.FULL if jpeg else Range.LIMITED
        assumed.append("range")

    # PyAV tells the siting from version 19 on.
    sited = getattr(picture, "chroma_location", 0)
    siting = (
        Siting(sited) if sited in set(Siting) and sited else Siting.CENTER if context.name == "mjpeg" else Siting.LEFT
    )
    if not sited and form.subsampling != (1, 1):
        assumed.append("siting")

    color = Color(
        matrix=matrix,
        primaries=primaries,
        transfer=transfer,
        range=range_,
        siting=siting,
        depth=form.rgb_depth if form.is_rgb else form.depth,
        subsampling=form.subsampling,
        is_rgb=form.is_rgb,
        assumed=tuple(assumed),
    )
    return color, assumed_words(color)


def _family(
    matrix: Matrix | None,
    primaries: Primaries | None,
    transfer: Transfer | None,
    form: PixelFormat,
    picture: av.VideoFrame,
) -> tuple[Matrix, Primaries, Transfer]:
    """The standard that fills in missing tags: that of the tags there are, else by size, HD from 1280 or 720 px."""
    if matrix is Matrix.BT2020_NCL or primaries is Primaries.BT2020 or transfer in (Transfer.PQ, Transfer.HLG):
        return Matrix.BT2020_NCL, Primaries.BT2020, Transfer.BT2020_10
    usual = convention(picture.width, picture.height)
    hd = usual[0] is Matrix.BT709
    if matrix is Matrix.BT709 or (matrix is None and (primaries is Primaries.BT709 or hd)) or form.is_rgb:
        return Matrix.BT709, Primaries.BT709, Transfer.BT709
    if matrix is Matrix.BT470BG or primaries is Primaries.BT470BG:
        return Matrix.BT470BG, Primaries.BT470BG, Transfer.SMPTE170M
    return Matrix.SMPTE170M, Primaries.SMPTE170M, Transfer.SMPTE170M


def _timecode(container: InputContainer) -> str:
    """Start timecode of the clip, wherever its container keeps it, or ''."""
    streams = [stream.metadata for stream in container.streams if stream.type in ("video", "data")]
    places = [as_written(_text(place)) for place in (container.metadata, *streams)]
    return next((place["timecode"] for place in places if "timecode" in place), "")


def _text(metadata: Mapping[str, str]) -> dict[str, str]:
    """Tags as text that can be written anywhere: what is not UTF-8 in them becomes U+FFFD."""
    return {_as_text(key): _as_text(value) for key, value in metadata.items()}


def _as_text(tag: str) -> str:
    return tag.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _fraction(value: Any) -> Fraction | None:
    """PyAV's rational, None where it is unset (None, 0 or 0/0 by version)."""
    return Fraction(value.numerator, value.denominator) if value else None


def _reason(error: av.error.FFmpegError) -> str:
    """Why, in few words: the library's last words where there are any, else what its number means."""
    last_words: Any = error.log
    return _tidy(last_words[2] if last_words else error.strerror or str(error))


def _tidy(words: str) -> str:
    text = " ".join(words.split()).rstrip(".")
    return text[:1].lower() + text[1:]


# --------------------------------------------------------------------------------------------- writing


class VideoSink:
    """Encodes frames into a clip that appears whole at commit().

    destination: where the clip goes. delivery: container, codec, pixel format, options. color: what the
    frames that come mean, and what the file is tagged with. width, height: of those frames.
    source: where timing, audio, chapters and metadata come from (its `path` is opened again).
    start_seconds, end_seconds: the part of the source that is written, in its own clock; timestamps start at 0.
    rate: frames per second for sources without a clock, and for key-frame spacing. xmp: a packet for MP4 and MOV.
    metadata: container tags to add. rewriter: changes the encoder's packets before
    they are stored. `notes` says what could not be carried over.
    Raises OutputError where the delivery is impossible or the disk refuses, EncodingError where the encoder does.
    """

    def __init__(
        self,
        destination: Path,
        *,
        delivery: ClipDelivery,
        color: Color,
        width: int,
        height: int,
        source: SourceInfo,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        rate: Fraction | None = None,
        xmp: bytes | None = None,
        metadata: Mapping[str, str] | None = None,
        rewriter: PacketRewriter | None = None,
    ) -> None:
        self._rewriter = rewriter
        self._destination = destination
        self._delivery = delivery
        self._color = color
        self._source = source
        self._xmp = xmp
        self._count = 0
        self._last_pts: int | None = None
        self._rate = rate or source.rate or Fraction(25)
        self._time_base = source.time_base or 1 / self._rate
        self._form = _delivered_format(delivery, color)
        self._alpha_top = float((1 << source.color.depth) - 1) if 8 < source.color.depth <= 16 else 0.0
        self._fields = field_order.FieldMarker()
        self._passengers: _Passengers | None = None
        self._lengths: dict[int, int] = {}
        self._end = self._last_length = 0
        self._lead: int | None = None
        self._named_keys = False
        self._left_out: list[str] = []
        self._output: OutputContainer | None = None
        if delivery.container not in MUXERS:
            raise OutputError(f"container '{delivery.container}' is not known; it is one of {', '.join(MUXERS)}")
        self._pending = Pending(destination)
        try:
            with self._writing():
                self._output = av.open(f"file:{self._pending.path}", "w", format=MUXERS[delivery.container])
                self._stream = self._add_picture_stream(self._output, width, height)
                self._carry_over(self._output, start_seconds, end_seconds, metadata or {})
            self._open_encoder()
        except BaseException:
            self.abort()
            raise

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the source was left out, a sentence each."""
        said = list(self._left_out)
        if self._delivery.container == "nut" and 2 * self._last_length * self._time_base * self._rate > 3:
            said.append("how long the last frame is shown is left out: nut cannot say it")
        return (*said, *(() if self._passengers is None else self._passengers.notes))

    def write(self, frame: Frame) -> None:
        """Encode one frame, already in the delivered depth, sampling and size."""
        output = self._opened()
        pts = self._timestamp(frame)
        picture = self._picture(frame, pts)
        self._lengths[pts] = self._last_length = picture.duration
        self._end = max(self._end, pts + picture.duration)
        packets = self._encode(picture)
        with self._writing():
            if self._count == 0:
                self._write_header(output, pts)
            output.mux(packets)
            if self._passengers is not None:
                self._passengers.advance(output, pts * self._time_base)
        self._count += 1

    def commit(self) -> None:
        if self._output is None:
            return
        if self._count == 0:
            raise EncodingError(f"no frame came, so {self._destination} was not written; check --frames")
        packets = self._encode(None)
        if packets and self._is_iso:
            # An MP4 track ends where its packets' lengths add up to in decoding order, in which the last of them need
            # not be the last that is shown.
            last = packets[-1]
            missing = self._end - max(last.pts or 0, (last.dts or 0) + (self._lead or 0))
            last.duration = max(last.duration or 0, missing)
        with self._writing():
            self._output.mux(packets)
            if self._passengers is not None:
                self._passengers.advance(self._output, None)
            self._output.close()
            if self._xmp is not None and self._is_iso:
                with self._pending.path.open("ab") as file:
                    file.write(xmp_box(self._xmp))
        self._release()
        self._pending.commit()

    def abort(self) -> None:
        # Removed first, where that can be: closing an FFmpeg output finishes the file, and nobody wants that one.
        if system.OPEN_FILES_MOVE:
            self._pending.abort()
        if self._output is not None:
            with contextlib.suppress(av.error.FFmpegError):
                self._output.close()
        self._release()
        self._pending.abort()

    def _release(self) -> None:
        self._output = None
        if self._passengers is not None:
            self._passengers.close()

    @property
    def _is_iso(self) -> bool:
        return self._delivery.container in ("mp4", "mov")

    def _opened(self) -> OutputContainer:
        if self._output is None:
            raise EncodingError(f"{self._destination} is closed already")
        return self._output

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Errors of the disk and the muxer."""
        try:
            with output_errors(self._destination):
                yield
        except av.error.FFmpegError as error:
            raise self._failure(_reason(error)) from error

    def _encode(self, picture: av.VideoFrame | None) -> list[av.Packet[Any]]:
        """Packets that are ready; None flushes. An encoder's own EPERM or ENOMEM says nothing about the disk."""
        try:
            packets = self._stream.encode(picture)
        except av.error.FFmpegError as error:
            raise self._failure(_reason(error)) from error
        if picture is None and self._count <= 2:
            # libx265 reads the decoding times of such a clip from unset memory, on which the muxer aborts.
            for packet in packets:
                packet.dts = packet.pts
        for packet in packets:
            # Not every encoder (SVT-AV1) passes on how long a picture is shown.
            packet.duration = self._lengths.pop(packet.pts or 0, packet.duration or 0)
            if self._lead is None:
                # Decoding times are moved on by as much as the first picture is decoded before it is shown.
                self._lead = (packet.pts or 0) - (packet.dts or 0)
        return packets if self._rewriter is None else [self._rewritten(packet, self._rewriter) for packet in packets]

    def _rewritten(self, packet: av.Packet[Any], rewriter: PacketRewriter) -> av.Packet[Any]:
        try:
            new: av.Packet[Any] = av.Packet(rewriter.packet(bytes(packet)))
        except EncodingError as error:
            raise self._failure(str(error)) from error
        new.stream, new.time_base = packet.stream, packet.time_base
        new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
        new.is_keyframe = packet.is_keyframe
        return new

    def _open_encoder(self) -> None:
        """Open it with FFmpeg's log on, for the reason. Not for longer: with threads at work that log can deadlock."""
        ffmpeg = logging.getLogger("libav")
        if not ffmpeg.handlers:
            # Or what a decoder in another thread complains of meanwhile would reach standard error.
            ffmpeg.addHandler(logging.NullHandler())
        before = av.logging.get_level()
        av.logging.set_level(av.logging.ERROR)
        try:
            with without_lines(*_ENCODERS_OWN_LINES), av.logging.Capture() as lines:
                self._stream.codec_context.open()
        except av.error.MemoryError as error:
            raise self._failure(_reason(error)) from error
        except av.error.FFmpegError as error:
            # Nothing has been encoded: it is what was asked for that the encoder does not do.
            raise self._refusal(_tidy(lines[0][2]) if lines else _reason(error)) from error
        finally:
            av.logging.set_level(before)
        if unused := self._stream.codec_context.options:
            raise OutputError(
                f"{self._delivery.codec} has no option {', '.join(map(repr, unused))}; "
                "take it out of delivery.clip.options"
            )
        context = self._stream.codec_context
        if self._rewriter is not None and context.extradata:
            context.extradata = self._rewriter.extradata(context.extradata)

    def _refusal(self, reason: str) -> OutputError:
        """That the encoder does not take the delivery, with the keys that its reason speaks of, or all of them."""
        delivery = self._delivery
        asked = {f"options.{name}": value for name, value in delivery.options.items()}
        if delivery.profile:
            asked["profile"] = delivery.profile
        words = set(re.findall(r"[\w.+-]+", reason))
        meant = {key: value for key, value in asked.items() if {value, key.removeprefix("options.")} & words}
        told = meant or {"codec": delivery.codec, "pixel_format": self._form.name, **asked}
        keys = ", ".join(f"delivery.clip.{key} = {value}" for key, value in told.items())
        if "picture size" in reason:
            keys = "delivery.width and delivery.height"
        return OutputError(
            f"{self._destination}: {delivery.codec} refuses what it is asked for: {reason}; change {keys}"
        )

    def _failure(self, reason: str) -> EncodingError:
        where = f"at frame {self._count}" if self._count else "at the start"
        remedy = "" if self._count else "; check delivery.clip.options and delivery.clip.profile"
        return EncodingError(
            f"{self._destination}: {self._delivery.codec} into {self._delivery.container} failed {where}: {reason}"
            f"{remedy}"
        )

    def _add_picture_stream(self, output: OutputContainer, width: int, height: int) -> av.VideoStream:
        name = self._delivery.codec
        form = self._form.name
        try:
            codec = av.codec.Codec(name, "w")
        except av.codec.codec.UnknownCodecError as error:
            present = [known for known, here in probe_encoders().items() if here]
            close = get_close_matches(name, present, n=1)
            hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(present)}"
            raise OutputError(f"delivery.clip.codec '{name}' is not an encoder of this FFmpeg build; {hint}") from error
        if self._form.alpha and name in vpx_alpha.ENCODERS and self._delivery.container not in vpx_alpha.CONTAINERS:
            raise OutputError(
                f"{self._delivery.container} cannot hold the transparency of {name} ({form}); use "
                f"--set delivery.clip.container={' or '.join(vpx_alpha.CONTAINERS)}, or an opaque pixel_format"
            )
        if codec.type != "video":
            raise OutputError(f"delivery.clip.codec '{name}' encodes {codec.type}, not pictures")
        takes = [each.name for each in codec.video_formats or ()]
        if takes and form not in takes:
            usable = [each for each in takes if pixel_formats.parse(each)]
            raise OutputError(f"{name} cannot encode {form}; delivery.clip.pixel_format is one of {', '.join(usable)}")
        try:
            stream = output.add_stream(name, rate=self._rate.limit_denominator(1 << 20))
        except ValueError as error:
            holders = _containers_for(codec.name)
            remedy = (
                f"use --set delivery.clip.container={' or '.join(holders)}"
                if holders
                else f"nor does another container; set delivery.clip.codec to {', '.join(_encoders_of_pictures())}"
            )
            raise OutputError(f"{self._delivery.container} cannot hold {name}; {remedy}") from error
        assert isinstance(stream, av.VideoStream)

        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, form
        context.time_base = stream.time_base = self._time_base
        context.sample_aspect_ratio = self._source.sample_aspect
        context.thread_count = 0
        context.thread_type = "AUTO"
        context.flags |= Flags.frame_duration
        self._tag(context)
        if self._source.field_order:
            field_order.announce(context, self._source.field_order)
        if codec.canonical_name == "hevc" and self._is_iso:
            context.codec_tag = "hvc1"
        if self._delivery.closed_gop_seconds > 0:
            context.gop_size = max(1, round(self._rate * Fraction(self._delivery.closed_gop_seconds)))
            context.flags |= Flags.closed_gop
        context.options = _encoder_options(self._delivery, self._color, self._form, self._source)
        return stream

    def _tag(self, target: Any) -> None:
        """Colour tags, on a codec context or a frame."""
        target.colorspace = 0 if self._form.is_rgb else int(self._color.matrix)
        target.color_primaries = int(self._color.primaries)
        target.color_trc = int(self._color.transfer)
        full = self._form.is_rgb or self._color.range is Range.FULL
        target.color_range = 2 if full else 1

    def _carry_over(
        self, output: OutputContainer, start: float, end: float | None, metadata: Mapping[str, str]
    ) -> None:
        """Audio, subtitles, chapters and tags of the source."""
        told = content({**dict(self._source.still.text), **self._source.metadata, **metadata})
        tags = plan_tags(MUXERS[self._delivery.container], told)
        output.metadata.update(tags.kept)
        self._named_keys = tags.named_keys
        if tags.lost:
            self._left_out.append(f"tags left out: {', '.join(tags.lost)}: {self._delivery.container} cannot hold them")
        self._shift = round(Fraction(start) / self._time_base)
        if self._source.path is None or self._source.kind != "clip":
            return
        passengers = _Passengers(self._source.path, start, end)
        self._passengers = passengers
        self._shift = round(passengers.begin / self._time_base)
        passengers.board(output, self._delivery)
        self._stream.metadata.update(passengers.picture_tags)
        if timecode := self._source.metadata.get("timecode", ""):
            self._stream.metadata["timecode"] = shift_timecode(
                timecode, round(Fraction(start) * self._rate), self._rate
            )

    def _write_header(self, output: OutputContainer, first_pts: int) -> None:
        """Muxer options are settled here, because only now is it known where every track starts."""
        if self._is_iso:
            flags = "+faststart+negative_cts_offsets"
            if self._named_keys:
                flags += "+use_metadata_tags"
            output.container_options["movflags"] = flags
            output.container_options["video_track_timescale"] = str(self._time_base.denominator)
            late = self._passengers is not None and self._passengers.starts_off_zero()
            if first_pts == 0 and not late:
                output.container_options["use_editlist"] = "0"
            else:
                # Edit lists count in the movie's own ticks, which are milliseconds unless told.
                rates = [stream.codec_context.sample_rate for stream in output.streams.audio]
                ticks = lcm(self._time_base.denominator, *rates)
                output.container_options["movie_timescale"] = str(min(ticks, _MAX_TIMESCALE))
        output.start_encoding()

    def _picture(self, frame: Frame, pts: int) -> av.VideoFrame:
        context = self._stream.codec_context
        if (frame.width, frame.height) != (context.width, context.height):
            raise EncodingError(
                f"frame {frame.index} is {frame.width}x{frame.height}, but the clip is {context.width}x{context.height}"
            )
        picture = av.VideoFrame(frame.width, frame.height, self._form.name)
        raw = _plane_bytes(picture)
        pixel_formats.pack(self._form, raw, Samples(tuple(frame.planes), frame.rgb, frame.alpha), self._alpha_top)
        picture.time_base = self._time_base
        picture.pts = pts
        if frame.duration is not None and frame.time_base is not None:
            picture.duration = round(frame.duration * frame.time_base / self._time_base)
        else:
            picture.duration = max(1, round(1 / self._rate / self._time_base))
        if frame.field_order:
            picture = self._fields.marked(picture, frame.field_order)
        self._tag(picture)
        return picture

    def _timestamp(self, frame: Frame) -> int:
        """The frame's time in ticks; a clock that stands still is moved on by one tick, as encoders demand."""
        if frame.pts is None or frame.time_base is None:
            pts = round(self._count / self._rate / self._time_base)
        else:
            pts = round(frame.pts * frame.time_base / self._time_base) - self._shift
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
        elif pts < 0:
            # Players leave out what comes before 0: the whole clip is moved on.
            self._shift += pts
            if self._passengers is not None:
                self._passengers.delay(-pts * self._time_base)
            pts = 0
        self._last_pts = pts
        return pts


class _Passengers:
    """Audio and subtitle packets of the source, taken along as the picture advances, never changed.

    begin: seconds of the source's clock that become 0. Formats whose clock starts anywhere (MPEG-TS) are
    brought to 0; others keep their own. notes: what was left behind.
    """

    def __init__(self, path: Path, start: float, end: float | None) -> None:
        self._input = _open_input(path)
        self._end = None if end is None else Fraction(end)
        self._whole = start == 0
        self.begin = Fraction(start)
        clock_starts_anywhere: Any = av.format.Flags.ts_discont.value
        if self._whole and int(self._input.format.flags) & clock_starts_anywhere:
            self.begin = Fraction(self._input.start_time or 0, av.time_base)
        self.notes: list[str] = []
        self._boarded: dict[int, Any] = {}
        self._packets: Iterator[av.Packet[Any]] = iter(())
        self._ahead: deque[av.Packet[Any]] = deque()

    @property
    def picture_tags(self) -> dict[str, str]:
        return _content_tags(_picture_streams(self._input)[0].metadata)

    def board(self, output: OutputContainer, delivery: ClipDelivery) -> None:
        """Add the streams that the container can hold. OutputError for audio that it cannot."""
        for stream in self._input.streams:
            if stream.type == "audio" and delivery.audio == "copy":
                self._boarded[stream.index] = _add_audio(output, stream, delivery.container)
            elif stream.type == "subtitle":
                if _holds(delivery.container, stream):
                    self._boarded[stream.index] = _copied(output, stream)
                else:
                    self.notes.append(f"subtitles ({stream.name}) left out: {delivery.container} cannot hold them")
            elif stream.disposition & av.stream.Disposition.attached_pic:
                self.notes.append("cover picture left out: it shows the clip as it was")
            elif stream.type in ("data", "attachment") and "timecode" not in stream.metadata:
                self.notes.append(f"{stream.type} stream {stream.index} left out")
        chapters = self._chapters()
        if chapters:
            output.set_chapters(chapters)
        if self._boarded:
            self._packets = self._read()
            self._look_ahead()

    def _chapters(self) -> list[Any]:
        kept = []
        for chapter in self._input.chapters():
            base = _fraction(chapter["time_base"]) or Fraction(1, 1000)
            shift = round(self.begin / base)
            first, last = chapter["start"] - shift, chapter["end"] - shift
            if self._end is not None:
                last = min(last, round((self._end - self.begin) / base))
            if last > max(first, 0):
                tags = _text(chapter["metadata"])
                kept.append({**chapter, "time_base": base, "start": max(first, 0), "end": last, "metadata": tags})
        return kept

    def starts_off_zero(self) -> bool:
        """Does any stream that was taken along begin elsewhere than at 0, or only now and then have something?"""
        waiting = {stream.index for stream in self._boarded.values()}
        for packet in self._ahead:
            if packet.stream_index in waiting and packet.pts != 0:
                return True
            waiting.discard(packet.stream_index)
        return bool(waiting)

    def _look_ahead(self) -> None:
        """Hold the first packets: at least one, and one of each stream where they come soon."""
        waiting = {stream.index for stream in self._boarded.values()}
        while waiting and len(self._ahead) < _LOOK_AHEAD:
            packet = next(self._packets, None)
            if packet is None:
                return
            self._ahead.append(packet)
            waiting.discard(packet.stream_index)

    def _read(self) -> Iterator[av.Packet[Any]]:
        """Packets inside the range, on the output's clock. A source that breaks off ends here, with a note."""
        packets = self._input.demux(*(self._input.streams[index] for index in self._boarded))
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self.notes.append(f"audio and subtitles end early: {_reason(error)}")
                return
            if packet is None:
                return
            if packet.dts is None or packet.is_corrupt:
                continue
            seconds = (packet.dts if packet.pts is None else packet.pts) * packet.time_base
            if (not self._whole and seconds < self.begin) or (self._end is not None and seconds >= self._end):
                continue
            shift = round(self.begin / packet.time_base)
            packet.dts -= shift
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.stream = self._boarded[packet.stream_index]
            yield packet

    def delay(self, seconds: Fraction) -> None:
        """Move all that has not been written yet on, with a picture that begins before 0."""
        self.begin -= seconds
        for packet in self._ahead:
            shift = round(seconds / packet.time_base)
            packet.dts = None if packet.dts is None else packet.dts + shift
            packet.pts = None if packet.pts is None else packet.pts + shift

    def advance(self, output: OutputContainer, seconds: Fraction | None) -> None:
        """Write what belongs before this moment of the picture; None: all that is left."""
        while self._ahead:
            packet = self._ahead[0]
            if seconds is not None and (packet.dts or 0) * packet.time_base > seconds:
                return
            output.mux_one(self._ahead.popleft())
            if not self._ahead:
                self._ahead.extend(islice(self._packets, 1))

    def close(self) -> None:
        self._ahead.clear()
        self._packets = iter(())
        self._input.close()


def _copied(output: OutputContainer, stream: Any) -> Any:
    copy = output.add_stream_from_template(stream)
    copy.metadata.update(_content_tags(stream.metadata))
    copy.disposition = stream.disposition
    return copy


def _add_audio(output: OutputContainer, stream: Any, container: str) -> Any:
    if _holds(container, stream):
        return _copied(output, stream)
    codec = stream.codec_context.name if stream.codec_context else "unknown"
    holders = [name for name in MUXERS if _holds(name, stream)]
    remedy = f"use --set delivery.clip.container={' or '.join(holders)}, or " if holders else ""
    raise OutputError(
        f"{container} cannot hold the source's {codec} audio; {remedy}leave it out with --set delivery.clip.audio=none"
    )


def _content_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    return content(as_written(_text(metadata)))


def _containers_for(codec: str) -> list[str]:
    """Containers that can hold what this encoder makes."""
    holders = []
    for name, muxer in MUXERS.items():
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            if codec in trial.supported_codecs:
                holders.append(name)
    return holders


def _holds(container: str, stream: Any) -> bool:
    """Can this container hold a copy of the stream? Only a header tells: MOV claims Opus and then refuses it."""
    try:
        with av.open(io.BytesIO(), "w", format=MUXERS[container]) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (ValueError, av.error.FFmpegError):
        return False
    return True


def _delivered_format(delivery: ClipDelivery, color: Color) -> PixelFormat:
    """The pixel format asked for, or the one that the frames are in."""
    end = "" if color.depth == 8 else "le"
    if delivery.pixel_format:
        name = delivery.pixel_format
    elif color.is_rgb:
        name = f"gbrp{'' if color.depth == 8 else '16le'}"
    else:
        sampling = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}[color.subsampling]
        name = f"yuv{sampling}p{'' if color.depth == 8 else color.depth}{end}"
    form = pixel_formats.parse(name)
    if form is None:
        raise OutputError(
            f"delivery.clip.pixel_format '{name}' is not one grainkit writes; use for example yuv420p, yuv420p10le, "
            "yuv422p10le, yuv444p10le, yuva444p10le, gray10le or gbrp10le"
        )
    return form


def _encoder_options(delivery: ClipDelivery, color: Color, form: PixelFormat, source: SourceInfo) -> dict[str, str]:
    options = dict(delivery.options)
    if delivery.profile:
        options["profile"] = delivery.profile
    if form.subsampling == color.subsampling:
        options = {**siting_option(color), **options}
    if delivery.codec == "libx265":
        options = with_parameters(options, "x265-params", {"log-level": "error"})
    if source.hdr10 is not None:
        options = with_parameters(options, *encoder_parameters(source.hdr10, delivery.codec))
    if delivery.codec == "libsvtav1":
        # It talks on stderr and takes no other word: 1 is errors only.
        os.environ.setdefault("SVT_LOG", "1")
    if delivery.codec == "libvpx" and form.alpha:
        options.setdefault("auto-alt-ref", "0")  # it cannot do both
    if delivery.codec == "prores_ks":
        options.setdefault("vendor", "apl0")
    return options


def xmp_box(packet: bytes) -> bytes:
    """The top-level MP4/MOV box around an XMP packet."""
    return struct.pack(">I4s", 24 + len(packet), b"uuid") + XMP_BOX + packet
