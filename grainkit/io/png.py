"""PNG, both ways: every bit depth exactly, every chunk in hand.

Libraries lose 16-bit colour or the text that generators leave in a PNG, and are two to four times
slower at writing grain: noise has no strings to find, so run lengths and Huffman codes at zlib
level 1 give the smallest file of the fast settings.

What is compiled of it, `png_filters`, is loaded with the first picture: whoever asks for chunks alone waits for none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Chunk = tuple[bytes, bytes]
Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _RGB_ALPHA: (8, 16)}
#: Adam7: (first row, first column, row step, column step) of each pass.
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_IDAT_BYTES = 1 << 20
#: No text or profile that a generator or camera writes comes near this many bytes.
MAX_TEXT = 64 << 20


@dataclass(frozen=True)
class Header:
    """The IHDR chunk. depth: bits per sample; kind: PNG colour type; interlaced: Adam7."""

    width: int
    height: int
    depth: int
    kind: int
    interlaced: bool


def chunks(data: bytes) -> Iterator[Chunk]:
    """(type, body) of every chunk up to IEND.

    Raises ValueError where the file ends early or a chunk that the picture needs is damaged; a damaged
    chunk that it does not need comes as (b"", type).
    """
    at = len(SIGNATURE)
    while True:
        if at + 12 > len(data):
            raise ValueError("the file is truncated")
        length = struct.unpack_from(">I", data, at)[0]
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data):
            raise ValueError("the file is truncated")
        body = data[at + 8 : end]
        if zlib.crc32(body, zlib.crc32(kind)) == struct.unpack_from(">I", data, end)[0]:
            yield kind, body
        elif kind[:1].isupper():
            raise ValueError(f"its {kind.decode('latin-1')} chunk is damaged")
        else:
            yield b"", kind
        if kind == b"IEND":
            return
        at = end + 4


def header(body: bytes) -> Header:
    """Read an IHDR body; ValueError for what PNG does not allow."""
    if len(body) != 13:
        raise ValueError("its header is damaged")
    width, height, depth, kind, method, filters, interlaced = struct.unpack(">IIBBBBB", body)
    if depth not in _DEPTHS.get(kind, ()) or method or filters or interlaced > 1:
        raise ValueError("its header names a kind of PNG that does not exist")
    return Header(width, height, depth, kind, bool(interlaced))


def decode(head: Header, parts: Iterable[Chunk]) -> tuple[Samples, Samples | None]:
    """(picture (h, w) or (h, w, 3), alpha (h, w) or None), uint8 or uint16, of a file's chunks.

    Fewer than 8 bits are widened to 8, palettes become colours, a transparent colour becomes alpha.
    Raises ValueError or zlib.error for damaged data.
    """
    found: dict[bytes, list[bytes]] = {}
    for kind, body in parts:
        found.setdefault(kind, []).append(body)
    raw = _inflate(b"".join(found.get(b"IDAT", [])), head)
    codes = _deinterlace(raw, head) if head.interlaced else _rows(raw, head, head.width, head.height)
    transparent = found.get(b"tRNS", [b""])[0]
    if head.kind == _PALETTE:
        return _from_palette(codes[..., 0], found.get(b"PLTE", [b""])[0], transparent)
    colours = _CHANNELS[head.kind] - (head.kind in (_GREY_ALPHA, _RGB_ALPHA))
    alpha = None
    if colours < codes.shape[2]:
        alpha = np.ascontiguousarray(codes[..., colours])
    elif len(transparent) >= 2 * colours:
        # Bits above the picture's depth do not count (PNG, 11.3.1.1).
        key = np.frombuffer(transparent, ">u2", colours) & ((1 << head.depth) - 1)
        white = 65535 if head.depth == 16 else 255
        alpha = np.where((codes == key).all(axis=2), 0, white).astype(codes.dtype)
    picture = codes[..., 0] if colours == 1 else codes[..., :3]
    if head.depth < 8:
        picture = picture * np.uint8(255 // ((1 << head.depth) - 1))
    return cast(Samples, np.ascontiguousarray(picture)), cast("Samples | None", alpha)


def encode(picture: Samples, alpha: Samples | None, extra: Iterable[Chunk] = (), *, level: int = 1) -> bytes:
    """A PNG of (h, w) or (h, w, 3) samples, uint8 or uint16, with `extra` chunks before the picture.

    level: zlib level 0..9. Level 1 looks for runs only, which suits grain; higher ones search.
    """
    from grainkit.io.png_filters import filter_lines

    kind = (_RGB if picture.ndim == 3 else _GREY) + (0 if alpha is None else 4)
    samples = picture[..., None] if picture.ndim == 2 else picture
    if alpha is not None:
        samples = cast(Samples, np.concatenate((samples, alpha[..., None]), axis=2))
    height, width, channels = samples.shape
    depth = 8 * samples.dtype.itemsize
    raw = np.ascontiguousarray(samples, samples.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    lines = np.empty((height, raw.shape[1] + 1), np.uint8)
    filter_lines(raw, channels * depth // 8, lines)
    strategy = zlib.Z_RLE if level == 1 else zlib.Z_DEFAULT_STRATEGY
    deflate = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
    body = deflate.compress(lines.data) + deflate.flush()
    pieces = [SIGNATURE, chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))]
    pieces += [chunk(name, content) for name, content in extra]
    pieces += [chunk(b"IDAT", body[at : at + _IDAT_BYTES]) for at in range(0, len(body), _IDAT_BYTES)]
    return b"".join([*pieces, chunk(b"IEND", b"")])


def inflated(data: bytes, room: int = MAX_TEXT) -> bytes:
    """A compressed chunk's content; ValueError where it is damaged, cut short or beyond `room` bytes."""
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(data, max(room, 1))
    except zlib.error as error:
        raise ValueError("its compression is damaged") from error
    if not inflate.eof:
        raise ValueError("it is too long, or cut short")
    return content


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk as it stands in the file: length, type, body, checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _stride(head: Header, width: int) -> int:
    return (width * _CHANNELS[head.kind] * head.depth + 7) // 8


def _passes(head: Header) -> list[tuple[int, int, int, int, int, int]]:
    """Width and height of each Adam7 pass that is not empty, with its origin and steps."""
    return [
        (-(-(head.width - x) // dx), -(-(head.height - y) // dy), y, x, dy, dx)
        for y, x, dy, dx in _ADAM7
        if head.width > x and head.height > y
    ]


def _inflate(data: bytes, head: Header) -> npt.NDArray[np.uint8]:
    """The filtered lines: exactly as many bytes as the header promises, so a bomb cannot swell."""
    sizes = [(p[0], p[1]) for p in _passes(head)] if head.interlaced else [(head.width, head.height)]
    expected = sum((_stride(head, w) + 1) * h for w, h in sizes)
    raw = zlib.decompressobj().decompress(data, expected)
    if len(raw) < expected:
        raise ValueError(f"its picture data ends early, {100 * len(raw) // expected} % is there")
    return np.frombuffer(raw, np.uint8)


def _rows(raw: npt.NDArray[np.uint8], head: Header, width: int, height: int) -> Samples:
    """Codes (height, width, channels) of filtered lines; 1, 2 and 4 bits one code to a byte, not scaled."""
    from grainkit.io.png_filters import unfilter

    stride, channels = _stride(head, width), _CHANNELS[head.kind]
    lines = np.empty((height, stride), np.uint8)
    if not unfilter(raw.reshape(height, stride + 1), max(1, channels * head.depth // 8), lines):
        raise ValueError("its picture data is damaged")
    if head.depth == 16:
        return lines.view(">u2").astype(np.uint16).reshape(height, width, channels)
    if head.depth < 8:
        bits = np.unpackbits(lines, axis=1).reshape(height, -1, head.depth)
        weights = (1 << np.arange(head.depth - 1, -1, -1)).astype(np.uint8)
        lines = (bits @ weights).astype(np.uint8)[:, :width]
    return lines.reshape(height, width, channels)


def _deinterlace(raw: npt.NDArray[np.uint8], head: Header) -> Samples:
    dtype = np.uint16 if head.depth == 16 else np.uint8
    codes = cast(Samples, np.empty((head.height, head.width, _CHANNELS[head.kind]), dtype))
    at = 0
    for width, height, y, x, dy, dx in _passes(head):
        end = at + (_stride(head, width) + 1) * height
        codes[y::dy, x::dx] = _rows(raw[at:end], head, width, height)
        at = end
    return codes


def _from_palette(codes: Samples, palette: bytes, transparent: bytes) -> tuple[Samples, Samples | None]:
    if not palette or len(palette) % 3:
        raise ValueError("its palette is missing or damaged")
    colours = np.zeros((256, 3), np.uint8)
    table = np.frombuffer(palette, np.uint8).reshape(-1, 3)[:256]
    colours[: len(table)] = table
    if not transparent:
        return colours[codes], None
    opacity = np.full(256, 255, np.uint8)
    opacity[: len(transparent)] = np.frombuffer(transparent, np.uint8)[:256]
    return colours[codes], opacity[codes]
