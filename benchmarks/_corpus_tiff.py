"""TIFF and EXR of the corpus, written by tifffile, Pillow's libtiff and OpenEXR, and by hand."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from benchmarks._corpus_case import (
    Array,
    Carried,
    Drawn,
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
    widened,
)
from benchmarks._corpus_png import p3_icc

#: Cases that are drawn of the matrix.
MATRIX = 90

_SAMPLES = ("grey", "grey-alpha", "rgb", "rgba", "palette", "white-is-zero")
_COMPRESSIONS = ("none", "lzw", "adobe_deflate", "deflate", "packbits", "zstd", "lzma", "png")


def _written(samples: Array, **options: Any) -> bytes:
    room = io.BytesIO()
    tifffile.imwrite(room, samples, metadata=None, **options)
    return room.getvalue()


def _matrix(rng: np.random.Generator) -> tuple[bytes, Right]:
    """Samples x type x compression x predictor x tiles x planes x byte order x size of file x orientation."""
    kind = str(rng.choice(_SAMPLES))
    compression = str(rng.choice(_COMPRESSIONS))
    dtype = np.dtype(str(rng.choice(["u1", "u2", "f4", "f2"] if kind != "palette" else ["u1"])))
    if compression == "png" and (dtype.kind == "f" or kind not in ("grey", "rgb")):
        compression = "lzw"
    width, height = size(rng)
    channels = {"grey": 1, "grey-alpha": 2, "rgb": 3, "rgba": 4, "palette": 1, "white-is-zero": 1}[kind]
    samples = noise(rng, width, height, channels, dtype)
    orientation = int(rng.integers(1, 9))
    options: dict[str, Any] = {
        "byteorder": str(rng.choice(["<", ">"])), "bigtiff": bool(rng.integers(2)),
        "compression": None if compression == "none" else compression,
        "extratags": [(274, "H", 1, orientation, True)],
    }  # fmt: skip
    planar = channels > 1 and bool(rng.integers(2))
    if rng.integers(3) == 0:
        options["tile"] = (16, 32)
    elif rng.integers(2):
        options["rowsperstrip"] = int(rng.integers(1, height + 1))
    if compression in ("lzw", "adobe_deflate", "zstd") and rng.integers(2):
        options["predictor"] = 2 if dtype.kind == "u" else 3
    options["photometric"] = {"rgb": "rgb", "rgba": "rgb", "palette": "palette", "white-is-zero": "miniswhite"}.get(
        kind, "minisblack"
    )
    if channels in (2, 4):
        options["extrasamples"] = ["unassalpha"]
    shown: Array = samples
    if kind == "palette":
        table = rng.integers(0, 255, (3, 256), np.uint16, endpoint=True)
        options["colormap"] = table * 257
        shown = table.T.astype(np.uint8)[samples]
    if kind == "white-is-zero":
        shown = (
            (np.float32(1.0) - samples.astype(np.float32))
            if dtype.kind == "f"
            else dtype.type(np.iinfo(dtype).max) - samples
        )
    options["planarconfig"] = "separate" if planar else "contig"
    stored = np.ascontiguousarray(np.moveaxis(samples, 2, 0)) if planar else samples
    data = _written(stored, **options)
    if dtype.kind == "f":
        shown = shown.astype(np.float32)
    shown = upright(shown, orientation)
    notes = () if orientation == 1 else ("orientation",)
    if channels in (2, 4):
        colour = shown[..., 0] if channels == 2 else shown[..., :3]
        return data, Right((Picture((colour,), shown[..., -1]),), notes=notes)
    return data, Right((Picture((shown,)),), notes=notes)


def _packed(values: Array, bits: int) -> bytes:
    """Rows of codes of so many bits, each row beginning with a byte of its own (TIFF 6.0, section 3)."""
    rows = values.reshape(values.shape[0], -1)
    spread = (rows[..., None].astype(np.uint32) >> np.arange(bits - 1, -1, -1, dtype=np.uint32)) & 1
    return np.packbits(spread.reshape(rows.shape[0], -1).astype(np.uint8), axis=1).tobytes()


def _by_hand(
    width: int, height: int, strip: bytes, *, bits: int, samples: int = 1, photometric: int = 1, compression: int = 1,
    extra: dict[int, tuple[int, list[int]]] | None = None, next_page: int = 0,
) -> bytes:  # fmt: skip
    """A little-endian TIFF of one strip. extra: tags (type, values), types 3 (short) and 4 (long)."""
    tags: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * samples), 259: (3, [compression]),
        262: (3, [photometric]), 273: (4, [8]), 277: (3, [samples]), 278: (4, [height]), 279: (4, [len(strip)]),
        **(extra or {}),
    }  # fmt: skip
    at = 8 + len(strip) + len(strip) % 2
    entries, beyond = bytearray(), bytearray()
    end = at + 2 + 12 * len(tags) + 4
    for number, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            place, beyond = struct.pack("<I", end + len(beyond)), beyond + packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack("<HHI", number, kind, len(values)) + place
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_page)
    return b"II*\0" + struct.pack("<I", at) + strip + bytes(len(strip) % 2) + directory + beyond


def _bits(bits: int, kind: str, rng: np.random.Generator) -> tuple[bytes, Right]:
    """Depths that are no whole bytes."""
    width, height = size(rng)
    channels = 3 if kind == "rgb" else 1
    values = rng.integers(0, (1 << bits) - 1, (height, width, channels), np.uint16, endpoint=True)
    white = kind == "white-is-zero"
    data = _by_hand(
        width,
        height,
        _packed(values, bits),
        bits=bits,
        samples=channels,
        photometric=0 if white else 2 if channels == 3 else 1,
    )
    shown = widened((1 << bits) - 1 - values if white else values, bits)
    # Filling 16 bits by repeating the upper ones is as good as rounding: a code apart.
    return data, Right((Picture((shown if channels == 3 else shown[..., 0],)),), near=0.0 if bits < 8 else 1.0)


def _lossy(how: str, rng: np.random.Generator) -> tuple[bytes, Right]:
    samples = codes(smooth(rng, 40, 24), 255)
    if how in ("jpeg-rgb", "jpeg-444", "jpeg-420", "jpeg-420-tiles"):
        coded = {"outcolorspace": "RGB"} if how == "jpeg-rgb" else {}
        options: dict[str, Any] = {"tile": (16, 16)} if how.endswith("tiles") else {}
        sampling = (2, 2) if "420" in how else (1, 1)
        made = _written(
            samples, photometric="rgb", compression="jpeg", subsampling=sampling,
            compressionargs={"level": 96, **coded}, **options,
        )  # fmt: skip
        return made, Right((Picture((samples,)),), near=2.0)
    if how == "jpeg-grey":
        made = _written(samples[..., 0], photometric="minisblack", compression="jpeg", compressionargs={"level": 96})
        return made, Right((Picture((samples[..., 0],)),), near=2.0)
    if how == "jpeg-libtiff":
        return _libtiff(samples, "jpeg", quality=96), Right((Picture((samples,)),), near=2.0)
    if how == "webp":
        made = _written(
            samples, photometric="rgb", compression="webp", compressionargs={"level": 100, "lossless": True}
        )
        return made, Right((Picture((samples,)),), or_refused="TIFF")
    if how == "jpeg2000":
        made = _written(samples, photometric="rgb", compression="jpeg2000", compressionargs={"reversible": True})
        return made, Right((Picture((samples,)),), near=1.0, or_refused="TIFF")
    assert how == "jpegxl"
    made = _written(samples, photometric="rgb", compression="jpegxl", compressionargs={"lossless": True})
    return made, Right((Picture((samples,)),), near=1.0, or_refused="TIFF")


def _libtiff(samples: Array, compression: str, **options: Any) -> bytes:
    """By libtiff itself."""
    room = io.BytesIO()
    Image.fromarray(samples).save(room, "TIFF", compression=compression, **options)
    return room.getvalue()


_FAX = ("group3", "group4")


def _fax(how: str, white_is_zero: bool, rng: np.random.Generator) -> tuple[bytes, Right]:
    """Bilevel pictures as fax machines code them. Pillow keeps what is seen, whichever of 0 and 1 is white."""
    width, height = size(rng, 5)
    bits = rng.integers(0, 1, (height, width), np.uint8, endpoint=True).astype(bool)
    room = io.BytesIO()
    Image.fromarray(bits).save(room, "TIFF", compression=how, tiffinfo={262: 0 if white_is_zero else 1})
    return room.getvalue(), Right((Picture((bits.astype(np.uint8) * np.uint8(255),)),), or_refused="TIFF")


def _odd(how: str, rng: np.random.Generator) -> tuple[bytes, Any]:
    width, height = size(rng, 2)
    samples = noise(rng, width, height, 3, np.uint8)
    right = Right((Picture((samples,)),))
    whole = _written(samples, photometric="rgb")
    if how == "premultiplied":
        alpha = rng.integers(128, 255, (24, 40), np.uint16, endpoint=True)
        colour = rng.integers(0, 255, (24, 40, 3), np.uint16, endpoint=True)
        stored = np.dstack(((colour * alpha[..., None] + 127) // 255, alpha)).astype(np.uint8)
        made = _written(stored, photometric="rgb", extrasamples=["assocalpha"])
        shown = Picture((colour.astype(np.uint8),), alpha.astype(np.uint8))
        # Colours that were rounded when they were multiplied come back a code or two apart; what they are is said.
        return made, Right((shown,), near=2.0, or_refused="alpha")
    if how == "premultiplied-16":
        alpha = rng.integers(0x8000, 0xFFFF, (24, 40), np.uint64, endpoint=True)
        colour = rng.integers(0, 0xFFFF, (24, 40, 3), np.uint64, endpoint=True)
        stored = np.dstack(((colour * alpha[..., None] + 32767) // 65535, alpha)).astype(np.uint16)
        made = _written(stored, photometric="rgb", extrasamples=["assocalpha"], compression="lzw")
        return made, Right(
            (Picture((colour.astype(np.uint16),), alpha.astype(np.uint16)),), near=2.0, or_refused="alpha"
        )
    if how == "extra-unnamed":
        four = noise(rng, width, height, 4, np.uint8)
        made = _written(four, photometric="rgb", extrasamples=["unspecified"])
        return made, Right((Picture((four[..., :3],), four[..., 3]),), notes=("extra|channel",))
    if how == "extra-five":
        five = noise(rng, width, height, 5, np.uint8)
        made = _written(five, photometric="rgb", extrasamples=["unassalpha", "unspecified"])
        return made, Right((Picture((five[..., :3],), five[..., 3]),), notes=("further channels|extra",))
    if how in ("cmyk", "lab", "icclab"):
        four = noise(rng, width, height, 4 if how == "cmyk" else 3, np.uint8)
        photometric = {"cmyk": "separated", "lab": "cielab", "icclab": "icclab"}[how]
        made = _written(four, photometric=photometric, planarconfig="contig")
        return made, Refused("CMYK|SEPARATED" if how == "cmyk" else "L\\*?a\\*?b|LAB")
    if how == "logluv":
        return _by_hand(3, 2, rng.bytes(24), bits=32, photometric=32845, compression=34676), Refused(
            "LogLuv|LOGLUV|TIFF"
        )
    if how in ("int8", "int16", "int32", "uint32", "uint64", "float64", "complex64"):
        deep = rng.integers(0, 100, (height, width), np.int64).astype(how)
        made = _written(deep, photometric="minisblack")
        if how == "float64":
            return made, Right((Picture((deep.astype(np.float32),)),), notes=("64",))
        if how == "uint32":
            shown = (rng.integers(0, 1 << 32, (height, width), np.uint64)).astype(np.uint32)
            return _written(shown, photometric="minisblack"), Right(
                (Picture(((shown.astype(np.float64) * 65535 / 0xFFFFFFFF).round().astype(np.uint16),)),),
                near=1.0, notes=("32",), or_refused="uint32|32",
            )  # fmt: skip
        return made, Refused(how.rstrip("0123456789"))
    if how == "pages":
        other = noise(rng, width, height, 3, np.uint8)
        room = io.BytesIO()
        with tifffile.TiffWriter(room) as writer:
            for page in (samples, other, other):
                writer.write(page, photometric="rgb", metadata=None)
        return room.getvalue(), Right(right.pictures, notes=("page",))
    if how == "thumbnail-first":
        room = io.BytesIO()
        with tifffile.TiffWriter(room) as writer:
            writer.write(samples[:1, :1], photometric="rgb", metadata=None, subfiletype=1)
            writer.write(samples, photometric="rgb", metadata=None)
        return room.getvalue(), Right(right.pictures, notes=("page",))
    if how == "stack":
        return _written(noise(rng, 6, 5, 4, np.uint8).transpose(2, 0, 1).copy(), photometric="minisblack"), Right(
            (), notes=("page",), or_refused="TIFF"
        )
    if how == "icc":
        profile = p3_icc()
        return _written(samples, photometric="rgb", iccprofile=profile), Right(
            right.pictures, carries=(Carried("icc", profile, "ICC"),)
        )
    if how == "not-finite":
        deep = noise(rng, width, height, 3, np.float32)
        deep[0, 0] = np.inf, -np.inf, np.nan
        made = _written(deep, photometric="rgb")
        return made, Right((Picture((_made_finite(deep),)),), notes=("finite|NaN|inf",), or_refused="finite|NaN|inf")
    if how == "described":
        words = "a portrait, Äpfel"
        made = _written(samples, photometric="rgb", description=words.encode("utf-8"), software="Tool")
        return made, Right(right.pictures, carries=(Carried("texts", {"description": words}, "description|text"),))
    if how == "old-jpeg":
        return _by_hand(8, 8, rng.bytes(100), bits=8, samples=3, photometric=6, compression=6), Refused("TIFF")
    if how == "raw-camera":
        made = _by_hand(8, 8, rng.bytes(128), bits=16, photometric=32803)
        return made, Refused("raw")
    if how == "unknown-compression":
        return _by_hand(8, 8, rng.bytes(64), bits=8, compression=64999), Refused("TIFF")
    if how == "loop":
        made = _by_hand(4, 2, samples.tobytes()[:8].ljust(8, b"a"), bits=8, next_page=16)
        grey = np.frombuffer(made[8:16], np.uint8).reshape(2, 4)
        return made, Right((Picture((grey,)),), or_refused="TIFF")
    if how == "loop-far":
        made = _by_hand(4, 2, b"abcdefgh", bits=8, next_page=0x7FFFFFFF)
        return made, Right((Picture((np.frombuffer(b"abcdefgh", np.uint8).reshape(2, 4),)),), or_refused="TIFF")
    if how == "no-directory":
        return b"II*\0" + struct.pack("<I", 0), Refused("TIFF")
    if how == "directory-beyond":
        return b"II*\0" + struct.pack("<I", 1 << 30) + bytes(50), Refused("TIFF")
    if how == "truncated":
        return _by_hand(400, 200, rng.bytes(300), bits=8), Refused("TIFF")
    if how == "cut":
        return whole[: len(whole) - len(samples.tobytes()) // 2 - 1], Refused("TIFF")
    if how == "huge":
        return _by_hand(1 << 30, 1 << 30, b"12", bits=8), Refused("pixels")
    if how == "zero":
        return _by_hand(0, 4, b"12", bits=8), Refused("0x4|TIFF")
    if how == "strip-beyond":
        return _by_hand(4, 2, b"abcdefgh", bits=8, extra={273: (4, [1 << 28])}), Refused("TIFF")
    if how == "lzw-damaged":
        made = bytearray(_written(noise(rng, 40, 24, 3, np.uint8), photometric="rgb", compression="lzw"))
        made[len(made) // 2 : len(made) // 2 + 40] = bytes(40)
        return bytes(made), Refused("TIFF")
    if how == "deflate-damaged":
        made = bytearray(_written(noise(rng, 40, 24, 3, np.uint8), photometric="rgb", compression="adobe_deflate"))
        made[len(made) // 2 : len(made) // 2 + 40] = bytes(40)
        return bytes(made), Refused("TIFF")
    if how == "bomb":
        return _by_hand(4, 2, imagecodecs.deflate_encode(bytes(1 << 20)), bits=8, compression=8), Right(
            (Picture((np.zeros((2, 4), np.uint8),)),), or_refused="TIFF"
        )
    if how == "fill-order":
        bits = rng.integers(0, 1, (5, 16), np.uint8, endpoint=True)
        strip = np.packbits(bits, axis=1, bitorder="little").tobytes()
        made = _by_hand(16, 5, strip, bits=1, extra={266: (3, [2])})
        return made, Right((Picture((bits * np.uint8(255),)),))
    if how == "density":
        return _written(samples, photometric="rgb", resolution=(300, 300), resolutionunit="INCH"), right
    assert how == "palette-4"
    table = rng.integers(0, 255, (3, 16), np.uint16, endpoint=True)
    values = rng.integers(0, 15, (height, width, 1), np.uint16, endpoint=True)
    extra = {320: (3, (table * 257).ravel().tolist())}
    made = _by_hand(width, height, _packed(values, 4), bits=4, photometric=3, extra=extra)
    return made, Right((Picture((table.T.astype(np.uint8)[values[..., 0]],)),))


_ODD = (
    "premultiplied", "premultiplied-16", "extra-unnamed", "extra-five", "cmyk", "lab", "icclab", "logluv", "int8",
    "int16", "int32", "uint32", "uint64", "float64", "complex64", "pages", "thumbnail-first", "stack",
    "not-finite", "icc",
    "described", "old-jpeg", "raw-camera", "unknown-compression", "loop", "loop-far", "no-directory",
    "directory-beyond", "truncated", "cut", "huge", "zero", "strip-beyond", "lzw-damaged", "deflate-damaged", "bomb",
    "fill-order", "density", "palette-4",
)  # fmt: skip


# ------------------------------------------------------------------------------------------- EXR


def _made_finite(samples: Array) -> Array:
    """What no arithmetic survives, as the nearest that a half holds; of NaN nothing is near, and it becomes 0."""
    return np.nan_to_num(samples, nan=0.0, posinf=65504.0, neginf=-65504.0)


def _exr(how: str, folder: Path, rng: np.random.Generator) -> Drawn:
    import OpenEXR

    path = folder / "a.exr"
    width, height = size(rng)
    compression = {
        "zip": OpenEXR.ZIP_COMPRESSION, "zips": OpenEXR.ZIPS_COMPRESSION, "rle": OpenEXR.RLE_COMPRESSION,
        "piz": OpenEXR.PIZ_COMPRESSION, "none": OpenEXR.NO_COMPRESSION, "pxr24": OpenEXR.PXR24_COMPRESSION,
    }.get(how.partition("-")[0], OpenEXR.ZIP_COMPRESSION)  # fmt: skip
    deep = np.float32 if how.endswith("float") else np.float16
    header: dict[str, Any] = {"compression": compression, "type": OpenEXR.scanlineimage}
    rgb = noise(rng, width, height, 3, deep)
    shown = rgb.astype(np.float32)
    near, notes, refused, output = 0.0, ("scene-linear",), "", "o.exr"
    channels: dict[str, Any] = {name: np.ascontiguousarray(rgb[..., n]) for n, name in enumerate("RGB")}
    alpha = None
    picture: tuple[Array, ...] = (shown,)
    if how == "pxr24-float":
        near = 2.0**-14  # PXR24 keeps 24 of 32 bits: 16 of a number below 2
    if how in ("alpha", "luminance-alpha"):
        # Colours are stored multiplied by alpha (technical introduction to OpenEXR); what they are is without it.
        opacity = rng.uniform(0.25, 1.0, (height, width)).astype(np.float16)
        stored = (rgb * opacity[..., None]).astype(np.float16)
        channels = {name: np.ascontiguousarray(stored[..., n]) for n, name in enumerate("RGB")} | {"A": opacity}
        alpha, near = opacity.astype(np.float32), 1e-5
        straight = stored.astype(np.float32) / alpha[..., None]
        picture = (straight,)
        if how == "luminance-alpha":
            channels = {"Y": channels["R"], "A": opacity}
            picture = (straight[..., 0],)
    elif how == "luminance":
        channels = {"Y": channels["R"]}
        picture = (shown[..., 0],)
    elif how == "layers":
        channels |= {"diffuse.R": channels["R"], "Z": channels["B"]}
        notes = (*notes, "Z")
    elif how == "only-layers":
        channels = {f"beauty.{name}": values for name, values in channels.items()}
        refused = "beauty"
    elif how == "red-alone":
        channels = {"R": channels["R"]}
        refused = "channels"
    elif how == "integers":
        channels = {name: np.abs(values * 100).astype(np.uint32) for name, values in channels.items()}
        refused = "half or float"
    elif how == "not-finite":
        rgb[0, 0] = np.inf, -np.inf, np.nan
        channels = {name: np.ascontiguousarray(rgb[..., n]) for n, name in enumerate("RGB")}
        picture, notes = (_made_finite(rgb.astype(np.float32)),), (*notes, "finite|NaN|inf")
        refused = "?"
    elif how == "window":
        low, high = (3, 2), (3 + width - 1, 2 + height - 1)
        header |= {"dataWindow": (low, high), "displayWindow": ((0, 0), (width + 7, height + 7))}
        notes = (*notes, "window")
    elif how == "tiled":
        header |= {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()}
    if how == "parts":
        parts = [OpenEXR.Part({**header, "name": name}, channels) for name in ("one", "two")]
        OpenEXR.File(parts).write(str(path))
        notes = (*notes, "parts")
    else:
        OpenEXR.File(header, {k: np.ascontiguousarray(v) for k, v in channels.items()}).write(str(path))
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) - 10])
        return Drawn("a.exr", Refused("EXR"), output=output)
    if how == "header-only":
        path.write_bytes(data[:60])
        return Drawn("a.exr", Refused("EXR"), output=output)
    if refused and refused != "?":
        return Drawn("a.exr", Refused(refused), output=output)
    right = Right(
        (Picture(picture, alpha),), near=near, notes=notes,
        meaning={"transfer": 8}, or_refused="finite|NaN|inf" if refused else "",
    )  # fmt: skip
    return Drawn("a.exr", right, output=output)


_EXR = (
    "zip-half", "zip-float", "zips-half", "rle-half", "piz-half", "none-float", "pxr24-half", "pxr24-float", "alpha",
    "luminance", "luminance-alpha", "layers", "only-layers", "red-alone", "integers", "not-finite", "window", "tiled",
    "parts", "truncated", "header-only",
)  # fmt: skip


def sketches() -> Iterator[Sketch]:
    for number in range(MATRIX):
        yield file_sketch("tiff", f"matrix-{number:02d}", ".tif", _matrix)
    for bits in (1, 2, 4, 10, 12, 14):
        for kind in ("grey", "rgb", "white-is-zero"):
            yield file_sketch("tiff", f"{kind}-{bits}bit", ".tif", partial(_bits, bits, kind))
    for how in (
        "jpeg-rgb", "jpeg-444", "jpeg-420", "jpeg-420-tiles", "jpeg-grey", "jpeg-libtiff", "webp", "jpeg2000", "jpegxl",
    ):  # fmt: skip
        yield file_sketch("tiff", how, ".tif", partial(_lossy, how))
    for how in _FAX:
        for white in (False, True):
            yield file_sketch("tiff", f"{how}{'-white-is-zero' if white else ''}", ".tif", partial(_fax, how, white))
    for how in _ODD:
        yield file_sketch("tiff", how, ".tif", partial(_odd, how))
    for how in _EXR:
        yield Sketch("exr", how, partial(_exr, how))
