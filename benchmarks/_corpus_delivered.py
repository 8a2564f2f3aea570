"""What was delivered, read by libpng, tifffile, OpenEXR, Pillow and FFmpeg."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import av
import av.error
import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from benchmarks._corpus_case import Array, Picture

CLIPS = (".nut", ".mkv", ".mp4", ".mov", ".webm", ".y4m")


def pictures(path: Path) -> list[Picture]:
    """Every picture of a file. ValueError where its ending is not one that is delivered here."""
    ending = path.suffix.lower()
    if ending in CLIPS:
        return clip(path)
    if ending == ".png":
        return [_split(imagecodecs.png_decode(path.read_bytes()))]
    if ending == ".tif":
        return [_split(tifffile.imread(path))]
    if ending == ".exr":
        return [_exr(path)]
    if ending in (".jpg", ".webp"):
        with Image.open(path) as image:
            return [_split(np.asarray(image))]
    raise ValueError(f"{path} has an ending that is not delivered here")


def _split(samples: Array) -> Picture:
    if samples.ndim == 2:
        return Picture((samples,))
    if samples.shape[2] in (2, 4):
        colour = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
        return Picture((colour,), samples[..., -1])
    return Picture((samples,))


def _exr(path: Path) -> Picture:
    import OpenEXR

    channels = {
        name: np.asarray(channel.pixels, np.float32)
        for name, channel in OpenEXR.File(str(path), separate_channels=True).channels().items()
    }
    colour = channels["Y"] if "Y" in channels else np.dstack([channels[name] for name in "RGB"])
    alpha = channels.get("A")
    if alpha is not None:
        # Stored multiplied by alpha; where that is 0 nothing is left to divide.
        whole = np.where(alpha == 0, np.float32(1.0), alpha)
        colour = colour / (whole if colour.ndim == 2 else whole[..., None])
    return Picture((colour,), alpha)


def clip(path: Path) -> list[Picture]:
    with av.open(str(path)) as container:
        return [frame_samples(frame) for frame in container.decode(video=0)]


#: Packed formats: how many samples a pixel has, and where R, G, B and A are among them (a grey one: Y and A).
_PACKED: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "rgb24": (3, (0, 1, 2)), "bgr24": (3, (2, 1, 0)), "rgba": (4, (0, 1, 2, 3)), "bgra": (4, (2, 1, 0, 3)),
    "argb": (4, (1, 2, 3, 0)), "abgr": (4, (3, 2, 1, 0)), "bgr0": (4, (2, 1, 0)), "rgb0": (4, (0, 1, 2)),
    "0rgb": (4, (1, 2, 3)), "0bgr": (4, (3, 2, 1)), "ya8": (2, (0, 1)), "ya16le": (2, (0, 1)),
    "rgb48le": (3, (0, 1, 2)), "rgba64le": (4, (0, 1, 2, 3)),
}  # fmt: skip
#: Cb and Cr woven into one plane: empty low bits below each sample.
_SEMIPLANAR = {"nv12": 0, "p010le": 6}


def planes_of(frame: av.VideoFrame) -> list[Array]:
    """Every plane's samples without padding, as FFmpeg holds them: (rows, samples a row)."""
    found = []
    for plane, component in zip(frame.planes, frame.format.components, strict=False):
        stored = np.dtype("<f4" if "f32" in frame.format.name else "<u2" if component.bits > 8 else "u1")
        step = _PACKED.get(frame.format.name, (1, ()))[0]
        if found and frame.format.name in _SEMIPLANAR:
            step = 2
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)  # type: ignore[call-overload]
        found.append(
            rows[:, : plane.width * step * stored.itemsize].copy().view(stored).astype(stored.newbyteorder("="))
        )
    return found


def frame_samples(frame: av.VideoFrame) -> Picture:
    """A frame of any format that the corpus draws: Y'CbCr planes, grey, or R'G'B' with 9 to 14 bits over all of 16."""
    name, raw = frame.format.name, planes_of(frame)
    if name in _PACKED:
        step, order = _PACKED[name]
        woven = raw[0].reshape(raw[0].shape[0], -1, step)
        if name.startswith("ya"):
            return Picture((np.ascontiguousarray(woven[..., 0]),), np.ascontiguousarray(woven[..., 1]))
        alpha = np.ascontiguousarray(woven[..., order[3]]) if len(order) == 4 else None
        return Picture((np.ascontiguousarray(woven[..., list(order[:3])]),), alpha)
    if name.startswith("gbr"):
        bits = frame.format.components[0].bits
        scaled = [plane if bits in (8, 16, 32) else _filled(plane, bits) for plane in raw]
        return Picture((np.dstack((scaled[2], scaled[0], scaled[1])),), scaled[3] if len(scaled) == 4 else None)
    if name in _SEMIPLANAR:
        luma, chroma = (plane >> _SEMIPLANAR[name] for plane in raw[:2])
        return Picture((luma, np.ascontiguousarray(chroma[:, 0::2]), np.ascontiguousarray(chroma[:, 1::2])))
    if name.startswith("gray"):
        return Picture((raw[0],))
    return Picture(tuple(raw[:3]), raw[3] if len(raw) == 4 else None)


def _filled(plane: Array, bits: int) -> Array:
    top = (1 << bits) - 1
    return ((plane.astype(np.uint64) * 65535 + top // 2) // top).astype(np.uint16)


# ------------------------------------------------------------------------------------------- beside the pixels


def carries(path: Path, what: str, value: Any) -> bool:
    """Does the file hold it? See `Carried` for what it may be."""
    return _CARRIED[what](path, value)


def _icc(path: Path, value: bytes | None) -> bool:
    """This profile; with None, any word on the colours at all."""
    with Image.open(path) as image:
        found = image.info.get("icc_profile")
    if value is None:
        return bool(found) or (path.suffix == ".png" and _png_chunk(path, b"cICP") is not None)
    return bool(found == value)


def _cicp(path: Path, value: bytes) -> bool:
    found = _png_chunk(path, b"cICP") if path.suffix == ".png" else None
    return found is not None and found.startswith(value)


def _png_chunk(path: Path, kind: bytes) -> bytes | None:
    return next((body for name, body in _png_chunks(path.read_bytes()) if name == kind), None)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _texts(path: Path, value: Mapping[str, str]) -> bool:
    if path.suffix in CLIPS:
        with av.open(str(path)) as container:
            found = {key.lower(): text for key, text in container.metadata.items()}
        return all(found.get(key.lower()) == text for key, text in value.items())
    if path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
            found = dict(image.text)  # type: ignore[attr-defined]
        block = _png_chunk(path, b"eXIf") or b""
        return all(found.get(key) == text or text.encode() in block for key, text in value.items())
    data = path.read_bytes()
    return all(
        any(form in data for form in _written(text)) for text in value.values()
    )  # fmt: skip


def _written(text: str) -> Iterator[bytes]:
    """The text as EXIF (ASCII, UTF-8 or UTF-16) or XML write it."""
    for way in ("utf-8", "utf-16-le", "utf-16-be"):
        yield text.encode(way)
    yield escape(text, {'"': "&quot;", "\n": "&#10;"}).encode()
    yield escape(text, {"\n": "&#10;"}).encode()
    yield escape(text).encode()


def _chapters(path: Path, value: int) -> bool:
    with av.open(str(path)) as container:
        return len(container.chapters()) == value


def _interlaced(path: Path, value: bool) -> bool:
    if path.suffix == ".y4m":
        line = path.read_bytes()[:200].partition(b"\n")[0]
        return (b" It" in line or b" Ib" in line or b" Im" in line) == value
    with av.open(str(path)) as container:
        return all(bool(frame.interlaced_frame) == value for frame in container.decode(video=0))


def _hdr10(path: Path, value: bool) -> bool:
    wanted = {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"}
    with av.open(str(path)) as container:
        found: set[str] = set()
        for frame in container.decode(video=0):
            found |= {data.type.name for data in frame.side_data}
    return (wanted <= found) == value


def _aspect(path: Path, value: Fraction) -> bool:
    with av.open(str(path)) as container:
        found = container.streams.video[0].sample_aspect_ratio
    return (Fraction(found) if found else Fraction(1)) == value


def _audio(path: Path, value: int) -> bool:
    """So many packets of sound."""
    with av.open(str(path)) as container, contextlib.suppress(IndexError):
        return sum(1 for packet in container.demux(container.streams.audio[0]) if packet.size) == value
    return False


_CARRIED: Mapping[str, Callable[[Path, Any], bool]] = {
    "icc": _icc, "cicp": _cicp, "texts": _texts, "chapters": _chapters, "interlaced": _interlaced, "hdr10": _hdr10,
    "aspect": _aspect, "audio": _audio,
}  # fmt: skip
