"""What a still carries beside its picture is brought in line with the result, or its loss is said."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from grainkit.errors import InputError
from grainkit.io import open_source, png
from grainkit.io.base import StillMetadata
from grainkit.io.decode_still import decode_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.iso_boxes import xmp_box
from grainkit.io.metadata import CREDENTIALS_LOST, read_packet, xmp_packet
from grainkit.io.still import ORIENTATIONS, Still
from grainkit.io.stills import StillSource
from grainkit.picture.color import Primaries, Transfer

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
PICTURE = np.random.default_rng(4).integers(0, 256, (6, 9, 3)).astype(np.uint8)
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'


def reread(data: bytes, name: str = "x.png") -> Still:
    return decode_still(data, Path(name))


def png_with(*chunks: tuple[bytes, bytes], picture: Any = PICTURE, **options: Any) -> bytes:
    return png.encode(picture, None, chunks, **options)


def exif(orientation: int | None, maker: str = "Maker") -> bytes:
    block = Image.Exif()
    block[0x010F] = maker
    if orientation is not None:
        block[0x0112] = orientation
    return block.tobytes()[6:]


def xmp(inside: str = "", attributes: str = "", namespaces: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF} {namespaces}><rdf:Description rdf:about="" {attributes}>'
        f"{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


TIFF_NAMES = 'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'


def turned_xmp(orientation: int, element: bool = False) -> bytes:
    if element:
        return xmp(f"<tiff:Orientation>{orientation}</tiff:Orientation>", "", TIFF_NAMES)
    return xmp("", f'tiff:Orientation="{orientation}" tiff:Make="Maker"', TIFF_NAMES)


def raw_profile(name: str, body: bytes) -> tuple[bytes, bytes]:
    """As ImageMagick writes it: compressed text of a name, a length and hexadecimal lines."""
    digits = body.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\n{name}\n{len(body):8d}\n{lines}\n"
    return b"zTXt", b"Raw profile type " + name.encode() + b"\0\0" + zlib.compress(text.encode())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["exif", "APP1"])
def test_orientation_in_a_raw_profile_is_baked_in_once(orientation: int, name: str) -> None:
    still = reread(png_with(raw_profile(name, b"Exif\0\0" + exif(orientation))))
    np.testing.assert_array_equal(still.rgb, ORIENTATIONS[orientation].apply(PICTURE))
    assert (f"EXIF orientation {orientation} baked in" in still.notes) == (orientation > 1)
    assert still.metadata.text == ()
    block = Image.Exif()
    block.load(still.metadata.exif)
    assert (block[0x0112], block[0x010F]) == (1, "Maker")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("container", ["png", "jpeg", "webp", "tiff", "raw xmp", "raw APP1"])
def test_orientation_in_xmp_counts_where_no_exif_says_it(orientation: int, container: str) -> None:
    packet = turned_xmp(orientation, element=orientation % 2 == 0)
    picture = Image.fromarray(np.repeat(np.repeat(PICTURE // 255 * 255, 8, 0), 8, 1))
    room = io.BytesIO()
    if container == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        picture.save(room, "PNG", pnginfo=info)
    elif container == "tiff":
        picture.save(room, "TIFF", tiffinfo={700: packet})
    elif container.startswith("raw"):
        body = packet if container == "raw xmp" else b"http://ns.adobe.com/xap/1.0/\0" + packet
        room.write(png_with(raw_profile(container.split()[1], body), picture=np.asarray(picture)))
    else:
        options: dict[str, Any] = {"quality": 100, "subsampling": 0} if container == "jpeg" else {"lossless": True}
        picture.save(room, container, xmp=packet, exif=b"Exif\0\0" + exif(None), **options)
    still = reread(room.getvalue())
    shown = ORIENTATIONS[orientation].apply(np.asarray(picture))
    assert still.rgb.shape == shown.shape
    assert np.abs(still.rgb.astype(int) - shown).max() <= 4
    assert (f"XMP orientation {orientation} baked in" in still.notes) == (orientation > 1)
    assert read_packet(still.metadata.xmp).orientation == 1
    assert b"Maker" in (still.metadata.xmp or b"") or orientation % 2 == 0


def test_exif_wins_over_xmp_and_the_chunk_over_the_text() -> None:
    both = png_with((b"eXIf", exif(6)), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + turned_xmp(3)),
                    raw_profile("exif", exif(8, "Other")))  # fmt: skip
    still = reread(both)
    np.testing.assert_array_equal(still.rgb, ORIENTATIONS[6].apply(PICTURE))
    assert "EXIF orientation 6 baked in" in still.notes
    assert "its Raw profile type exif is left out: other EXIF stands before it" in still.notes
    assert read_packet(still.metadata.xmp).orientation == 1
    assert b"Maker" in (still.metadata.exif or b"")
    upright = reread(png_with((b"eXIf", exif(1)), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + turned_xmp(3))))
    np.testing.assert_array_equal(upright.rgb, PICTURE)
    assert read_packet(upright.metadata.xmp).orientation == 1


def test_raw_profiles_go_to_their_places_and_damaged_ones_are_said() -> None:
    profile = bytes(range(200))
    still = reread(png_with(raw_profile("icc", profile), raw_profile("iptc", b"8BIM")))
    assert still.metadata.icc == profile
    assert still.color.assumed == ()
    assert [key for key, _ in still.metadata.text] == ["Raw profile type iptc"]
    for text in (b"\nexif\n  9\n00ff", b"\nexif\n  2\nzz", b"nothing"):
        still = reread(png_with((b"tEXt", b"Raw profile type exif\0" + text)))
        assert still.metadata == StillMetadata()
        assert [n for n in still.notes if n.startswith("its Raw profile type exif is left out: ")]


def test_what_is_written_from_a_turned_still_turns_no_one_again(tmp_path: Path) -> None:
    from grainkit.io.encode_still import encode_still
    from grainkit.io.stills import frame_of

    for data in (
        png_with(raw_profile("exif", exif(6))),
        png_with((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + turned_xmp(6))),
    ):
        still = reread(data)
        again = encode_still(frame_of(still), StillDelivery("png"), 0, still.metadata)
        seen = Image.open(io.BytesIO(again))
        assert seen.getexif().get(0x0112, 1) == 1
        assert not [key for key in seen.info if key.startswith("Raw profile")]
        np.testing.assert_array_equal(reread(again).rgb, ORIENTATIONS[6].apply(PICTURE))


def animated(frames: int, announced: int, hidden_default: bool) -> bytes:
    """An APNG whose default picture belongs to the animation or not."""
    control = struct.pack(">IIIIIHHBB", 0, 9, 6, 0, 0, 1, 10, 0, 0)[:26]
    head, *rest = chunks_of(png_with())
    body = next(content for name, content in rest if name == b"IDAT")
    made = [head, (b"acTL", struct.pack(">II", announced, 0))]
    if not hidden_default and frames:
        made.append((b"fcTL", control))
    made.append((b"IDAT", body))
    for number in range(1 if not hidden_default else 0, frames):
        made += [(b"fcTL", control), (b"fdAT", struct.pack(">I", number) + body)]
    return png.SIGNATURE + b"".join(png.chunk(*one) for one in [*made, (b"IEND", b"")])


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    return list(png.chunks(data))


@pytest.mark.parametrize(
    ("frames", "announced", "hidden", "note"),
    [
        (1, 1, False, ()),
        (0, 1, True, ()),
        (0, 3, True, ()),
        (1, 1, True, ("the one frame of its animation is left out: its default picture is taken",)),
    ],
)
def test_a_png_of_one_frame_is_a_still(frames: int, announced: int, hidden: bool, note: tuple[str, ...]) -> None:
    still = reread(animated(frames, announced, hidden))
    np.testing.assert_array_equal(still.rgb, PICTURE)
    assert still.notes == note


@pytest.mark.parametrize(("frames", "announced", "hidden"), [(2, 2, False), (2, 2, True), (2, 1, False), (1, 2, True)])
def test_a_png_of_more_is_refused(frames: int, announced: int, hidden: bool) -> None:
    with pytest.raises(InputError, match="animated PNG"):
        reread(animated(frames, announced, hidden))


def jpeg_with(*segments: tuple[int, bytes], after: bytes = b"", **options: Any) -> bytes:
    room = io.BytesIO()
    Image.fromarray(PICTURE).save(room, "JPEG", **options)
    data = room.getvalue()
    extra = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return data[:2] + extra + data[2:] + after


def multi_picture(count: int) -> bytes:
    return b"MPF\0" + struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0xB001, 4, 1, count, 0)


GAIN_MAP = xmp("", 'hdrgm:Version="1.0" hdrgm:GainMapMax="2" other:kept="yes"',
               'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:other="urn:other:"')  # fmt: skip
XMP = b"http://ns.adobe.com/xap/1.0/\0"
GAIN_MAP_LOST = "its HDR gain map is left out: the result is the picture of standard range"
JUMBF = b"JP\0\1" + struct.pack(">II4sI4s", 1, 40, b"jumb", 32, b"jumd") + bytes(16) + b"\3c2pa\0"


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        (jpeg_with((0xE2, multi_picture(2))), ("1 further picture inside it (MPO) left out",)),
        (jpeg_with((0xE2, multi_picture(3))), ("2 further pictures inside it (MPO) left out",)),
        (jpeg_with((0xE2, multi_picture(1))), ()),
        (jpeg_with((0xE1, XMP + GAIN_MAP), (0xE2, multi_picture(2))), (GAIN_MAP_LOST,)),
        (jpeg_with((0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))), (GAIN_MAP_LOST,)),
        (jpeg_with((0xE2, multi_picture(2)), after=b"..urn:com:apple:photo:2020:aux:hdrgainmap.."), (GAIN_MAP_LOST,)),
        (jpeg_with((0xEB, JUMBF)), (CREDENTIALS_LOST,)),
        (jpeg_with((0xEB, b"JP\0\1\0\0\0\1\0\0\0\x10RESI" + bytes(8))),
         ("its JPEG XT enhancement is left out: the result is its 8-bit picture",)),
        (jpeg_with((0xED, b"Photoshop 3.0\0008BIM\x04\x04\0\0\0\0\0\4\x1c\2\0\0")),
         ("its IPTC captions are left out",)),
        (jpeg_with((0xED, b"Photoshop 3.0\0008BIM\x03\xed\0\0\0\0\0\0")), ()),
        (jpeg_with((0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40))),
         ("the part of its XMP that did not fit one segment is left out",)),
        (jpeg_with((0xE2, b"ICC_PROFILE\0\1\2" + bytes(130))),
         ("its ICC profile is left out: pieces of it are missing",)),
    ],
)  # fmt: skip
def test_what_a_jpeg_holds_beside_its_picture_is_said(data: bytes, notes: tuple[str, ...]) -> None:
    still = reread(data, "x.jpg")
    assert still.notes == notes
    np.testing.assert_array_equal(still.rgb, reread(jpeg_with(), "x.jpg").rgb)


def test_a_finished_picture_claims_no_gain_map_and_no_clip() -> None:
    still = reread(jpeg_with((0xE1, XMP + GAIN_MAP)), "x.jpg")
    assert still.metadata.xmp is not None
    assert b"hdrgm:" not in still.metadata.xmp.replace(b"xmlns:hdrgm", b"")
    assert b'other:kept="yes"' in still.metadata.xmp
    camera = 'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
    moving = xmp("", 'GCamera:MotionPhoto="1" GCamera:Other="2"', camera)
    still = reread(jpeg_with((0xE1, XMP + moving)), "x.jpg")
    assert still.notes == ("its motion photo's clip is left out",)
    assert b"MotionPhoto" not in (still.metadata.xmp or b"")
    assert b"GCamera:Other" in (still.metadata.xmp or b"")


def test_metadata_of_a_jpeg_is_read_whole() -> None:
    icc = bytes(range(256)) * 400
    pieces = [icc[at : at + 60000] for at in range(0, len(icc), 60000)]
    segments = [(0xE2, b"ICC_PROFILE\0" + bytes((n, len(pieces))) + piece) for n, piece in enumerate(pieces, 1)]
    data = jpeg_with(
        (0xE1, b"Exif\0\0" + exif(1)), (0xE1, XMP + xmp()), *reversed(segments), (0xFE, b"Steps: 3\0"), dpi=(300, 200)
    )
    said = reread(data, "x.jpg").metadata
    assert (said.icc, said.xmp, said.dpi) == (icc, xmp(), (300.0, 200.0))
    assert b"Maker" in (said.exif or b"")
    assert said.text == (("Comment", "Steps: 3"),)
    block = Image.Exif()
    block[0x011A], block[0x011B], block[0x0128] = 118.0, 59.0, 3
    said = reread(jpeg_with((0xE1, b"Exif\0\0" + block.tobytes()[6:])), "x.jpg").metadata
    assert said.dpi == pytest.approx((118 * 2.54, 59 * 2.54))


def test_an_exif_thumbnail_is_unlinked_and_said() -> None:
    block = bytearray(exif(1))
    link = 8 + 2 + 12 * struct.unpack_from(">H" if block[:2] == b"MM" else "<H", block, 8)[0]
    struct.pack_into(">I" if block[:2] == b"MM" else "<I", block, link, 8)
    still = reread(jpeg_with((0xE1, b"Exif\0\0" + bytes(block))), "x.jpg")
    assert still.notes == ("its EXIF thumbnail, which would show another picture, is left out",)
    assert (still.metadata.exif or b"")[link : link + 4] == bytes(4)


def webp_with(*chunks: tuple[bytes, bytes]) -> bytes:
    room = io.BytesIO()
    Image.fromarray(PICTURE).save(room, "WEBP", lossless=True, exif=b"Exif\0\0" + exif(1))
    data = room.getvalue() + b"".join(
        name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) for name, body in chunks
    )
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def tiff_with(tags: Any) -> bytes:
    room = io.BytesIO()
    import tifffile

    tifffile.imwrite(room, PICTURE, photometric="rgb", extratags=tags)
    return room.getvalue()


PROVENANCE = xmp("", 'dcterms:provenance="https://example.com/m.c2pa"', 'xmlns:dcterms="http://purl.org/dc/terms/"')


@pytest.mark.parametrize(
    "data",
    [
        png_with((b"caBX", b"jumb")),
        jpeg_with((0xEB, JUMBF)),
        webp_with((b"C2PA", b"jum")),
        tiff_with([(0xCD41, "B", 4, b"jumb", True)]),
        png_with((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PROVENANCE)),
    ],
    ids=["png", "jpeg", "webp", "tiff", "elsewhere"],
)
def test_content_credentials_are_said_to_be_lost(data: bytes) -> None:
    still = decode_still(data, Path("x"))
    assert "its Content Credentials (C2PA) are lost: the pixels they sign are changed" in still.notes
    assert b"provenance" not in (still.metadata.xmp or b"")


def test_what_grainkit_finished_before_is_warned_of(tmp_path: Path) -> None:
    packet = xmp_packet(digital_source_type="", software="grainkit 0.1.0", summary="grain")
    path = tmp_path / "x.png"
    path.write_bytes(png_with((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)))
    said = "grainkit finished this file before (grainkit 0.1.0); give it the original, or its grain is laid twice"
    assert StillSource(path).info.notes == (said,)
    path.write_bytes(png_with((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp())))
    assert StillSource(path).info.notes == ()


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_a_clip_that_grainkit_finished_before_is_warned_of(ending: str, tmp_path: Path) -> None:
    from tests.drawn import clip

    path = clip(tmp_path / f"x.{ending}", codec="libx264", frames=2)
    assert not [note for note in open_source(path).info.notes if "before" in note]
    packet = xmp_packet(digital_source_type="", software="grainkit 0.1.0", summary="grain")
    path.write_bytes(path.read_bytes() + xmp_box(packet))
    with open_source(path) as source:
        assert [note for note in source.info.notes if "finished this file before (grainkit 0.1.0)" in note]


@pytest.mark.parametrize("bits", [8, 16])
def test_narrow_range_is_spread(bits: int) -> None:
    scale = 1 << (bits - 8)
    codes = np.array([[[16, 235, 126]], [[0, 255, 17]]], np.uint16) * scale
    picture = codes.astype(np.uint8 if bits == 8 else np.uint16)
    still = reread(png_with((b"cICP", bytes((9, 16, 0, 0))), picture=picture))
    white = (1 << bits) - 1
    expected = np.clip(np.rint((codes.astype(float) / scale - 16) / 219 * white), 0, white)
    np.testing.assert_array_equal(still.rgb, expected)
    assert (still.color.primaries, still.color.transfer) == (Primaries.BT2020, Transfer.PQ)
    assert [n for n in still.notes if "narrow-range" in n]
    np.testing.assert_array_equal(reread(png_with((b"cICP", bytes((9, 16, 0, 1))), picture=picture)).rgb, picture)


def test_colour_that_is_not_carried_is_said() -> None:
    assert reread(png_with((b"cICP", bytes((250, 251, 0, 1))))).notes == (
        "its cICP names no colours that grainkit knows (250, 251): left out",
    )
    assert reread(png_with((b"mDCV", bytes(24)), (b"cLLI", bytes(8)))).notes == (
        "what it says of its mastering display and light levels (mDCV, cLLI) is left out",
    )
    srgb = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    p3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    assert reread(png_with((b"cHRM", srgb))).notes == ()
    assert reread(png_with((b"cHRM", p3))).notes == ("the colours that its cHRM says go on as an ICC profile",)
    assert reread(png_with((b"sRGB", b"\0"), (b"cHRM", p3))).notes == ()


@pytest.mark.parametrize(
    ("kind", "depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4)]
)
@pytest.mark.parametrize("interlaced", [False, True])
def test_transparency_of_a_png_of_every_depth(kind: int, depth: int, interlaced: bool) -> None:
    """Grey, RGB and palettes with tRNS, against what was drawn."""
    rng = np.random.default_rng([kind, depth])
    channels = 3 if kind == 2 else 1
    codes = rng.integers(0, min(1 << depth, 5), (7, 10, channels)).astype(np.uint16)
    bits = (codes.reshape(7, -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
    palette = rng.integers(0, 256, (1 << min(depth, 8), 3)).astype(np.uint8)
    opacity = rng.integers(0, 256, max(1, len(palette) - 1)).astype(np.uint8)
    raw = b""
    for y, x, dy, dx in png._ADAM7 if interlaced else ((0, 0, 1, 1),):
        for row in bits.reshape(7, 10, channels, depth)[y::dy, x::dx]:
            raw += b"\0" + np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() if row.size else b""
    key = opacity.tobytes() if kind == 3 else struct.pack(f">{channels}H", *codes[3, 4])
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 10, 7, depth, kind, 0, 0, interlaced)), (b"tRNS", key)]
    parts[1:1] = [(b"PLTE", palette.tobytes())] if kind == 3 else []
    parts += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    still = reread(png.SIGNATURE + b"".join(png.chunk(*part) for part in parts))
    white = 65535 if depth == 16 else 255
    assert still.alpha is not None
    if kind == 3:
        np.testing.assert_array_equal(still.rgb, palette[codes[..., 0]])
        np.testing.assert_array_equal(still.alpha, np.append(opacity, [255] * 256)[codes[..., 0]])
    else:
        np.testing.assert_array_equal(still.rgb.reshape(codes.shape), codes.astype(int) * white // ((1 << depth) - 1))
        np.testing.assert_array_equal(still.alpha, np.where((codes == codes[3, 4]).all(axis=2), 0, white))


def test_a_transparent_colour_has_the_pictures_depth() -> None:
    """PNG, 11.3.1.1: only the low bits of a tRNS count."""
    still = reread(png_with((b"tRNS", struct.pack(">3H", *(int(v) | 0x100 for v in PICTURE[0, 0])))))
    assert still.alpha is not None
    assert still.alpha[0, 0] == 0
    assert still.alpha.max() == 255


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the checkout")
def test_cases_from_elsewhere() -> None:
    """exif_imagemagick_orientation.png and apng_single_frame.png are of python-pillow/Pillow (MIT-CMU)."""
    for name, orientation in (("rawprofile_o6.png", 6), ("exif_imagemagick_orientation.png", None)):
        data = (CASES / name).read_bytes()
        still, seen = reread(data), Image.open(io.BytesIO(data))
        found = orientation or seen.getexif()[0x0112]
        assert found > 1
        stored = np.asarray(seen.convert("RGB"))
        np.testing.assert_array_equal(still.rgb, ORIENTATIONS[found].apply(stored))
        assert f"EXIF orientation {found} baked in" in still.notes
    single = (CASES / "apng_single_frame.png").read_bytes()
    np.testing.assert_array_equal(
        np.dstack([reread(single).rgb]), np.asarray(Image.open(io.BytesIO(single)).convert("RGB"))
    )
    assert "1 further picture inside it (MPO) left out" in reread((CASES / "two.mpo").read_bytes(), "two.mpo").notes
