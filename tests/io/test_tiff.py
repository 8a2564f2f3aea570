"""TIFFs of every layout give the picture that was drawn into them; others get one line."""

from __future__ import annotations

import io
import itertools
import lzma
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from grainkit.errors import InputError
from grainkit.io import exif
from grainkit.io.decode_still import decode_still
from grainkit.io.still import ORIENTATIONS, Still

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
NONE, LZW, JPEG, DEFLATE, PACKBITS, LZMA, ZSTD = 1, 5, 7, 8, 32773, 34925, 50000
PACKERS: dict[int, Any] = {
    NONE: bytes,
    LZW: imagecodecs.lzw_encode,
    DEFLATE: zlib.compress,
    PACKBITS: imagecodecs.packbits_encode,
    LZMA: lzma.compress,
    ZSTD: imagecodecs.zstd_encode,
}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = 0, 1, 2, 3
UNNAMED, ASSOCIATED, STRAIGHT = 0, 1, 2
#: Bits of a sample, and what numpy calls samples that hold them.
DEPTHS: dict[Any, Any] = {
    1: "u1", 2: "u1", 4: "u1", 8: "u1", 10: "u2", 12: "u2", 14: "u2", 16: "u2", "f16": "f2", "f32": "f4", "f64": "f8",
}  # fmt: skip


def packed(samples: Any, bits: int, order: str) -> bytes:
    """Rows (h, w, n) of samples as TIFF stores them: each row begins at a whole byte."""
    if bits in (8, 16, 32, 64):
        return bytes(samples.astype(samples.dtype.newbyteorder(order)).tobytes())
    ones = (samples.reshape(len(samples), -1, 1).astype(np.uint16) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(ones.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def differences(samples: Any, order: str, bits: int, predictor: int) -> bytes:
    """Horizontal differences (predictor 2), or those of the bytes of floats, most significant first (3)."""
    if predictor == 2:
        whole = samples.view(f"u{bits // 8}").astype(np.int64)
        whole[:, 1:] -= samples.view(f"u{bits // 8}").astype(np.int64)[:, :-1]
        return packed((whole % (1 << bits)).astype(f"u{bits // 8}"), bits, order)
    h, w, n = samples.shape
    planes = np.frombuffer(samples.astype(samples.dtype.newbyteorder(">")).tobytes(), np.uint8).reshape(h, w * n, -1)
    lines = np.ascontiguousarray(np.swapaxes(planes, 1, 2)).reshape(h, -1).astype(np.int64)
    lines[:, n:] -= lines[:, :-n].copy()
    return (lines % 256).astype(np.uint8).tobytes()


def written(
    samples: Any, bits: int, photometric: int, *, compression: int = NONE, orientation: int | None = None,
    extra: tuple[int, ...] = (), planar: bool = False, tile: int = 0, rows: int = 5, big: bool = False,
    order: str = "<", predictor: int = 1, backwards: bool = False, tags: dict[int, tuple[int, Any]] | None = None,
) -> bytes:  # fmt: skip
    """A TIFF of samples (h, w, n) as they are stored, written here byte by byte."""
    h, w, n = samples.shape
    form = 3 if samples.dtype.kind == "f" else 1
    pieces = []
    for part in [samples[..., i : i + 1] for i in range(n)] if planar else [samples]:
        if tile:
            padded = np.pad(part, ((0, -h % tile), (0, -w % tile), (0, 0)), mode="edge")
            blocks = [
                padded[y : y + tile, x : x + tile]
                for y, x in itertools.product(range(0, len(padded), tile), range(0, padded.shape[1], tile))
            ]
        else:
            blocks = [part[y : y + rows] for y in range(0, h, rows)]
        for block in blocks:
            raw = packed(block, bits, order) if predictor == 1 else differences(block, order, bits, predictor)
            data = PACKERS[compression](raw)
            pieces.append(bytes(imagecodecs.bitorder_encode(data)) if backwards else bytes(data))
    at, body, offsets = 16, b"", []
    for piece in pieces:
        offsets.append(at + len(body))
        body += piece + b"\0" * (len(piece) % 2)
    where, counts = (324, 325) if tile else (273, 279)
    fields: dict[int, tuple[int, Any]] = {
        256: (4, [w]), 257: (4, [h]), 258: (3, [bits] * n), 259: (3, [compression]), 262: (3, [photometric]),
        277: (3, [n]), 284: (3, [2 if planar else 1]), 339: (3, [form] * n), where: (4, offsets),
        counts: (4, [len(piece) for piece in pieces]),
    }  # fmt: skip
    fields |= {322: (4, [tile]), 323: (4, [tile])} if tile else {278: (4, [rows])}
    fields |= {338: (3, list(extra))} if extra else {}
    fields |= {274: (3, [orientation])} if orientation else {}
    fields |= {317: (3, [predictor])} if predictor > 1 else {}
    fields |= {266: (3, [2])} if backwards else {}
    fields |= tags or {}
    return with_directory(body, {tag: one for tag, one in fields.items() if one[1] != []}, order, big)


def with_directory(body: bytes, fields: dict[int, tuple[int, Any]], order: str, big: bool) -> bytes:
    """Header, what the fields point at (from byte 16 on) and the directory that holds them."""
    codes = {1: "B", 3: "H", 4: "I", 7: "B"}
    start = 16 + len(body)
    room, entries = b"", b""
    size = 8 if big else 4
    for tag, (kind, values) in sorted(fields.items()):
        value = struct.pack(f"{order}{len(values)}{codes[kind]}", *values)
        if len(value) > size:
            place = start + len(room)
            room += value + b"\0" * (len(value) % 2)
            value = struct.pack(order + ("Q" if big else "I"), place)
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values)) + value.ljust(size, b"\0")
    place = start + len(room)
    head = (b"II" if order == "<" else b"MM") + struct.pack(
        order + ("HHHQ" if big else "HI"), *((43, 8, 0, place) if big else (42, place))
    )
    count = struct.pack(order + ("Q" if big else "H"), len(fields))
    return head.ljust(16, b"\0") + body + room + count + entries + bytes(size)


def drawn(rng: Any, kind: str, bits: Any, shape: tuple[int, ...]) -> Any:
    if kind.startswith("f"):
        return rng.normal(0.5, 0.5, shape).astype(kind)
    return rng.integers(0, 1 << bits, shape).astype(kind)


def over_the_range(codes: Any, bits: Any) -> Any:
    """What samples mean, as 8 or 16 bits or float, by exact division."""
    if codes.dtype.kind == "f":
        return codes.astype(np.float32)
    white = 255 if bits <= 8 else 65535
    exact = codes.astype(np.float64) * white / ((1 << bits) - 1)
    return np.floor(exact + 0.5).astype(np.uint8 if bits <= 8 else np.uint16)


def reread(data: bytes) -> Still:
    return decode_still(data, Path("x.tif"))


LAYOUTS = [
    (1, BLACK_IS_ZERO, None), (1, WHITE_IS_ZERO, None), (3, RGB, None),
    *((n, photometric, alpha) for n, photometric in ((2, BLACK_IS_ZERO), (2, WHITE_IS_ZERO), (4, RGB))
      for alpha in (UNNAMED, ASSOCIATED, STRAIGHT)),
]  # fmt: skip


@pytest.mark.parametrize("compression", PACKERS)
@pytest.mark.parametrize("bits", DEPTHS)
def test_every_layout_gives_what_was_drawn(compression: int, bits: Any) -> None:
    """Compression x depth x samples x photometric x alpha x planar; orientation, tiles, byte and bit order, BigTIFF and
    predictor are drawn for each."""
    rng = np.random.default_rng([compression, list(DEPTHS).index(bits)])
    held = int(str(bits).lstrip("f"))
    for (count, photometric, alpha), planar in itertools.product(LAYOUTS, (False, True)):
        stored = drawn(rng, DEPTHS[bits], bits, (11, 19, count))
        if alpha is not None and stored.dtype.kind == "f":
            stored[..., -1] = np.abs(stored[..., -1])
        predictors = [1]
        if compression not in (NONE, PACKBITS) and held in (8, 16, 32, 64):
            predictors += [2] if stored.dtype.kind == "u" else [3]
        orientation = int(rng.integers(0, 9)) or None
        layout = {
            "tile": int(rng.choice([0, 16])), "big": bool(rng.integers(2)), "order": "<>"[rng.integers(2)],
            "predictor": int(rng.choice(predictors)), "backwards": bool(rng.integers(2)), "planar": planar,
        }  # fmt: skip
        layout["backwards"] &= held == 8 and layout["predictor"] == 1
        data = written(
            stored, held, photometric, compression=compression, orientation=orientation,
            extra=() if alpha is None else (alpha,), **layout,
        )  # fmt: skip
        still = reread(data)
        colours = over_the_range(stored[..., : 3 if photometric == RGB else 1], bits)
        opacity = None if alpha is None else over_the_range(stored[..., -1], bits)
        if alpha == ASSOCIATED:
            assert opacity is not None
            colours = divided(colours, opacity)
        if photometric == WHITE_IS_ZERO:
            colours = (1 if colours.dtype == np.float32 else np.iinfo(colours.dtype).max) - colours
        said = f"{compression=} {bits=} {photometric=} {alpha=} {orientation=} {layout}"
        shown = ORIENTATIONS[orientation or 1].apply(colours)
        # A float quotient may be rounded once more or less.
        close = 1e-6 if alpha == ASSOCIATED and colours.dtype == np.float32 else 0
        np.testing.assert_allclose(still.rgb.reshape(shown.shape), shown, close, close, err_msg=said)
        assert still.rgb.dtype == colours.dtype, said
        assert (still.alpha is None) == (opacity is None), said
        if opacity is not None:
            np.testing.assert_array_equal(still.alpha, ORIENTATIONS[orientation or 1].apply(opacity), err_msg=said)


def divided(colours: Any, opacity: Any) -> Any:
    """Straight colours, by exact division; those under no opacity as they were."""
    white = 1.0 if colours.dtype == np.float32 else float(np.iinfo(colours.dtype).max)
    by = opacity[..., None].astype(np.float64)
    found = colours.astype(np.float64) * white / np.where(by == 0, 1, by)
    if white > 1:
        found = np.floor(np.minimum(found, white) + 0.5)
    return np.where(by == 0, colours, found).astype(colours.dtype)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("mode", "compression"),
    [(mode, name) for mode in ("L", "LA", "RGB", "RGBA") for name in
     ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")]
    + [("1", "group3"), ("1", "group4"), ("1", "tiff_ccitt")],
)  # fmt: skip
def test_what_libtiff_wrote_is_what_was_drawn(mode: str, compression: str, orientation: int) -> None:
    rng = np.random.default_rng(orientation)
    codes = rng.integers(0, 256, (13, 22, max(1, len(mode)))).astype(np.uint8)
    if mode == "1":
        codes = np.where(codes > 127, 255, 0).astype(np.uint8)
    stored = codes[..., 0] if len(mode) == 1 else codes
    room = io.BytesIO()
    options = {} if compression == "raw" else {"compression": compression}
    try:
        Image.fromarray(stored).convert(mode).save(room, "TIFF", tiffinfo={274: orientation}, **options)
    except OSError as error:
        if compression != "zstd":
            raise
        pytest.skip(f"the libtiff in this Pillow writes no Zstandard ({error})")
    still = reread(room.getvalue())
    turn = ORIENTATIONS[orientation]
    colours = 3 if mode.startswith("RGB") else 1
    shown = turn.apply(codes[..., :colours])
    np.testing.assert_array_equal(still.rgb.reshape(shown.shape), shown)
    if mode.endswith("A"):
        np.testing.assert_array_equal(still.alpha, turn.apply(codes[..., -1]))
    assert (f"EXIF orientation {orientation} baked in" in still.notes) == (orientation > 1)


@pytest.mark.parametrize("mode", ["RGB", "YCbCr", "L"])
def test_jpeg_inside_is_read_as_libtiff_reads_it(mode: str) -> None:
    y, x = np.mgrid[0:40, 0:48]
    smooth = np.stack([4 * x + 30, 5 * y + 40, 2 * (x + y) + 50], axis=2).astype(np.uint8)
    drawn = Image.fromarray(smooth).convert(mode)
    room = io.BytesIO()
    drawn.save(room, "TIFF", compression="jpeg", strip_size=4000)
    seen = "L" if mode == "L" else "RGB"
    expected = np.asarray(Image.open(io.BytesIO(room.getvalue())).convert(seen))
    np.testing.assert_array_equal(reread(room.getvalue()).rgb, expected)
    assert np.abs(expected.astype(int) - np.asarray(drawn.convert(seen))).max() < 20


@pytest.mark.parametrize("count", [3, 4])
def test_webp_inside_with_and_without_alpha(count: int) -> None:
    codes = np.random.default_rng(3).integers(0, 256, (16, 16, count)).astype(np.uint8)
    room = io.BytesIO()
    Image.fromarray(codes).save(room, "WEBP", lossless=True, exact=True)
    still = reread(swelling(50001, room.getvalue(), count))
    np.testing.assert_array_equal(still.rgb, codes[..., :3])
    if count == 4:
        np.testing.assert_array_equal(still.alpha, codes[..., 3])


@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_jpeg_of_8_and_12_bits(tile: Any) -> None:
    y, x = np.mgrid[0:32, 0:48]
    smooth = np.stack([4 * x + 30, 5 * y + 40, 2 * (x + y) + 50], axis=2).astype(np.uint8)
    data = tiff(smooth, photometric="rgb", compression="jpeg", compressionargs={"level": 95}, tile=tile)
    assert np.abs(reread(data).rgb.astype(int) - smooth).max() <= 8
    grey = smooth[..., 0].astype(np.uint16) << 4
    data = tiff(
        grey, photometric="minisblack", compression="jpeg", compressionargs={"level": 100, "bitspersample": 12},
        bitspersample=12, tile=tile,
    )  # fmt: skip
    still = reread(data)
    assert still.rgb.dtype == np.uint16
    assert np.abs(still.rgb / 65535 - grey / 4095).max() < 2 / 4095


def tiff(samples: Any, **options: Any) -> bytes:
    room = io.BytesIO()
    tifffile.imwrite(room, samples, **options)
    return room.getvalue()


def test_24_bit_floats_and_one_bit_palettes() -> None:
    values = np.array([[0.0, 1.0, -2.5, 0.15625]])
    codes = b"".join(imagecodecs.float24_encode(values.astype(np.float32), byteorder="<") for _ in range(1))
    fields = {256: (4, [4]), 257: (4, [1]), 258: (3, [24]), 259: (3, [1]), 262: (3, [1]), 277: (3, [1]),
              339: (3, [3]), 273: (4, [16]), 279: (4, [12]), 278: (4, [1])}  # fmt: skip
    np.testing.assert_array_equal(reread(with_directory(codes, fields, "<", False)).rgb, values)
    stored = np.array([[[0], [1], [1], [0]]], np.uint8)
    table = [257 * v for v in (10, 40, 20, 50, 30, 60)]
    still = reread(written(stored, 1, PALETTE, tags={320: (3, table)}))
    assert still.rgb.tolist() == [[[10, 20, 30], [40, 50, 60], [40, 50, 60], [10, 20, 30]]]


@pytest.mark.parametrize(("bits", "scale"), [(8, 257), (8, 100), (4, 257)])
def test_a_palette_with_transparency(bits: int, scale: int) -> None:
    """scale 257: entries that repeat 8 bits; 100: entries of 16."""
    rng = np.random.default_rng(5)
    stored = rng.integers(0, 1 << bits, (6, 9, 2)).astype(np.uint8)
    table = rng.integers(0, 256, (3, 1 << bits)) * scale
    still = reread(written(stored, bits, PALETTE, extra=(STRAIGHT,), tags={320: (3, table.ravel().tolist())}))
    white = 255 if scale == 257 else 65535
    colours = table // 257 if scale == 257 else table
    np.testing.assert_array_equal(still.rgb, colours.T[stored[..., 0]])
    np.testing.assert_array_equal(still.alpha, stored[..., 1].astype(int) * white // ((1 << bits) - 1))
    assert still.alpha is not None
    assert still.alpha.dtype == still.rgb.dtype


def test_the_alpha_that_is_named_is_taken_and_grey_with_two_extras_is_no_colour() -> None:
    stored = np.random.default_rng(1).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    still = reread(written(stored, 8, BLACK_IS_ZERO, extra=(UNNAMED, STRAIGHT)))
    np.testing.assert_array_equal(still.rgb, stored[..., 0])
    np.testing.assert_array_equal(still.alpha, stored[..., 2])
    assert still.notes == ("1 further channels are left out",)


def test_a_thumbnail_before_the_picture_is_not_the_picture() -> None:
    room = io.BytesIO()
    small, large = np.full((4, 4, 3), 9, np.uint8), np.full((8, 9, 3), 200, np.uint8)
    with tifffile.TiffWriter(room) as file:
        file.write(small, photometric="rgb", subfiletype=1)
        file.write(large, photometric="rgb", subifds=1)
        file.write(small, photometric="rgb", subfiletype=1)
    still = reread(room.getvalue())
    np.testing.assert_array_equal(still.rgb, large)
    assert still.notes == (
        "number 2 of 2 pages", "1 further pictures inside it (SubIFDs) are left out",
    )  # fmt: skip


SMALL = np.random.default_rng(2).integers(0, 256, (12, 10, 3)).astype(np.uint8)


def old_jpeg() -> bytes:
    return written(SMALL, 8, 6, tags={259: (3, [6])})


def swelling(compression: int, body: bytes, count: int = 3) -> bytes:
    """16 x 16 px of so many samples by the tags; the one strip may hold another picture."""
    fields = {256: (4, [16]), 257: (4, [16]), 258: (3, [8] * count), 259: (3, [compression]), 262: (3, [2]),
              277: (3, [count]), 273: (4, [16]), 279: (4, [len(body)]), 278: (4, [16])}  # fmt: skip
    fields |= {338: (3, [STRAIGHT])} if count == 4 else {}
    return with_directory(body + b"\0" * (len(body) % 2), fields, "<", False)


def saved(size: tuple[int, int], kind: str) -> bytes:
    room = io.BytesIO()
    Image.new("RGB", size).save(room, kind)
    return room.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (old_jpeg(), "old-style JPEG.*LZW"),
        (written(SMALL, 8, RGB, tags={259: (3, [34712])}), "compressed as JPEG2000.*LZW or Deflate"),
        (written(SMALL, 8, RGB, tags={259: (3, [50002])}), "compressed as JPEGXL"),
        (written(SMALL, 8, RGB, tags={259: (3, [999])}), "compressed as 999"),
        (written(SMALL, 8, 6), "YCbCr compressed as NONE.*save it again as RGB"),
        (written(SMALL, 8, 8), "is a CIELAB TIFF; convert it to RGB"),
        (written(np.zeros((4, 4, 4), np.uint8), 8, 5), "is a SEPARATED TIFF; convert it to RGB"),
        (written(SMALL[..., :1], 8, RGB), "too few for RGB"),
        (written(SMALL.astype(np.uint32), 32, RGB), "uint32 samples.*16-bit TIFF"),
        (written(SMALL, 8, RGB, tags={258: (3, [5, 6, 5])}), r"samples; allowed are 1 to 16 bits"),
        (written(SMALL.astype(np.int16), 16, RGB, tags={339: (3, [2, 2, 2])}), "int16 samples"),
        (written(SMALL, 8, RGB, tags={317: (3, [2])}), "predictor beside a compression that has none"),
        (written(SMALL, 8, RGB, compression=LZW, tags={317: (3, [3])}), "a predictor .3. that 8-bit samples"),
        (written(SMALL, 12, RGB, compression=LZW, tags={317: (3, [2])}), "a predictor .2. that 12-bit samples"),
        (written(SMALL, 8, RGB, tags={32997: (4, [4])}), "volume"),
        (written(SMALL, 8, RGB, tags={322: (4, [1 << 20]), 323: (4, [1 << 20])}), "300,000,000 pixels"),
        (written(SMALL, 8, RGB, tags={256: (4, [1 << 20]), 257: (4, [1 << 20])}), "300,000,000 pixels"),
        (written(SMALL, 8, RGB, rows=4, tags={273: (4, [16, 0, 16])}), "1 of its 3 strips are missing"),
        (written(SMALL, 8, RGB, rows=4, tags={273: (4, [16])}), "2 of its 3 strips are missing"),
        (written(SMALL, 8, RGB, compression=LZW, tags={273: (4, [900]), 278: (4, [12])}), "cannot be read"),
        (swelling(JPEG, saved((4000, 4000), "JPEG")), "not what its tags say"),
        (swelling(JPEG, saved((16, 16), "JPEG")[:-9]), "JPEG data end early"),
        (swelling(50001, saved((4000, 4000), "WEBP")), "not what its tags say"),
        (swelling(DEFLATE, zlib.compress(bytes(1 << 26))), "cannot be read|Deflate"),
        (swelling(ZSTD, imagecodecs.zstd_encode(bytes(1 << 26))), "cannot be read"),
    ],
)
def test_what_is_refused_gets_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as error:
        reread(data)
    assert "\n" not in str(error.value)


def test_what_is_left_behind_is_said() -> None:
    store = written(SMALL, 8, RGB, tags={33723: (1, [28, 2, 0])})
    assert reread(store).notes == ("its IPTC captions are left out",)
    big = written(SMALL, 8, RGB, big=True, tags={271: (1, [65, 66, 67, 0])})
    assert reread(big).notes == ("its EXIF is left out",)
    assert exif.extract(big) is None


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the checkout")
@pytest.mark.parametrize("name", ["rgb8_tiff_lzw_o6.tif", "jpegtiff_o6.tif", "Transparency-lzw.tif",
                                  "g4_miniswhite.tif", "tiff_strip_planar_16bit_RGB.tiff"])  # fmt: skip
def test_cases_from_elsewhere(name: str) -> None:
    """Transparency-lzw.tif is of image-rs/image-tiff (MIT), tiff_strip_planar_16bit_RGB.tiff of Pillow (MIT-CMU)."""
    data = (CASES / name).read_bytes()
    still = reread(data)
    stored = tifffile.imread(io.BytesIO(data))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        white_is_zero = int(page.photometric) == WHITE_IS_ZERO
        turn = ORIENTATIONS[int(page.tags.valueof(274, 1))]
        if page.planarconfig == 2:
            stored = np.moveaxis(stored, 0, 2)
    if stored.dtype == np.bool_:
        stored = stored.astype(np.uint8) * 255
    if white_is_zero:
        stored = 255 - stored
    shown = turn.apply(stored)
    np.testing.assert_array_equal(still.rgb, shown[..., :3] if shown.ndim == 3 else shown)
    if shown.ndim == 3 and shown.shape[2] == 4:
        np.testing.assert_array_equal(still.alpha, shown[..., 3])
