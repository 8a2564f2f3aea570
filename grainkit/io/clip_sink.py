"""Clips out: frames encoded into a file that appears whole, with what the source had beside its picture.

What is easy to get wrong, and is settled here once:
- PyAV sets slice threads, with which libx264 compresses worse; frame threads are asked for.
- ProRes writes primaries and transfer from the frame, others from the codec context: both are tagged.
- Timestamps: encoder and MP4 track tick in the source's own time base, so nothing is rounded. Key frames
  that come before their display order get negative composition offsets, so that the picture track needs no edit
  list and starts at 0. An edit list is left out of the file altogether where every track starts at 0; audio
  with encoder priming starts before 0 and keeps its own, because without it sound would be late.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from fractions import Fraction
from math import lcm
from pathlib import Path

import av
import av.error
from av.codec.context import Flags
from av.container import OutputContainer
from av.stream import Stream

from grainkit.errors import EncodingError, OutputError
from grainkit.io import field_order, pixel_formats, vpx_alpha
from grainkit.io.base import PacketRewriter, SourceInfo
from grainkit.io.clip_passengers import Passengers, Stretch
from grainkit.io.color_tags import siting_option
from grainkit.io.container_tags import content, plan_tags
from grainkit.io.delivery import ClipDelivery
from grainkit.io.ffmpeg import (
    MUXERS,
    containers_for,
    encoders_of_pictures,
    error_lines,
    plane_bytes,
    probe_encoders,
    reason_of,
    tidied,
)
from grainkit.io.hdr10 import encoder_parameters, with_parameters
from grainkit.io.iso_boxes import xmp_box
from grainkit.io.pending import Pending, output_errors
from grainkit.io.pixel_formats import PixelFormat, Samples
from grainkit.io.quiet import without_lines
from grainkit.io.timecode import shift_timecode
from grainkit.machine import system
from grainkit.picture.color import Color, Range
from grainkit.picture.frame import Frame

#: How lines begin that encoders write on standard error themselves, past FFmpeg's log, when they refuse a value.
_ENCODERS_OWN_LINES = ("x264 [error]", "x265 [error]", "Svt[error]")
#: Ticks per second fit 31 bits in MP4.
_MAX_TIMESCALE = (1 << 31) - 1
_WHOLE = Stretch()


class VideoSink:
    """Encodes frames into a clip that appears whole at commit().

    destination: where the clip goes. delivery: container, codec, pixel format, options. color: what the
    frames that come mean, and what the file is tagged with. width, height: of those frames.
    source: where timing, audio, chapters and metadata come from (its `path` is opened again). Its rate counts where
    its frames have no clock, and for the spacing of key frames.
    stretch: the part of the source that is written; timestamps start at 0. xmp: a packet for MP4 and MOV.
    rewriter: changes the encoder's packets before they are stored.
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
        stretch: Stretch = _WHOLE,
        xmp: bytes | None = None,
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
        self._rate = source.rate or Fraction(25)
        self._time_base = source.time_base or 1 / self._rate
        self._form = _delivered_format(delivery, color)
        self._alpha_top = float((1 << source.color.depth) - 1) if 8 < source.color.depth <= 16 else 0.0
        self._fields = field_order.FieldMarker()
        self._passengers: Passengers | None = None
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
                self._carry_over(self._output, stretch)
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
            raise self._failure(reason_of(error)) from error

    def _encode(self, picture: av.VideoFrame | None) -> list[av.Packet[Stream]]:
        """Packets that are ready; None flushes. An encoder's own EPERM or ENOMEM says nothing about the disk."""
        try:
            packets = self._stream.encode(picture)
        except av.error.FFmpegError as error:
            raise self._failure(reason_of(error)) from error
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

    def _rewritten(self, packet: av.Packet[Stream], rewriter: PacketRewriter) -> av.Packet[Stream]:
        try:
            new: av.Packet[Stream] = av.Packet(rewriter.packet(bytes(packet)))
        except EncodingError as error:
            raise self._failure(str(error)) from error
        new.stream, new.time_base = packet.stream, packet.time_base
        new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
        new.is_keyframe = packet.is_keyframe
        return new

    def _open_encoder(self) -> None:
        """Open it with FFmpeg's log on, for the reason."""
        context = self._stream.codec_context
        try:
            with without_lines(*_ENCODERS_OWN_LINES), error_lines() as lines:
                self._stream.codec_context.open()
        except av.error.MemoryError as error:
            raise self._failure(reason_of(error)) from error
        except av.error.FFmpegError as error:
            # Nothing has been encoded: it is what was asked for that the encoder does not do.
            raise self._refusal(tidied(lines[0][2]) if lines else reason_of(error)) from error
        if unused := context.options:
            raise OutputError(
                f"{self._delivery.codec} has no option {', '.join(map(repr, unused))}; "
                "take it out of delivery.clip.options"
            )
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
            holders = containers_for(codec.name)
            remedy = (
                f"use --set delivery.clip.container={' or '.join(holders)}"
                if holders
                else f"nor does another container; set delivery.clip.codec to {', '.join(encoders_of_pictures())}"
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

    def _tag(self, target: av.VideoFrame | av.VideoCodecContext) -> None:
        """Colour tags, on a codec context or a frame."""
        target.colorspace = 0 if self._form.is_rgb else int(self._color.matrix)
        target.color_primaries = int(self._color.primaries)
        target.color_trc = int(self._color.transfer)
        full = self._form.is_rgb or self._color.range is Range.FULL
        target.color_range = 2 if full else 1

    def _carry_over(self, output: OutputContainer, stretch: Stretch) -> None:
        """Audio, subtitles, chapters and tags of the source."""
        told = content({**dict(self._source.still.text), **self._source.metadata})
        tags = plan_tags(MUXERS[self._delivery.container], told)
        output.metadata.update(tags.kept)
        self._named_keys = tags.named_keys
        if tags.lost:
            self._left_out.append(f"tags left out: {', '.join(tags.lost)}: {self._delivery.container} cannot hold them")
        self._shift = round(Fraction(stretch.start) / self._time_base)
        if self._source.path is None or self._source.kind != "clip":
            return
        passengers = Passengers(self._source.path, stretch)
        self._passengers = passengers
        self._shift = round(passengers.begin / self._time_base)
        passengers.board(output, self._delivery)
        self._stream.metadata.update(passengers.picture_tags)
        if timecode := self._source.metadata.get("timecode", ""):
            self._stream.metadata["timecode"] = shift_timecode(
                timecode, round(Fraction(stretch.start) * self._rate), self._rate
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
        raw = plane_bytes(picture)
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
