"""JPEG and WebP of the corpus, by Pillow's and imagecodecs' encoders with markers and chunks put in by hand."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from benchmarks._corpus_case import (
    Array,
    Carried,
    Picture,
    Refused,
    Right,
    Sketch,
    codes,
    file_sketch,
    noise,
    size,
    smooth,
    upright,
)
from benchmarks._corpus_png import exif_block, p3_icc, xmp_packet

#: Codes that a JPEG of good quality is off by on average, of pictures without edges, subsampled or not.
NEAR = 2.0
_ODD_SIZES = ((1, 1), (3, 2), (17, 11), (33, 31), (40, 24))


def marker(number: int, body: bytes) -> bytes:
    """A JPEG segment: 0xFF, its number, length and content."""
    return b"\xff" + bytes([number]) + struct.pack(">H", len(body) + 2) + body


def with_markers(data: bytes, *segments: bytes) -> bytes:
    """The JPEG with these right behind its start."""
    return data[:2] + b"".join(segments) + data[2:]


def _saved(samples: Array, form: str, **options: Any) -> bytes:
    room = io.BytesIO()
    Image.fromarray(samples).save(room, form, **options)
    return room.getvalue()


def _plain(sampling: str, progressive: bool, sides: tuple[int, int], rng: np.random.Generator) -> tuple[bytes, Right]:
    samples = codes(smooth(rng, *sides), 255)
    data = _saved(samples, "JPEG", quality=96, subsampling=sampling, progressive=progressive)
    return data, Right((Picture((samples,)),), near=NEAR)


def _odd(how: str, rng: np.random.Generator) -> tuple[bytes, Any]:
    samples = codes(smooth(rng, 40, 24), 255)
    data = _saved(samples, "JPEG", quality=96, subsampling=0)
    right = Right((Picture((samples,)),), near=NEAR)
    scan = data.index(b"\xff\xda")
    frame = data.index(b"\xff\xc0")
    if how == "grey":
        grey = codes(smooth(rng, *size(rng), 1)[..., 0], 255)
        return _saved(grey, "JPEG", quality=96), Right((Picture((grey,)),), near=NEAR)
    if how == "restarts":
        return _saved(samples, "JPEG", quality=96, subsampling=2, restart_marker_blocks=1), right
    if how == "optimized":
        return _saved(samples, "JPEG", quality=96, optimize=True, subsampling=0), right
    if how == "rgb-coded":
        return _saved(samples, "JPEG", quality=96, keep_rgb=True, subsampling=0), right
    if how == "rgb-coded-adobe":
        bare = _saved(samples, "JPEG", quality=96, keep_rgb=True, subsampling=0)
        return with_markers(_without(bare, 0xEE), marker(0xEE, b"Adobe\0\x64\0\0\0\0\0")), right
    if how in ("cmyk", "ycck"):
        made = imagecodecs.jpeg8_encode(
            np.dstack((255 - samples, np.zeros(samples.shape[:2], np.uint8))), 96, colorspace="CMYK",
            outcolorspace="CMYK" if how == "cmyk" else "YCCK",
        )  # fmt: skip
        return made, Refused("CMYK")
    if how in ("12-bit", "lossless", "lossless-16"):
        bits = {"12-bit": 12, "lossless": 8, "lossless-16": 16}[how]
        deep = codes(smooth(rng, 40, 24), (1 << bits) - 1)
        if how == "12-bit":
            return imagecodecs.jpeg8_encode(deep, 96, bitspersample=12), Refused("12|bits|precision|JPEG")
        made = imagecodecs.jpeg8_encode(deep, lossless=True, predictor=1, bitspersample=bits)
        wide = Right((Picture((deep,)),), near=0.0, or_refused="JPEG")
        return made, wide
    if how == "arithmetic":
        # As a file of arithmetic coding begins: what follows is not coded that way, so a reader that tries must refuse.
        return data[: frame + 1] + b"\xc9" + data[frame + 2 : scan], Refused("JPEG")
    if how == "hierarchical":
        return data[: frame + 1] + b"\xc5" + data[frame + 2 :], Refused("JPEG")
    if how == "height-0":
        return data[: frame + 5] + b"\0\0" + data[frame + 7 :], Refused("JPEG|0 px|x0")
    if how == "huge":
        return data[: frame + 5] + b"\xff\xdc\xff\xdc" + data[frame + 9 :], Refused("pixels|truncated|cannot be read")
    if how == "truncated":
        return data[: scan + (len(data) - scan) // 2], Refused("truncated|cannot be read")
    if how == "no-scan":
        return data[:scan], Refused("truncated|cannot be read")
    if how == "no-end":
        return data[:-2], Right(right.pictures, near=NEAR, or_refused="truncated|cannot be read")
    if how == "garbage-behind":
        return data + rng.bytes(500), right
    if how == "start-only":
        return data[:3], Refused("JPEG")
    if how == "no-tables":
        return _without(_without(data, 0xDB), 0xC4), Refused("JPEG")
    if how == "icc-p3":
        profile = p3_icc()
        made = _saved(samples, "JPEG", quality=96, subsampling=0, icc_profile=profile)
        return made, Right(right.pictures, near=NEAR, carries=(Carried("icc", profile, "ICC"),))
    if how == "icc-parts":
        profile = p3_icc()
        cut = len(profile) // 2
        parts = [b"ICC_PROFILE\0" + bytes((n + 1, 2)) + p for n, p in enumerate((profile[:cut], profile[cut:]))]
        made = with_markers(data, *(marker(0xE2, part) for part in reversed(parts)))
        return made, Right(right.pictures, near=NEAR, carries=(Carried("icc", profile, "ICC"),))
    if how == "icc-part-missing":
        return with_markers(data, marker(0xE2, b"ICC_PROFILE\0\1\2" + p3_icc()[:200])), Right(
            right.pictures, near=NEAR, notes=("ICC|profile",)
        )
    if how == "comment":
        made = with_markers(data, marker(0xFE, b"a portrait, 42 steps"))
        return made, Right(
            right.pictures, near=NEAR, carries=(Carried("texts", {"Comment": "a portrait, 42 steps"}, "comment"),)
        )
    if how == "c2pa":
        box = struct.pack(">I4s", 40, b"jumb") + struct.pack(">I4s", 32, b"jumd") + b"c2pa" + bytes(20)
        return with_markers(data, marker(0xEB, b"JP\0\1\0\0\0\1" + box)), Right(
            right.pictures, near=NEAR, notes=("Content Credentials|C2PA",)
        )
    if how == "gain-map":
        inside = 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
        packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp_packet(inside)
        made = with_markers(data, marker(0xE1, packet)) + _saved(samples[::2, ::2, 0], "JPEG")
        return made, Right(right.pictures, near=NEAR, notes=("gain map",))
    assert how == "mpo"
    first, second = Image.fromarray(samples), Image.fromarray(255 - samples)
    room = io.BytesIO()
    first.save(room, "MPO", save_all=True, append_images=[second], quality=96, subsampling=0)
    return room.getvalue(), Right(right.pictures, near=NEAR, notes=("MPO|second picture|2 pictures|further picture",))


def _without(data: bytes, number: int) -> bytes:
    """The JPEG less its segments of a number."""
    out, at = bytearray(data[:2]), 2
    while data[at + 1] != 0xDA:
        length = 2 + struct.unpack_from(">H", data, at + 2)[0]
        if data[at + 1] != number:
            out += data[at : at + length]
        at += length
    return bytes(out + data[at:])


_ODD = (
    "grey", "restarts", "optimized", "rgb-coded", "rgb-coded-adobe", "cmyk", "ycck", "12-bit", "lossless",
    "lossless-16", "arithmetic", "hierarchical", "height-0", "huge", "truncated", "no-scan", "no-end",
    "garbage-behind", "start-only", "no-tables", "icc-p3", "icc-parts", "icc-part-missing", "comment", "c2pa",
    "gain-map", "mpo",
)  # fmt: skip


def _oriented(orientation: int, rng: np.random.Generator) -> tuple[bytes, Right]:
    samples = codes(smooth(rng, 40, 24), 255)
    block = exif_block(orientation, bool(rng.integers(2)))
    data = _saved(samples, "JPEG", quality=96, subsampling=0, exif=b"Exif\0\0" + block)
    notes = () if orientation == 1 else ("orientation",)
    return data, Right((Picture((upright(samples, orientation),)),), near=NEAR, notes=notes)


# ------------------------------------------------------------------------------------------- WebP


def _webp(how: str, rng: np.random.Generator) -> tuple[bytes, Any]:
    if how == "lossy":
        samples = codes(smooth(rng, 40, 24), 255)
        # WebP has limited range and 4:2:0 always.
        return _saved(samples, "WEBP", quality=95), Right((Picture((samples,)),), near=3.0)
    if how == "lossy-alpha":
        samples, alpha = codes(smooth(rng, 40, 24), 255), noise(rng, 40, 24, 1, np.uint8)
        made = _saved(np.dstack((samples, alpha)), "WEBP", quality=95, exact=True, alpha_quality=100)
        return made, Right((Picture((samples,), alpha),), near=3.0)
    width, height = (7, 5) if how.startswith("exif") else size(rng)
    samples = noise(rng, width, height, 3, np.uint8)
    alpha = noise(rng, width, height, 1, np.uint8)
    right = Right((Picture((samples,)),))
    if how == "lossless":
        return _saved(samples, "WEBP", lossless=True), right
    if how == "lossless-alpha":
        made = _saved(np.dstack((samples, alpha)), "WEBP", lossless=True, exact=True)
        opaque = Picture((samples,), None if (alpha == 255).all() else alpha)
        return made, Right((opaque,))
    if how.startswith("exif"):
        orientation = int(how[-1])
        made = _saved(samples, "WEBP", lossless=True, exif=b"Exif\0\0" + exif_block(orientation))
        return made, Right((Picture((upright(samples, orientation),)),), notes=("orientation",))
    if how == "icc":
        profile = p3_icc()
        return _saved(samples, "WEBP", lossless=True, icc_profile=profile), Right(
            right.pictures, carries=(Carried("icc", profile, "ICC"),)
        )
    if how in ("animated-1", "animated-2"):
        # Two frames alike become one that is shown longer.
        frames = [Image.fromarray(samples), Image.fromarray(255 - samples)]
        room = io.BytesIO()
        frames[0].save(room, "WEBP", save_all=True, append_images=frames[1:], lossless=True, duration=40)
        made = room.getvalue()
        if how == "animated-2":
            return made, Refused("animated")
        at = made.rindex(b"ANMF")
        made = made[:at]
        return b"RIFF" + struct.pack("<I", len(made) - 8) + made[8:], right
    whole = _saved(samples, "WEBP", lossless=True)
    if how == "truncated":
        return _saved(noise(rng, 40, 24, 3, np.uint8), "WEBP", lossless=True)[:-600], Refused(
            "cannot be read|truncated"
        )
    if how == "header-only":
        return whole[:20], Refused("cannot be read|truncated")
    if how == "garbage-behind":
        return whole + rng.bytes(99), right
    assert how == "c2pa"
    made = whole + b"C2PA" + struct.pack("<I", 8) + bytes(8)
    made = b"RIFF" + struct.pack("<I", len(made) - 8) + made[8:]
    return made, Right(right.pictures, notes=("Content Credentials|C2PA",), or_refused="WebP|WEBP")


_WEBP = (
    "lossy", "lossy-alpha", "lossless", "lossless-alpha", "exif-3", "exif-5", "exif-6", "exif-8", "icc", "animated-1",
    "animated-2", "truncated", "header-only", "garbage-behind", "c2pa",
)  # fmt: skip


def sketches() -> Iterator[Sketch]:
    for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"):
        for progressive in (False, True):
            for width, height in _ODD_SIZES:
                name = f"{sampling.replace(':', '')}-{'progressive-' if progressive else ''}{width}x{height}"
                yield file_sketch("jpeg", name, ".jpg", partial(_plain, sampling, progressive, (width, height)))
    for orientation in range(1, 9):
        yield file_sketch("jpeg", f"exif-{orientation}", ".jpg", partial(_oriented, orientation))
    for how in _ODD:
        yield file_sketch("jpeg", how, ".jpg", partial(_odd, how))
    for how in _WEBP:
        yield file_sketch("webp", how, ".webp", partial(_webp, how))
