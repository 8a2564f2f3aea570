"""What is asked of FFmpeg itself, through PyAV: what it can do, why it refused, and a clip of its opened for reading.

Clips are read in `clip_source`, written in `clip_sink`, and what rides along is copied in `clip_passengers`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypedDict, cast

import av
import av.error
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.stream import Stream

from grainkit.errors import InputError
from grainkit.io import cuda_decode
from grainkit.io.pixel_formats import Bytes

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


class _TagReading(TypedDict, total=False):
    """How `av.open` is told to read tags."""

    metadata_errors: str


#: PyAV 19 reads tags that are not UTF-8 with surrogates for the odd bytes; 18 has to be told.
_TAGS_OF_ANY_BYTES: _TagReading = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)


def probe_encoders() -> dict[str, bool]:
    """Which of the encoders that presets use are in this build."""
    return {name: _encoder_exists(name) for name in ENCODERS}


def library_versions() -> dict[str, str]:
    """Version of PyAV and of each FFmpeg library in it."""
    libraries = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    return {"av": av.__version__, **libraries}


def encoders_of_pictures() -> list[str]:
    """Those of `ENCODERS` that this build has and that encode pictures."""
    return [name for name, here in probe_encoders().items() if here and av.codec.Codec(name, "w").type == "video"]


def _encoder_exists(name: str) -> bool:
    try:
        av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def containers_for(codec: str) -> list[str]:
    """Containers that can hold what this encoder makes."""
    holders = []
    for name, muxer in MUXERS.items():
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            if codec in trial.supported_codecs:
                holders.append(name)
    return holders


def holds(container: str, stream: Stream) -> bool:
    """Can this container hold a copy of the stream? Only a header tells: MOV claims Opus and then refuses it."""
    try:
        with av.open(io.BytesIO(), "w", format=MUXERS[container]) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (ValueError, av.error.FFmpegError):
        return False
    return True


@contextlib.contextmanager
def error_lines() -> Iterator[list[tuple[int, str, str]]]:
    """FFmpeg's log of errors (level, name, words) meanwhile. Not for long: with threads at work it can deadlock."""
    ffmpeg = logging.getLogger("libav")
    if not ffmpeg.handlers:
        # Or what a decoder in another thread complains of meanwhile would reach standard error.
        ffmpeg.addHandler(logging.NullHandler())
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as lines:
            yield lines
    finally:
        av.logging.set_level(before)


def reason_of(error: av.error.FFmpegError) -> str:
    """Why, in few words: the library's last words where there are any, else what its number means."""
    last_words = cast("tuple[int, str, str] | None", error.log)
    return tidied(last_words[2] if last_words else error.strerror or str(error))


def tidied(words: str) -> str:
    """FFmpeg's words as the end of a sentence of ours: one line, a small letter first, no full stop."""
    text = " ".join(words.split()).rstrip(".")
    return text[:1].lower() + text[1:]


def open_input(path: Path, hwaccel: str = "") -> InputContainer:
    """Open a clip for reading. hwaccel: 'cuda' decodes it on the card. Raises InputError where it is none."""
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
            f"{path} is not a clip that can be read ({reason_of(error)}); mp4, mov, mkv, webm, avi and others are"
        ) from error


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def picture_streams(container: InputContainer) -> list[av.VideoStream]:
    """Streams of moving pictures, without covers."""
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def bytes_of(buffer: Buffer | bytes) -> Bytes:
    """A view of its bytes, valid while it lives."""
    return np.frombuffer(memoryview(buffer), np.uint8)


def plane_bytes(picture: av.VideoFrame) -> list[Bytes]:
    """One (rows, bytes per row) view per plane, top row first; valid while the picture lives."""
    views = []
    for plane in picture.planes:
        rows = bytes_of(plane).reshape(plane.height, abs(plane.line_size))
        views.append(rows if plane.line_size > 0 else rows[::-1])
    return views


def as_text(metadata: Mapping[str, str]) -> dict[str, str]:
    """Tags as text that can be written anywhere: what is not UTF-8 in them becomes U+FFFD."""
    return {_tag_as_text(key): _tag_as_text(value) for key, value in metadata.items()}


def _tag_as_text(tag: str) -> str:
    return tag.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def fraction(value: Fraction | None) -> Fraction | None:
    """PyAV's rational, None where it is unset (None, 0 or 0/0 by version)."""
    return Fraction(value.numerator, value.denominator) if value else None
