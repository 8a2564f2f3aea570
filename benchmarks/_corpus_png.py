"""PNG of the corpus, written by hand from the specification (W3C PNG, third edition): chunks, filters, Adam7."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from PIL import ImageCms

from benchmarks._corpus_case import (
    Array,
    Carried,
    Drawn,
    Picture,
    Refused,
    Right,
    Sketch,
    file_sketch,
    noise,
    size,
    upright,
    widened,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
NAMES = {GREY: "grey", RGB: "rgb", PALETTE: "palette", GREY_ALPHA: "grey-alpha", RGB_ALPHA: "rgb-alpha"}
#: Section 8.1: first row, first column, row step, column step of each pass.
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    made = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", made)


def _bytes_of(samples: Array, depth: int) -> Array:
    """(rows, bytes) of codes (h, w, channels)."""
    rows = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        return np.ascontiguousarray(rows.astype(">u2")).view(np.uint8)
    if depth == 8:
        return rows.astype(np.uint8)
    bits = (rows[..., None].astype(np.uint8) >> np.arange(depth - 1, -1, -1, dtype=np.uint8)) & 1
    return np.packbits(bits.reshape(rows.shape[0], -1), axis=1)


def _filtered(rows: Array, step: int, rng: np.random.Generator) -> bytes:
    """Section 9.2, a filter drawn for each line."""
    out, before = bytearray(), np.zeros(rows.shape[1], np.int64)
    for row in rows.astype(np.int64):
        left, corner = (np.concatenate((np.zeros(min(step, len(a)), np.int64), a[:-step])) for a in (row, before))
        kind = int(rng.integers(5))
        guess = left + before - corner
        far = [abs(guess - each) for each in (left, before, corner)]
        paeth = np.where(
            (far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], before, corner)
        )  # fmt: skip
        taken = (np.zeros_like(row), left, before, (left + before) // 2, paeth)[kind]
        out += bytes([kind]) + ((row - taken) & 255).astype(np.uint8).tobytes()
        before = row
    return bytes(out)


def png(
    samples: Array, kind: int, depth: int, rng: np.random.Generator, *, interlaced: bool = False,
    before: Sequence[bytes] = (), after: Sequence[bytes] = (),
) -> bytes:  # fmt: skip
    """A whole file of codes (h, w) or (h, w, channels); chunks before and after the picture's own."""
    samples = samples[..., None] if samples.ndim == 2 else samples
    height, width = samples.shape[:2]
    step = max(1, CHANNELS[kind] * depth // 8)
    passes = [samples[y::dy, x::dx] for y, x, dy, dx in PASSES] if interlaced else [samples]
    raw = b"".join(_filtered(_bytes_of(part, depth), step, rng) for part in passes if part.size)
    body = zlib.compress(raw)
    cut = len(body) // 2
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    parts = [chunk(b"IHDR", head), *before, chunk(b"IDAT", body[:cut]), chunk(b"IDAT", body[cut:]), *after]
    return SIGNATURE + b"".join(parts) + chunk(b"IEND", b"")


def _drawn(
    rng: np.random.Generator, kind: int, depth: int, width: int, height: int
) -> tuple[Array, Picture, list[bytes]]:
    """Codes, what they show, and a palette where they need one."""
    top = (1 << depth) - 1
    shape = (height, width) if CHANNELS[kind] == 1 else (height, width, CHANNELS[kind])
    samples = rng.integers(0, top, shape, np.uint16, endpoint=True)
    if kind == PALETTE:
        table = rng.integers(0, 255, (top + 1, 3), np.uint8, endpoint=True)
        return samples, Picture((table[samples],)), [chunk(b"PLTE", table.tobytes())]
    shown = widened(samples, depth)
    if kind == GREY_ALPHA:
        return samples, Picture((shown[..., 0],), shown[..., 1]), []
    if kind == RGB_ALPHA:
        return samples, Picture((shown[..., :3],), shown[..., 3]), []
    return samples, Picture((shown,)), []


def _plain(kind: int, depth: int, interlaced: bool, rng: np.random.Generator) -> tuple[bytes, Right]:
    samples, shown, palette = _drawn(rng, kind, depth, *size(rng))
    return png(samples, kind, depth, rng, interlaced=interlaced, before=palette), Right((shown,))


def _transparent(kind: int, depth: int, rng: np.random.Generator) -> tuple[bytes, Right]:
    """tRNS: one colour that is transparent, or a palette's opacities (fewer than its colours)."""
    samples, shown, palette = _drawn(rng, kind, depth, *size(rng))
    if kind == PALETTE:
        opacity = rng.integers(0, 255, max(1, (1 << depth) - 1), np.uint8, endpoint=True)
        table = np.concatenate((opacity, np.full(256 - len(opacity), 255, np.uint8)))
        alpha, body = table[samples], opacity.tobytes()
    else:
        key = samples.reshape(-1, CHANNELS[kind])[int(rng.integers(samples.shape[0] * samples.shape[1]))]
        found = samples.reshape(*samples.shape[:2], -1)
        alpha = np.where((found == key).all(axis=2), 0, np.iinfo(shown.planes[0].dtype).max)
        alpha, body = alpha.astype(shown.planes[0].dtype), key.astype(">u2").tobytes()
    data = png(samples, kind, depth, rng, before=[*palette, chunk(b"tRNS", body)])
    return data, Right((Picture(shown.planes, alpha),))


def exif_block(orientation: int, big: bool = True) -> bytes:
    """An EXIF block (a TIFF stream) that says an orientation alone."""
    order = ">" if big else "<"
    entry = struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    return (b"MM" if big else b"II") + struct.pack(order + "HIH", 42, 8, 1) + entry + bytes(4)


def xmp_packet(inside: str) -> bytes:
    """An XMP packet whose one description has these attributes."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'{inside}/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def orientation_xmp(orientation: int) -> bytes:
    return xmp_packet(f'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}"')


def international(keyword: str, text: bytes) -> bytes:
    return chunk(b"iTXt", keyword.encode() + b"\0\0\0\0\0" + text)


def raw_profile(name: str, block: bytes, compressed: bool) -> bytes:
    """ImageMagick's way: a text "Raw profile type exif" with the length and the block in hexadecimal."""
    hexadecimal = block.hex()
    lines = "\n".join(hexadecimal[at : at + 72] for at in range(0, len(hexadecimal), 72))
    text = f"\n{name}\n{len(block):8d}\n{lines}\n".encode()
    keyword = f"Raw profile type {name}".encode()
    return (
        chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(text))
        if compressed
        else chunk(b"tEXt", keyword + b"\0" + text)
    )


def _oriented(how: str, orientation: int, rng: np.random.Generator) -> tuple[bytes, Right]:
    samples = noise(rng, 7, 5, 3, np.uint8)
    block = exif_block(orientation, bool(rng.integers(2)))
    before = {
        "eXIf": [chunk(b"eXIf", block)],
        "raw-exif": [raw_profile("exif", b"Exif\0\0" + block, compressed=False)],
        "raw-exif-packed": [raw_profile("exif", b"Exif\0\0" + block, compressed=True)],
        "raw-app1": [raw_profile("APP1", b"Exif\0\0" + block, compressed=True)],
        "xmp": [international("XML:com.adobe.xmp", orientation_xmp(orientation))],
    }[how]
    notes = () if orientation == 1 else ("orientation",)
    return png(samples, RGB, 8, rng, before=before), Right((Picture((upright(samples, orientation),)),), notes=notes)


def srgb_icc() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def p3_icc() -> bytes:
    """A display profile that is not sRGB's: its green primary moved. No reader of grainkit's looks inside it."""
    made = bytearray(srgb_icc())
    count = struct.unpack_from(">I", made, 128)[0]
    for number in range(count):
        name, at, _ = struct.unpack_from(">4sII", made, 132 + 12 * number)
        if name == b"gXYZ":
            struct.pack_into(">3i", made, at + 8, *(round(65536 * v) for v in (0.2919, 0.6922, 0.0419)))
    return bytes(made)


def _coloured(chunks: list[bytes], expects: dict[str, Any], rng: np.random.Generator) -> tuple[bytes, Any]:
    """R'G'B' of 8 or, with `depth`, 16 bits, with chunks that say what it means."""
    more = dict(expects)
    depth, drawn = more.pop("depth", 8), more.pop("drawn", {})
    narrow = more.pop("narrow", False)
    samples = noise(rng, *size(rng), 3, np.uint8 if depth == 8 else np.uint16)
    if narrow:
        # BT.2100-2, table 9: 16 bits of narrow range go from 4096 to 60160; full range is what they mean.
        samples = (4096 + samples.astype(np.int64) * 56064 // 65535).astype(np.uint16)
    data = png(samples, RGB, depth, rng, before=chunks)
    if narrow:
        samples = np.rint((samples.astype(np.float64) - 4096) / 56064 * 65535).astype(np.uint16)
    refused = more.pop("refused", "")
    found = Refused(refused, delivery=True) if refused else Right((Picture((samples,)),), **more)
    return data, Drawn("", found, **drawn)


#: Names, primaries and transfers of H.273 that a cICP chunk is drawn with.
_CICP = {"p3": (12, 13), "pq": (9, 16), "hlg": (9, 18), "bt2020": (9, 14), "srgb": (1, 13), "bt709": (1, 1)}


def _colours() -> Iterator[Sketch]:
    def made(name: str, chunks: list[bytes], **expects: Any) -> Sketch:
        return file_sketch("png", name, ".png", partial(_coloured, chunks, expects))

    meaning = {"primaries": 1, "transfer": 13}
    yield made("gama-srgb", [chunk(b"gAMA", struct.pack(">I", 45455))], meaning=meaning)
    yield made("gama-linear", [chunk(b"gAMA", struct.pack(">I", 100000))], notes=("gAMA|gamma",))
    yield made("srgb-chunk", [chunk(b"sRGB", b"\0")], meaning=meaning)
    p3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    yield made("chrm-p3", [chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"cHRM", p3)], notes=("cHRM|primaries",))
    srgb = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    yield made("chrm-srgb", [chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"cHRM", srgb)], meaning=meaning)
    for name, profile in (("srgb", srgb_icc()), ("p3", p3_icc())):
        body = b"profile\0\0" + zlib.compress(profile)
        yield made(f"icc-{name}", [chunk(b"iCCP", body)], carries=(Carried("icc", profile, "ICC"),))
        jpeg = {"output": "o.jpg", "preset": "social"}
        yield made(
            f"icc-{name}-jpeg",
            [chunk(b"iCCP", body)],
            carries=(Carried("icc", profile, "ICC"),),
            exact=False,
            drawn=jpeg,
        )
    yield made("icc-damaged", [chunk(b"iCCP", b"profile\0\0" + zlib.compress(srgb_icc())[:99])], notes=("ICC",))
    for name, (primaries, transfer) in _CICP.items():
        meaning = {"primaries": primaries, "transfer": transfer}
        for full in (1, 0):
            body = bytes((primaries, transfer, 0, full))
            notes = () if full else ("range|narrow|limited",)
            carries = (Carried("cicp", body[:2], "cICP|colour"),) if primaries != 1 else ()
            yield made(
                f"cicp-{name}{'' if full else '-narrow'}", [chunk(b"cICP", body)], meaning=meaning, notes=notes,
                carries=carries, depth=16, narrow=not full, near=0.0 if full else 1.0,
            )  # fmt: skip
    for name in ("pq", "hlg"):
        body = bytes((*_CICP[name], 0, 1))
        social = {"output": "o.jpg", "preset": "social"}
        yield made(f"cicp-{name}-8bit", [chunk(b"cICP", body)], depth=16, refused="HDR", drawn=social)
        tiff = {"output": "o.tif", "preset": "print"}
        yield made(
            f"cicp-{name}-tiff", [chunk(b"cICP", body)], depth=16, exact=False, drawn=tiff, or_refused="HDR",
            carries=(Carried("icc", None, "HDR|PQ|HLG|cICP|colour"),),
        )  # fmt: skip
    body = bytes((*_CICP["p3"], 0, 1))
    for ending, preset in (("jpg", "social"), ("tif", "print"), ("webp", "video")):
        yield made(
            f"cicp-p3-{ending}", [chunk(b"cICP", body)], exact=False, drawn={"output": f"o.{ending}", "preset": preset},
            carries=(Carried("icc", None, "cICP|P3|primaries"),),
        )  # fmt: skip
    yield made("cicp-unknown", [chunk(b"cICP", bytes((200, 201, 0, 1)))], notes=("cICP|colour",))
    yield made("cicp-matrix", [chunk(b"cICP", bytes((1, 13, 1, 1)))], notes=("cICP|matrix",))


def _animated(frames: int, first_is_default: bool, rng: np.random.Generator) -> tuple[bytes, Right | Refused]:
    width, height = size(rng)
    samples = noise(rng, width, height, 3, np.uint8)
    control = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 10, 0, 0)
    before = [chunk(b"acTL", struct.pack(">II", frames, 0))]
    before += [chunk(b"fcTL", control)] if first_is_default else []
    after = []
    for number in range(1 if first_is_default else 0, frames):
        picture = zlib.compress(b"".join(b"\0" + bytes([number]) * 3 * width for _ in range(height)))
        sequence = struct.pack(">I", 2 * number + 1)
        after += [chunk(b"fcTL", sequence + control[4:]), chunk(b"fdAT", sequence + picture)]
    data = png(samples, RGB, 8, rng, before=before, after=after)
    if frames == 1:
        return data, Right((Picture((samples,)),), notes=() if first_is_default else ("animat|frame",))
    return data, Refused("animated")


def _told(place: str, output: str, rng: np.random.Generator) -> tuple[bytes, Drawn]:
    """What ComfyUI and AUTOMATIC1111 write into PNG."""
    graph = '{"3": {"class_type": "KSampler", "inputs": {"seed": 42, "text": "a portrait, \\u00e4"}}}'
    texts = {"prompt": graph, "workflow": '{"nodes": []}'}
    if place == "a1111":
        texts = {"parameters": "a portrait, Äpfel\nSteps: 20, Sampler: Euler a, Seed: 42"}
    made = []
    for key, value in texts.items():
        if place == "tEXt" or (place != "zTXt" and value.isascii()):
            made.append(chunk(b"tEXt", key.encode() + b"\0" + value.encode("latin-1")))
        elif place == "zTXt":
            made.append(chunk(b"zTXt", key.encode() + b"\0\0" + zlib.compress(value.encode("latin-1"))))
        else:
            made.append(international(key, value.encode()))
    samples = noise(rng, *size(rng), 3, np.uint8)
    late = bool(rng.integers(2))
    data = png(samples, RGB, 8, rng, before=[] if late else made, after=made if late else [])
    # In JPEG and WebP there is a place where these tools look for them; TIFF has none that they know.
    excuse = "text|prompt|param" if output.endswith(".tif") else "(?!)"
    right = Right((Picture((samples,)),), exact=output.endswith(".png"), carries=(Carried("texts", texts, excuse),))
    return data, Drawn("", right, output=output, preset="video" if output.endswith((".png", ".webp")) else "social")


def _odd(how: str, rng: np.random.Generator) -> tuple[bytes, Any]:
    samples = noise(rng, *size(rng, 2), 3, np.uint8)
    whole, right = png(samples, RGB, 8, rng), Right((Picture((samples,)),))
    head, body = whole[16:29], whole[33:-12]
    if how == "c2pa":
        return png(samples, RGB, 8, rng, before=[chunk(b"caBX", b"\0\0\0\x10jumb" + bytes(64))]), Right(
            right.pictures, notes=("Content Credentials|C2PA",)
        )
    if how == "crc-text":
        return png(samples, RGB, 8, rng, before=[chunk(b"tEXt", b"a\0b", 0)]), Right(right.pictures, notes=("tEXt",))
    if how == "crc-idat":
        at = whole.index(b"IDAT") + 8
        return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], Refused("damaged")
    if how == "crc-ihdr":
        return whole[:29] + bytes(4) + whole[33:], Refused("damaged")
    if how == "truncated":
        return whole[: len(whole) * 2 // 3], Refused("truncated|ends early")
    if how == "no-iend":
        return whole[:-12], Refused("truncated")
    if how == "header-only":
        return whole[:33], Refused("truncated")
    if how == "signature-only":
        return whole[:8], Refused("truncated")
    if how == "garbage-behind":
        return whole + rng.bytes(300), right
    if how == "huge":
        return SIGNATURE + chunk(b"IHDR", struct.pack(">II", 1 << 20, 1 << 20) + head[8:]) + body + whole[
            -12:
        ], Refused("1048576x1048576")
    if how == "huge-short":
        return SIGNATURE + chunk(b"IHDR", struct.pack(">II", 9000, 9000) + head[8:]) + body + whole[-12:], Refused(
            "ends early|truncated"
        )
    if how in ("zero-width", "zero-both"):
        sides = (0, 5) if how == "zero-width" else (0, 0)
        return SIGNATURE + chunk(b"IHDR", struct.pack(">II", *sides) + head[8:]) + body + whole[-12:], Refused("0x")
    if how == "no-picture":
        return SIGNATURE + chunk(b"IHDR", head) + whole[-12:], Refused("ends early|no picture|IDAT")
    if how == "no-palette":
        return png(samples[..., 0], PALETTE, 8, rng), Refused("palette")
    if how == "beyond-palette":
        data = png(samples[..., 0] | 1, PALETTE, 8, rng, before=[chunk(b"PLTE", b"\x80\x90\xa0")])
        return data, Right((Picture((np.zeros_like(samples),)),), or_refused="palette")
    if how == "bad-filter":
        raw = b"\x07" + bytes(3 * 4)
        head = struct.pack(">IIBBBBB", 4, 1, 8, RGB, 0, 0, 0)
        return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""), Refused(
            "damaged"
        )
    if how == "bad-depth":
        return SIGNATURE + chunk(b"IHDR", head[:8] + b"\x03\x02\0\0\0") + body + whole[-12:], Refused(
            "kind|depth|header"
        )
    if how == "apple":
        return SIGNATURE + chunk(b"CgBI", bytes(4)) + whole[8:], Refused("PNG")
    if how == "many-idat":
        joined = b"".join(whole[at + 8 : at + 8 + struct.unpack_from(">I", whole, at)[0]] for at in _places(whole))
        pieces = b"".join(chunk(b"IDAT", joined[at : at + 1]) for at in range(len(joined)))
        return SIGNATURE + chunk(b"IHDR", head) + pieces + whole[-12:], right
    assert how == "density"
    return png(samples, RGB, 8, rng, before=[chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1))]), right


def _places(data: bytes) -> Iterator[int]:
    at = 8
    while at < len(data):
        if data[at + 4 : at + 8] == b"IDAT":
            yield at
        at += 12 + struct.unpack_from(">I", data, at)[0]


_ODD = (
    "c2pa", "crc-text", "crc-idat", "crc-ihdr", "truncated", "no-iend", "header-only", "signature-only",
    "garbage-behind", "huge", "huge-short", "zero-width", "zero-both", "no-picture", "no-palette", "beyond-palette",
    "bad-filter", "bad-depth", "apple", "many-idat", "density",
)  # fmt: skip


def _renamed(rng: np.random.Generator) -> tuple[bytes, Right]:
    samples = noise(rng, *size(rng), 3, np.uint8)
    return png(samples, RGB, 8, rng), Right((Picture((samples,)),), notes=("PNG",))


def sketches() -> Iterator[Sketch]:
    for kind, depths in DEPTHS.items():
        for depth in depths:
            for interlaced in (False, True):
                name = f"{NAMES[kind]}{depth}{'-adam7' if interlaced else ''}"
                yield file_sketch("png", name, ".png", partial(_plain, kind, depth, interlaced))
            if kind in (GREY, RGB, PALETTE):
                yield file_sketch("png", f"{NAMES[kind]}{depth}-trns", ".png", partial(_transparent, kind, depth))
    for orientation in range(1, 9):
        yield file_sketch("png", f"exif-{orientation}", ".png", partial(_oriented, "eXIf", orientation))
    for how in ("raw-exif", "raw-exif-packed", "raw-app1", "xmp"):
        for orientation in (3, 6, 7):
            yield file_sketch("png", f"{how}-{orientation}", ".png", partial(_oriented, how, orientation))
    yield from _colours()
    for frames, default in ((1, True), (3, True), (3, False), (1, False)):
        name = f"apng-{frames}{'' if default else '-apart'}"
        yield file_sketch("png", name, ".png", partial(_animated, frames, default))
    for place in ("tEXt", "zTXt", "iTXt", "a1111"):
        for output in ("o.png", "o.jpg", "o.webp", "o.tif"):
            yield file_sketch("png", f"texts-{place}-{output[2:]}", ".png", partial(_told, place, output))
    for how in _ODD:
        yield file_sketch("png", how, ".png", partial(_odd, how))
    for ending in (".jpg", ".mp4", ".PNG.txt", ""):
        yield file_sketch("png", f"named-{ending.strip('.').lower() or 'nothing'}", ending, _renamed)
