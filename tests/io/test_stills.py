"""Stills go round bit by bit, in every container, with what they say of themselves; broken ones are refused."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from grainkit.errors import GrainkitError, InputError, OutputError
from grainkit.io import open_source, png
from grainkit.io.base import StillMetadata
from grainkit.io.decode_still import decode_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import encode_still, lost_metadata
from grainkit.io.metadata import xmp_packet
from grainkit.io.stills import StillSink, StillSource
from grainkit.picture.color import SRGB_STILL, Primaries, Transfer
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import planes_from_rgb

LOSSLESS = [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16), ("tiff", 32), ("webp", 8), ("exr", 32)]
TYPES: dict[int, Any] = {8: np.uint8, 16: np.uint16, 32: np.float32}
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = xmp_packet(digital_source_type="trainedAlgorithmicMedia", software="test", summary="é")
TEXT = (("prompt", '{"a": "ü"}'), ("workflow", "{}" * 40000), ("prompt", "twice"), ("parameters", "猫\nSteps: 3"))


def picture(depth: int, shape: tuple[int, ...], seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if depth == 32:
        return rng.normal(0.5, 1.0, shape).astype(np.float32)
    return rng.integers(0, 1 << depth, shape).astype(TYPES[depth])


def frame(rgb: Any, alpha: Any = None) -> Frame:
    color = replace(SRGB_STILL, depth=8 * rgb.dtype.itemsize)
    return Frame(planes_from_rgb(rgb, color), color, rgb=rgb, alpha=alpha)


def exif_block(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A], exif[0x011B], exif[0x0128] = orientation, "Maker", 72.0, 72.0, 2
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "parameters: 猫".encode("utf-16-be")
    exif.get_ifd(0x8769)[0xA002] = 9999
    return exif.tobytes()[6:]


def reread(data: bytes, container: str) -> Any:
    return decode_still(data, Path("x." + {"jpeg": "jpg"}.get(container, container)))


@pytest.mark.parametrize(("container", "depth"), LOSSLESS)
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("size", [(7, 5), (1, 1), (64, 33)])
def test_lossless_containers_keep_every_bit(
    container: str, depth: int, colours: int, with_alpha: bool, size: tuple[int, int]
) -> None:
    rgb = picture(depth, size if colours == 1 else (*size, 3))
    alpha = picture(depth, size, 1) if with_alpha else None
    still = reread(
        encode_still(frame(rgb, alpha), StillDelivery(container, depth, quality=100), 0, StillMetadata()), container
    )
    expected = np.repeat(rgb[..., None], 3, axis=2) if container == "webp" and colours == 1 else rgb
    assert still.rgb.dtype == rgb.dtype
    # EXR holds colours multiplied by alpha, which costs up to two roundings.
    ulp = 3e-7 if container == "exr" and with_alpha else 0
    np.testing.assert_allclose(still.rgb, expected, ulp, 0)
    assert (still.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(still.alpha, alpha)
    assert still.color.depth == depth
    assert still.notes == () or container == "exr"


def independently(data: bytes, container: str) -> Any:
    """The samples as a reader that shares no code with the writer sees them."""
    if container == "tiff":
        return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGR2RGB)
    if container == "exr":
        return OpenEXR.File(io.BytesIO(data)).channels()["RGB"].pixels
    if container == "webp":
        return np.asarray(Image.open(io.BytesIO(data)))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]


@pytest.mark.parametrize(("container", "depth"), LOSSLESS)
@pytest.mark.parametrize("compression", ["0", "1", "6", "none", "deflate"])
def test_other_readers_see_the_same_samples(container: str, depth: int, compression: str) -> None:
    rgb = picture(depth, (20, 31, 3))
    rgb[5:15] = rgb[5]
    data = encode_still(
        frame(rgb), StillDelivery(container, depth, quality=100, compression=compression), 0, StillMetadata()
    )
    np.testing.assert_array_equal(independently(data, container), rgb)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    kind=st.sampled_from([0, 2, 3, 4, 6]),
    interlaced=st.booleans(),
    w=st.integers(1, 20),
    h=st.integers(1, 20),
)
def test_png_of_every_kind_is_read(data: Any, kind: int, interlaced: bool, w: int, h: int) -> None:
    """Built here byte by byte with random filters; the samples are known before any filter is applied."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    depth = data.draw(st.sampled_from({0: [1, 2, 4, 8, 16], 3: [1, 2, 4, 8]}.get(kind, [8, 16])))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    codes = rng.integers(0, 1 << depth, (h, w, channels)).astype(np.uint16)
    palette = rng.integers(0, 256, (1 << min(depth, 8), 3)).astype(np.uint8)
    passes = png._ADAM7 if interlaced else ((0, 0, 1, 1),)
    raw = b"".join(filtered(codes[y::dy, x::dx], depth, rng) for y, x, dy, dx in passes if h > y and w > x)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, interlaced))]
    if kind == 3:
        parts.append((b"PLTE", palette.tobytes()))
    parts += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    file = png.SIGNATURE + b"".join(png.chunk(*part) for part in parts)
    still = reread(file, "png")
    white = 65535 if depth == 16 else 255
    if kind == 3:
        expected = palette[codes[..., 0]]
    else:
        scaled = codes.astype(np.int64) * white // ((1 << depth) - 1)
        expected = scaled[..., 0] if kind in (0, 4) else scaled[..., :3]
    np.testing.assert_array_equal(still.rgb, expected)
    if kind in (4, 6):
        np.testing.assert_array_equal(still.alpha, codes[..., -1])
    else:
        assert still.alpha is None


def filtered(codes: Any, depth: int, rng: Any) -> bytes:
    h, _, channels = codes.shape
    if depth == 16:
        lines = codes.astype(">u2").view(np.uint8).reshape(h, -1)
    else:
        bits = (codes.reshape(h, -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
        lines = np.packbits(bits.reshape(h, -1).astype(np.uint8), axis=1)
    step, out = max(1, channels * depth // 8), bytearray()
    for y in range(h):
        kind = int(rng.integers(0, 5))
        out.append(kind)
        for x in range(lines.shape[1]):
            a = int(lines[y, x - step]) if x >= step else 0
            b = int(lines[y - 1, x]) if y else 0
            c = int(lines[y - 1, x - step]) if y and x >= step else 0
            paeth = min((a, b, c), key=lambda v: abs(a + b - c - v))
            out.append((int(lines[y, x]) - [0, a, b, (a + b) // 2, paeth][kind]) % 256)
    return bytes(out)


def test_transparent_palette_and_colour_become_alpha() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    room = io.BytesIO()
    image.save(room, "PNG", transparency=bytes([7, 255]))
    still = reread(room.getvalue(), "png")
    assert still.rgb.tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert still.alpha.tolist() == [[7, 255]]
    room = io.BytesIO()
    Image.fromarray(np.array([[[1, 2, 3], [1, 2, 4]]], np.uint8)).save(room, "PNG", transparency=(1, 2, 3))
    assert reread(room.getvalue(), "png").alpha.tolist() == [[0, 255]]


def saved(rgb: Any, kind: str, **options: Any) -> bytes:
    room = io.BytesIO()
    Image.fromarray(rgb).save(room, kind, **options)
    return room.getvalue()


def tiff(samples: Any, **options: Any) -> bytes:
    room = io.BytesIO()
    tifffile.imwrite(room, samples, **options)
    return room.getvalue()


@pytest.mark.parametrize("depth", [8, 16, 32])
@pytest.mark.parametrize("lzw", [False, True])
def test_tiff_of_other_writers(depth: int, lzw: bool) -> None:
    rgb = picture(depth, (9, 14, 3))
    data = cv2.imencode(".tif", rgb[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5 if lzw else 1])[1].tobytes()
    np.testing.assert_array_equal(reread(data, "tiff").rgb, rgb)


def test_tiff_layouts() -> None:
    rgb = picture(16, (3, 9, 14))
    planar = reread(tiff(rgb, photometric="rgb", planarconfig="separate"), "tiff")
    np.testing.assert_array_equal(planar.rgb, np.moveaxis(rgb, 0, 2))
    pages = reread(tiff(picture(8, (3, 9, 14, 3)), photometric="rgb"), "tiff")
    np.testing.assert_array_equal(pages.rgb, picture(8, (3, 9, 14, 3))[0])
    assert pages.notes == ("the first of 3 pages",)
    grey = picture(8, (9, 14))
    np.testing.assert_array_equal(reread(tiff(grey, photometric="miniswhite"), "tiff").rgb, 255 - grey)
    table = picture(16, (3, 256))
    colours = reread(tiff(grey, photometric="palette", colormap=table), "tiff").rgb
    np.testing.assert_array_equal(colours, table.T[grey])
    bits = picture(8, (9, 14)) > 127
    room = io.BytesIO()
    Image.fromarray(bits).save(room, "TIFF")
    np.testing.assert_array_equal(reread(room.getvalue(), "tiff").rgb, np.where(bits, 255, 0))
    smooth = np.add.outer(np.arange(32), np.arange(48)).astype(np.uint8)
    close = reread(saved(np.stack([smooth] * 3, axis=2), "TIFF", compression="jpeg", quality=95), "tiff").rgb
    assert np.abs(close.astype(int) - smooth[..., None]).max() <= 8
    half = picture(32, (9, 14, 3)).astype(np.float16)
    np.testing.assert_array_equal(reread(tiff(half, photometric="rgb"), "tiff").rgb, half.astype(np.float32))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(np.zeros((4, 4, 4), np.uint8), photometric="separated"), "SEPARATED.*convert it to RGB"),
        (tiff(np.zeros((4, 4), np.uint32), photometric="minisblack"), "uint32.*16-bit TIFF"),
        (tiff(np.zeros((4, 4), np.uint16), photometric="cfa"), "raw file"),
    ],
)
def test_tiff_that_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        reread(data, "tiff")


@pytest.mark.parametrize(
    ("samples", "options", "note"),
    [
        (np.full((4, 5, 3), 0.1), {}, "64-bit float samples rounded"),
        (picture(8, (4, 5, 4)), {"extrasamples": ["unspecified"]}, "unnamed extra channel is taken for alpha"),
        (
            picture(8, (4, 5, 5)),
            {"extrasamples": ["unassalpha", "unspecified"], "planarconfig": "contig"},
            "1 further channels are left out",
        ),
    ],
)
def test_what_of_a_tiff_is_not_as_it_was_is_said(samples: Any, options: dict[str, Any], note: str) -> None:
    still = reread(tiff(samples, photometric="rgb", **options), "tiff")
    np.testing.assert_array_equal(still.rgb, samples[..., :3].astype(still.rgb.dtype))
    assert [n for n in still.notes if note in n]


def test_grey_tiff_in_a_compression_of_others() -> None:
    grey = picture(8, (9, 14))
    np.testing.assert_array_equal(reread(saved(grey, "TIFF", compression="tiff_lzw"), "tiff").rgb, grey)
    room = io.BytesIO()
    Image.fromarray(grey).convert("LA").save(room, "TIFF", compression="tiff_lzw")
    still = reread(room.getvalue(), "tiff")
    np.testing.assert_array_equal(still.rgb, grey)
    np.testing.assert_array_equal(still.alpha, np.full_like(grey, 255))


def exr(channels: dict[str, Any], **header: Any) -> bytes:
    room = io.BytesIO()
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    OpenEXR.File(header, channels).write(room)
    return room.getvalue()


def test_exr_that_is_refused_or_of_which_something_is_said() -> None:
    plane = picture(32, (6, 5))
    with pytest.raises(InputError, match="has the channels Q, Z; needed are R, G, B or Y"):
        reread(exr({"Q": plane, "Z": plane}), "exr")
    with pytest.raises(InputError, match="a Y channel that is not full-size half or float"):
        reread(exr({"Y": np.zeros((6, 5), np.uint32)}), "exr")
    window = (np.array([0, 0], np.int32), np.array([9, 9], np.int32))
    assert (
        "its data window is taken as the whole picture" in reread(exr({"Y": plane}, displayWindow=window), "exr").notes
    )


def test_colours_of_an_exr_are_multiplied_by_alpha_and_the_pictures_are_straight() -> None:
    straight = np.array([[[0.8, 0.4, 0.2], [0.8, 0.4, 0.2], [2.0, 1.0, 0.0], [0.5, 0.5, 0.5]]], np.float32)
    alpha = np.array([[1.0, 0.25, 0.5, 0.0]], np.float32)
    stored = {name: straight[..., i] * alpha for i, name in enumerate("RGB")} | {"A": alpha}
    still = reread(exr(dict(stored)), "exr")
    np.testing.assert_array_equal(still.rgb, np.where(alpha[..., None] == 0, 0, straight))
    assert [note for note in still.notes if "divided by it" in note]
    written = encode_still(frame(straight, alpha), StillDelivery("exr", 32), 0, StillMetadata())
    seen = OpenEXR.File(io.BytesIO(written), separate_channels=True).channels()
    for name, plane in stored.items():
        np.testing.assert_array_equal(seen[name].pixels, plane)
    glow = reread(exr(stored | {"R": np.ones((1, 4), np.float32)}), "exr")
    assert [note for note in glow.notes if "where alpha is 0" in note]


def test_what_an_exr_says_of_its_colour_and_its_pixels() -> None:
    planes = dict.fromkeys("RGB", picture(32, (4, 4)))
    p3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
    still = reread(exr(planes, chromaticities=p3), "exr")
    assert (still.color.primaries, still.color.assumed) == (Primaries.SMPTE432, ())
    written = encode_still(replace(frame(still.rgb), color=still.color), StillDelivery("exr", 32), 0, StillMetadata())
    assert reread(written, "exr").color.primaries is Primaries.SMPTE432
    aces = reread(exr(planes, chromaticities=(0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)), "exr")
    assert aces.color.assumed == ()
    assert aces.metadata.icc is not None
    wide = reread(exr(planes, pixelAspectRatio=2.0), "exr")
    assert "its pixels are 2 times as wide as high; they are taken for square" in wide.notes


def test_the_part_of_an_exr_that_holds_a_picture_is_taken() -> None:
    plane = picture(32, (4, 5))
    parts = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage}, channels, name)
        for name, channels in (("depth", {"Z": plane}), ("beauty", dict.fromkeys("RGB", plane)))
    ]
    room = io.BytesIO()
    OpenEXR.File(parts).write(room)
    still = reread(room.getvalue(), "exr")
    np.testing.assert_array_equal(still.rgb[..., 1], plane)
    assert "number 2 of 2 parts" in still.notes
    deep = np.empty((4, 5), object)
    for at in np.ndindex(4, 5):
        deep[at] = np.ones(1, np.float32)
    with pytest.raises(InputError, match="not full-size half or float"):
        reread(exr(dict.fromkeys("RGB", deep), type=OpenEXR.deepscanline, compression=OpenEXR.ZIPS_COMPRESSION), "exr")


def test_a_png_of_another_gamma_keeps_it_and_an_unknown_code_point_is_said() -> None:
    made = png.encode(picture(8, (4, 5, 3)), None)
    extra = png.chunk(b"gAMA", struct.pack(">I", 100000))
    still = decode_still(made[:33] + extra + made[33:], Path("x.png"))
    assert "the colours that its gAMA says go on as an ICC profile" in still.notes
    assert still.metadata.icc is not None
    unknown = png.chunk(b"cICP", bytes((250, 251, 0, 1)))
    still = decode_still(made[:33] + unknown + made[33:], Path("x.png"))
    assert still.color.transfer is Transfer.SRGB
    assert still.notes == ("its cICP names no colours that grainkit knows (250, 251): left out",)


def test_half_and_grey_exr() -> None:
    half = picture(32, (6, 5)).astype(np.float16)
    for channels in ({"Y": half}, {"R": half, "G": half, "B": half, "A": half, "Z": half}):
        room = io.BytesIO()
        OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(room)
        still = reread(room.getvalue(), "exr")
        expected = half.astype(np.float32) / (half.astype(np.float32) if "A" in channels else 1)
        np.testing.assert_array_equal(np.atleast_3d(still.rgb)[..., 0], expected)
        assert still.color.transfer is Transfer.LINEAR
        assert "scene-linear" in still.notes[0]
    assert still.notes[1] == "its channels Z are left out"
    np.testing.assert_array_equal(still.alpha, half.astype(np.float32))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("container", ["jpeg", "webp", "png", "tiff"])
def test_orientation_is_baked_in(orientation: int, container: str, tmp_path: Path) -> None:
    upright = np.zeros((16, 32, 4), np.uint8) + np.uint8(255)
    upright[:8, :16, :3], upright[:8, 16:, :3], upright[8:, :16, :3] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    upright[:8, :, 3] = 128
    stored = np.asarray(turned(Image.fromarray(upright), orientation))
    if container == "tiff":
        data = tiff(
            stored, photometric="rgb", extrasamples=["unassalpha"], extratags=[(274, "H", 1, orientation, True)]
        )
    else:
        options = {"jpeg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}, "png": {}}[container]
        shown = stored[..., :3] if container == "jpeg" else stored
        data = saved(
            np.ascontiguousarray(shown), container.upper(), exif=b"Exif\0\0" + exif_block(orientation), **options
        )
    path = tmp_path / f"x.{container}"
    path.write_bytes(data)
    source = StillSource(path)
    (seen,) = source
    assert seen.rgb is not None
    assert (source.info.width, source.info.height) == (32, 16) == (seen.width, seen.height)
    assert int(np.abs(seen.rgb.astype(int) - upright[..., :3]).max()) <= (3 if container == "jpeg" else 0)
    if container != "jpeg":
        assert seen.alpha is not None
        np.testing.assert_array_equal(seen.alpha, upright[..., 3])
    assert (f"EXIF orientation {orientation} baked in" in source.info.notes) == (orientation > 1)
    if container != "tiff":
        exif = Image.Exif()
        exif.load(source.info.still.exif)
        assert exif[0x0112] == 1
        assert exif[0x010F] == "Maker"


def turned(image: Any, orientation: int) -> Any:
    """How a camera held that way stores the picture: the inverse of what Pillow does for its viewers."""
    way = Image.Transpose
    back = {2: way.FLIP_LEFT_RIGHT, 3: way.ROTATE_180, 4: way.FLIP_TOP_BOTTOM, 5: way.TRANSPOSE,
            6: way.ROTATE_90, 7: way.TRANSVERSE, 8: way.ROTATE_270}  # fmt: skip
    return image.transpose(back[orientation]) if orientation in back else image


METADATA = StillMetadata(icc=ICC, exif=exif_block(), xmp=XMP, text=TEXT, dpi=(300.0, 300.0))


@pytest.mark.parametrize("container", ["png", "jpeg", "webp", "tiff"])
def test_metadata_reaches_other_readers(container: str) -> None:
    data = encode_still(frame(picture(8, (8, 9, 3))), StillDelivery(container), 0, METADATA)
    image: Any = Image.open(io.BytesIO(data))
    image.load()
    assert image.info["icc_profile"] == ICC
    if container != "webp":
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    xmp = image.tag_v2[700] if container == "tiff" else image.info["xmp"]
    assert (xmp.encode() if isinstance(xmp, str) else xmp) == XMP
    exif = image.getexif()
    assert exif[0x010F] == "Maker"
    if container != "tiff":
        assert exif[0x011A] == 300.0
        assert exif.get_ifd(0x8769)[0xA002] == 9
        assert exif.get_ifd(0x8769)[0x9286].endswith("猫".encode("utf-16-be"))
    if container == "png":
        found = [chunk for chunk in chunks_by_hand(data) if chunk[0] in (b"tEXt", b"iTXt")]
        assert [body.split(b"\0")[0].decode() for _, body in found] == [PNG_XMP, *(key for key, _ in TEXT)]
        assert image.text["workflow"] == TEXT[1][1]
        assert image.text["parameters"] == TEXT[3][1]


PNG_XMP = "XML:com.adobe.xmp"


def chunks_by_hand(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += length + 12
    return found


@pytest.mark.parametrize("container", ["png", "jpeg", "webp", "tiff", "exr"])
def test_metadata_goes_round(container: str) -> None:
    depth = 32 if container == "exr" else 8
    delivery = StillDelivery(container, depth)
    first = reread(encode_still(frame(picture(depth, (8, 9, 3))), delivery, 0, METADATA), container).metadata
    second = reread(encode_still(frame(picture(depth, (8, 9, 3))), delivery, 0, first), container).metadata
    assert first == second
    assert first.xmp == XMP
    assert container == "exr" or first.icc == ICC
    assert container != "png" or first.text == TEXT
    assert container != "png" or first == replace(METADATA, exif=first.exif)
    assert container == "webp" or first.dpi == pytest.approx((300.0, 300.0))
    assert dict(first.text).get("workflow") == (TEXT[1][1] if container in ("png", "exr") else None)


def test_asked_dpi_and_xmp_win() -> None:
    data = encode_still(frame(picture(8, (8, 9, 3))), StillDelivery("png"), 72, METADATA, b"<x/>")
    image = Image.open(io.BytesIO(data))
    assert image.info["dpi"] == pytest.approx((72, 72), abs=0.01)
    assert image.info["xmp"] == b"<x/>"
    assert image.getexif()[0x011A] == 72.0


def test_what_a_container_cannot_hold_is_said() -> None:
    assert lost_metadata(StillDelivery("png"), METADATA) == ()
    said = lost_metadata(StillDelivery("jpeg"), METADATA)
    assert "UserComment of its own" in said[0]
    assert "workflow of 80,000 characters does not fit" in said[1]
    assert said[2] == "JPEG has no text chunks: workflow, prompt, parameters left out"
    assert len(lost_metadata(StillDelivery("exr"), METADATA)) == 2
    huge = replace(METADATA, text=(), exif=bytes(70000), xmp=bytes(70000))
    assert len(lost_metadata(StillDelivery("jpeg"), huge)) == 2
    data = encode_still(frame(picture(8, (8, 9, 3))), StillDelivery("jpeg"), 0, huge)
    assert not {"exif", "xmp"} & Image.open(io.BytesIO(data)).info.keys()


def test_a_profile_of_the_wrong_kind_is_not_embedded() -> None:
    grey_profile = ICC[:16] + b"GRAY" + ICC[20:]
    for profile, grey, kept in (
        (ICC, False, True),
        (ICC, True, False),
        (grey_profile, True, True),
        (grey_profile, False, False),
    ):
        data = encode_still(
            frame(picture(8, (8, 9) if grey else (8, 9, 3))), StillDelivery("png"), 0, StillMetadata(icc=profile)
        )
        assert (b"iCCP" in dict(chunks_by_hand(data))) == kept


def test_hdr_png_is_tagged_and_read_back() -> None:
    color = replace(SRGB_STILL, depth=16, primaries=Primaries.BT2020, transfer=Transfer.PQ)
    rgb = picture(16, (4, 4, 3))
    data = encode_still(replace(frame(rgb), color=color), StillDelivery("png", 16), 0, StillMetadata())
    assert dict(chunks_by_hand(data))[b"cICP"] == bytes((9, 16, 0, 1))
    assert reread(data, "png").color == color


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("grey", [False, True])
def test_jpeg_is_close_and_sampled_as_asked(subsampling: str, grey: bool) -> None:
    ramp = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8) + np.uint8(50)
    rgb = ramp if grey else np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2)
    data = encode_still(frame(rgb), StillDelivery("jpeg", subsampling=subsampling), 0, StillMetadata())
    still = reread(data, "jpeg")
    assert still.rgb.shape == rgb.shape
    assert np.abs(still.rgb.astype(int) - rgb).mean() < 1.5
    if not grey:
        sampling = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2)}[subsampling]
        image: Any = Image.open(io.BytesIO(data))
        assert image.layer[0][1:3] == sampling


def test_noise_at_full_quality_is_written() -> None:
    noise = picture(8, (600, 700, 3))
    assert (
        reread(encode_still(frame(noise), StillDelivery("jpeg", quality=100), 0, METADATA), "jpeg").rgb.shape
        == noise.shape
    )


@pytest.mark.parametrize("container", ["jpeg", "webp"])
def test_max_bytes_lowers_quality_to_70_and_no_further(container: str) -> None:
    noise = frame(picture(8, (64, 64, 3)))
    at = {q: len(encode_still(noise, StillDelivery(container, quality=q), 0, StillMetadata())) for q in (95, 80, 70)}
    within = encode_still(noise, StillDelivery(container, quality=95, max_bytes=at[80]), 0, StillMetadata())
    assert at[70] < len(within) <= at[80] < at[95]
    least = encode_still(noise, StillDelivery(container, quality=95, max_bytes=at[70]), 0, StillMetadata())
    assert len(least) == at[70]
    with pytest.raises(OutputError, match=r"quality 70.*deliver it smaller"):
        encode_still(noise, StillDelivery(container, quality=95, max_bytes=at[70] - 1), 0, StillMetadata())


@pytest.mark.parametrize(
    ("container", "depth", "held"),
    [("jpeg", 8, 16), ("webp", 8, 16), ("png", 16, 8), ("png", 8, 16), ("exr", 32, 16), ("png", 32, 32), ("gif", 8, 8)],
)
def test_samples_that_do_not_fit_are_a_mistake(container: str, depth: int, held: int) -> None:
    with pytest.raises(GrainkitError) as error:
        encode_still(frame(picture(held, (4, 4, 3))), StillDelivery(container, depth), 0, StillMetadata())
    assert error.value.exit_status == 1


def test_too_wide_for_the_container() -> None:
    long = frame(np.zeros((1, 16384, 3), np.uint8))
    with pytest.raises(OutputError, match="at most 16383 px"):
        encode_still(long, StillDelivery("webp"), 0, StillMetadata())
    assert encode_still(long, StillDelivery("jpeg"), 0, StillMetadata())


def examples() -> dict[str, bytes]:
    rgb = picture(8, (40, 50, 3))
    made = {c: encode_still(frame(rgb), StillDelivery(c), 0, StillMetadata()) for c in ("png", "jpeg", "webp", "tiff")}
    made["plain tiff"] = encode_still(frame(rgb), StillDelivery("tiff", compression="none"), 0, StillMetadata())
    made["lzw tiff"] = cv2.imencode(".tif", rgb)[1].tobytes()
    made["progressive jpeg"] = saved(rgb, "JPEG", progressive=True)
    made["16-bit png"] = encode_still(frame(picture(16, (40, 50, 3))), StillDelivery("png", 16), 0, StillMetadata())
    made["exr"] = encode_still(frame(picture(32, (40, 50, 3))), StillDelivery("exr", 32), 0, StillMetadata())
    return made


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("share", [0.002, 0.02, 0.3, 0.6, 0.97])
def test_a_truncated_still_is_refused_in_one_line(name: str, share: float, tmp_path: Path) -> None:
    data = EXAMPLES[name]
    path = tmp_path / "cut.bin"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError) as error:
        StillSource(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from([n for n in EXAMPLES if n != "exr"]), data=st.data())
def test_a_damaged_still_is_read_or_refused(name: str, data: Any) -> None:
    bytes_ = bytearray(EXAMPLES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        bytes_[data.draw(st.integers(0, min(len(bytes_) - 1, 600)))] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        still = decode_still(bytes(bytes_), Path("x"))
        assert still.rgb.dtype in (np.uint8, np.uint16, np.float32)
        assert still.alpha is None or still.alpha.shape == still.rgb.shape[:2]


def headed(width: int, height: int) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png.SIGNATURE + png.chunk(b"IHDR", ihdr) + png.chunk(b"IEND", b"")


def animated(kind: str) -> bytes:
    return saved(np.zeros((4, 4, 4), np.uint8), kind, save_all=True, append_images=[Image.new("RGBA", (4, 4), "red")])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not a picture at all, just words", "no picture that grainkit knows"),
        (b"GIF89a" + bytes(30), "holds GIF"),
        (b"\0\0\0\x20ftypavif" + bytes(30), "holds AVIF"),
        (b"\xff\x0a" + bytes(30), "holds JPEG XL"),
        (b"\0\0\0\x0cjP  " + bytes(30), "holds JPEG 2000"),
        (b"8BPS" + bytes(30), "holds a Photoshop document"),
        (b"BM" + bytes(30), "holds BMP"),
        (png.SIGNATURE + png.chunk(b"IEND", b""), "its header is missing"),
        (headed(0, 5), "0x5 px"),
        (headed(1 << 20, 1 << 20), "300,000,000 pixels"),
        (animated("PNG"), "animated PNG"),
        (animated("WEBP"), "animated WebP"),
    ],
)
def test_what_is_no_still_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(InputError, match=reason):
        StillSource(path)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_the_limit_of_pixels_holds_for_every_format(kind: str) -> None:
    with pytest.raises(InputError, match=r"x: is 10x10 px, more than the 99 pixels allowed; .*--max-pixels 1M"):
        decode_still(saved(np.zeros((10, 10, 3), np.uint8), kind), Path("x"), 99)


EXTRA = {
    "density": png.chunk(b"pHYs", struct.pack(">IIB", 0xFFFFFFFF, 1, 1)),
    "gamma": png.chunk(b"gAMA", bytes([255]) * 200),
    "exif": png.chunk(b"eXIf", exif_block()),
}


@pytest.mark.parametrize("container", ["png", "jpeg", "tiff"])
def test_a_density_or_gamma_that_cannot_be_is_left_out(container: str) -> None:
    made = png.encode(picture(8, (4, 5, 3)), None)
    still = decode_still(made[:33] + b"".join(EXTRA.values()) + made[33:], Path("x.png"))
    assert still.metadata.dpi is None
    assert [note for note in still.notes if "1.09092e+08 x 0.0254 dots per inch are left out" in note]
    delivered = encode_still(frame(still.rgb), StillDelivery(container), 0, still.metadata)
    assert reread(delivered, container).metadata.dpi in (None, (72.0, 72.0))  # what EXIF says is kept


@pytest.mark.slow
def test_texts_of_a_png_unpack_to_no_more_than_one_may() -> None:
    texts = [png.chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(40 << 20))) for _ in range(20)]
    header = png.chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    end = png.chunk(b"IDAT", zlib.compress(bytes(2))) + png.chunk(b"IEND", b"")
    still = decode_still(png.SIGNATURE + header + b"".join(texts) + end, Path("x.png"))
    assert [len(text) for _, text in still.metadata.text] == [40 << 20]
    assert len(still.notes) == 19


def test_a_bomb_inside_a_png_does_not_swell() -> None:
    header = png.chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0))
    bomb = png.chunk(b"IDAT", zlib.compress(bytes(100 << 20), 9))
    still = decode_still(png.SIGNATURE + header + bomb + png.chunk(b"IEND", b""), Path("x.png"))
    assert still.rgb.tolist() == [[0, 0], [0, 0]]


def test_cmyk_jpeg_names_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.new("CMYK", (4, 4)).save(path)
    with pytest.raises(InputError, match="CMYK JPEG; convert it to sRGB"):
        StillSource(path)


def test_a_wrong_ending_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(EXAMPLES["png"])
    assert StillSource(path).info.notes == ("named .jpg but holds a PNG",)


def test_a_damaged_text_is_left_out_and_said() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", "hello")
    data = bytearray(saved(np.zeros((4, 4, 3), np.uint8), "PNG", pnginfo=info))
    data[data.index(b"hello")] ^= 1
    still = reread(bytes(data), "png")
    assert still.metadata.text == ()
    assert still.notes == ("its damaged tEXt chunk is left out",)


def test_source_tells_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    rgb, alpha = picture(16, (6, 8, 3)), picture(16, (6, 8))
    path.write_bytes(encode_still(frame(rgb, alpha), StillDelivery("png", 16), 0, METADATA))
    with open_source(path) as source:
        (only,) = source
    info = source.info
    assert (info.kind, info.frames, info.width, info.height, info.pixel_format) == ("still", 1, 8, 6, "rgba64le")
    assert info.digital_source_type == "trainedAlgorithmicMedia"
    assert info.color == replace(SRGB_STILL, depth=16)
    assert info.has_alpha
    assert only.color == info.color
    for plane, expected in zip(only.planes, planes_from_rgb(rgb, info.color), strict=True):
        np.testing.assert_array_equal(plane, expected)
    np.testing.assert_array_equal(only.alpha, alpha)
    path.write_bytes(encode_still(frame(rgb), StillDelivery("png", 16), 0, StillMetadata()))
    assert StillSource(path).info.color.assumed == ("primaries", "transfer")


def test_sink_writes_one_still_whole_or_nothing(tmp_path: Path) -> None:
    only = frame(picture(8, (4, 4, 3)))
    sink = StillSink(tmp_path / "a.png", delivery=StillDelivery())
    with pytest.raises(GrainkitError, match="no frame"):
        sink.commit()
    sink.write(only)
    assert not (tmp_path / "a.png").exists()
    with pytest.raises(GrainkitError, match="one frame"):
        sink.write(only)
    sink.commit()
    sink.abort()
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    other = StillSink(tmp_path / "b.png", delivery=StillDelivery())
    other.write(only)
    other.abort()
    other.abort()
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(OutputError, match="folder does not exist"):
        StillSink(tmp_path / "no" / "a.png", delivery=StillDelivery())


def test_missing_files_suggest_their_neighbours(tmp_path: Path) -> None:
    (tmp_path / "portrait.png").write_bytes(EXAMPLES["png"])
    with pytest.raises(InputError, match=r"no such file; did you mean .*portrait\.png\?"):
        open_source(tmp_path / "portrai.png")
    with pytest.raises(InputError, match="there is no folder"):
        open_source(tmp_path / "x" / "y.png")
    with pytest.raises(InputError, match="frame 0 alone"):
        open_source(tmp_path / "portrait.png", start=1)
    with pytest.raises(InputError, match="are none"):
        open_source(tmp_path / "portrait.png", start=2, stop=2)


def test_a_pipe_and_a_clip_go_to_their_own_readers(tmp_path: Path) -> None:
    stream = b"YUV4MPEG2 W4 H2 F25:1 Ip A1:1 C420jpeg\n" + (b"FRAME\n" + bytes(range(12))) * 3
    with open_source("-", start=1, stdin=io.BytesIO(stream)) as pipe:
        assert [f.index for f in pipe] == [1, 2]
    (tmp_path / "x.png").write_bytes(stream)
    with open_source(tmp_path / "x.png") as clip:
        assert clip.info.kind == "clip"
        assert [f.index for f in clip] == [0, 1, 2]
