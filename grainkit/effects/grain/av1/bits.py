"""Bits in and out of AV1 headers: the descriptors of the AV1 specification, sections 4.10 and 5.3."""

from __future__ import annotations

from grainkit.errors import EncodingError


class BitReader:
    """Reads bits from the front of `data`, most significant first.

    Raises EncodingError where more bits are asked for than there are.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._size = 8 * len(data)
        self.position = 0

    def f(self, n: int) -> int:
        """An unsigned number of n bits."""
        self.position += n
        left = self._size - self.position
        if left < 0:
            raise EncodingError("an AV1 header ends in the middle of a field")
        return self._value >> left & (1 << n) - 1

    def flag(self) -> bool:
        """One bit."""
        return self.f(1) == 1

    def su(self, n: int) -> int:
        """A signed number of n bits, two's complement."""
        value = self.f(n)
        return value - (value >> n - 1 << n)

    def ns(self, n: int) -> int:
        """A number below n, in as few bits as it needs."""
        width = n.bit_length()
        short = (1 << width) - n
        value = self.f(width - 1)
        return value if value < short else (value << 1) - short + self.f(1)

    def skip_uvlc(self) -> None:
        """A number of variable length, left unread."""
        zeros = 0
        while not self.flag():
            zeros += 1
        if zeros < 32:
            self.f(zeros)


class BitWriter:
    """Collects bits, most significant first."""

    def __init__(self, value: int = 0, length: int = 0) -> None:
        self._value, self.length = value, length

    def put(self, value: int, n: int) -> None:
        """`value` in n bits. ValueError where it does not fit."""
        if not 0 <= value < 1 << n:
            raise ValueError(f"{value} does not fit {n} bits")
        self._value = self._value << n | value
        self.length += n

    def aligned(self) -> bytes:
        """What was put, filled up with zeros to whole bytes."""
        return (self._value << -self.length % 8).to_bytes((self.length + 7) // 8, "big")


def first_bits(data: bytes, n: int) -> BitWriter:
    """A writer that holds the first n bits of `data`."""
    size = (n + 7) // 8
    return BitWriter(int.from_bytes(data[:size], "big") >> 8 * size - n, n)


def read_leb128(data: bytes, start: int) -> tuple[int, int]:
    """(value, position after it) of the little-endian base-128 number at `start`."""
    value = 0
    for i in range(8):
        if start + i >= len(data):
            break
        byte = data[start + i]
        value |= (byte & 0x7F) << 7 * i
        if not byte & 0x80:
            return value, start + i + 1
    raise EncodingError("an AV1 packet holds a size that cannot be read")


def leb128(value: int) -> bytes:
    """`value` as a little-endian base-128 number, as short as it can be."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)
