"""Film grain put into an encoded AV1 stream: a flag in its sequence headers, parameters in its frame headers.

Nothing else changes: with film grain switched off a decoder gives the very pictures that were encoded.
Packets are those of a muxer, one temporal unit each, in the low-overhead format (specification 5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from grainkit.effects.grain.av1.bits import BitReader, BitWriter, first_bits, leb128, read_leb128
from grainkit.effects.grain.av1.film_grain import FilmGrain, put_grain
from grainkit.effects.grain.av1.headers import (
    INTER_FRAME,
    FrameHeader,
    FrameHeaders,
    read_sequence_header,
    relative_distance,
)
from grainkit.errors import EncodingError, OutputError

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME, _REDUNDANT_FRAME_HEADER, _TILE_LIST = 1, 3, 6, 7, 8
#: The first byte of an AV1CodecConfigurationRecord (av1C, CodecPrivate): marker and version. OBUs follow 4 bytes.
_CONFIGURATION = 0x81
#: No frame header is nearly as long.
_MAX_HEADER = 4096
#: Template states are those of a 16-bit shift register. From these seeds one of the three planes gets the
#: state 0, which stays 0: no noise at all (specification 7.18.3.3).
_DEAD_SEEDS = (0x0000, 0xB524, 0x49D8)
#: Odd, and near the golden section of 2^16: seeds near in time lie far apart.
_SEED_STEP = 40503


def grain_seed(start: int, number: int) -> int:
    """The 16-bit seed of the grain numbered `number`. Of 65536 in a row three come twice, thousands of frames apart.

    start: moves the whole series.
    """
    seed = start + number * _SEED_STEP & 0xFFFF
    return seed ^ 1 if seed in _DEAD_SEEDS else seed


class GrainStream:
    """Rewrites the packets of one stream, in order.

    grain_at: parameters of the frame that is shown as the n-th, from 0; None for one without grain.
    seed_at: its seed, 1..65535. frames: how many frames have been shown so far.
    """

    def __init__(self, grain_at: Callable[[int], FilmGrain | None], seed_at: Callable[[int], int]) -> None:
        self._grain_at, self._seed_at = grain_at, seed_at
        self._headers = FrameHeaders()
        self._last_hint = 0
        self._frame_header = b""
        self.frames = 0

    def extradata(self, data: bytes) -> bytes:
        """The codec's global header, OBUs or av1C, with film grain announced."""
        start = 4 if data[:1] == bytes([_CONFIGURATION]) else 0
        return data[:start] + b"".join(_announced(obu) for obu in _obus(data[start:]))

    def packet(self, data: bytes) -> bytes:
        """One temporal unit with film grain in it. Raises EncodingError where it holds what is not known here."""
        try:
            return b"".join(self._rewritten(obu) for obu in _obus(data))
        except EncodingError as error:
            raise EncodingError(f"{error}; burn grain in with --set cinema_grain.carrier=animated") from error

    def _rewritten(self, obu: _Obu) -> bytes:
        if obu.kind == _SEQUENCE_HEADER:
            self._headers.sequence = read_sequence_header(obu.payload)
            return _announced(obu)
        if obu.kind in (_FRAME, _FRAME_HEADER):
            return self._frame(obu)
        if obu.kind == _REDUNDANT_FRAME_HEADER:
            return obu.holding(self._frame_header)
        if obu.kind == _TILE_LIST:
            raise EncodingError("AV1 tile lists cannot be given film grain")
        return obu.whole

    def _frame(self, obu: _Obu) -> bytes:
        if obu.spatial_id:
            raise EncodingError("AV1 streams of several sizes cannot be given film grain")
        header = self._headers.read(obu.payload[:_MAX_HEADER], obu.temporal_id, obu.spatial_id)
        number = self._display_number(header)
        grain = self._grain_at(number) if header.has_grain else None
        bits = first_bits(obu.payload, header.bits)
        if header.has_grain:
            self._put(bits, header, grain, number)
        self._headers.refresh(header, grain)
        rest = BitReader(obu.payload[: header.bits // 8 + 1])
        rest.f(header.bits)
        tail = obu.payload[(header.bits + 7) // 8 :]
        if obu.kind == _FRAME:
            # byte_alignment(), then tiles.
            _require_filling(rest.f(-header.bits % 8) == 0)
            return obu.holding(bits.aligned() + tail)
        _require_filling(rest.flag() and rest.f(-rest.position % 8) == 0 and not any(tail[header.bits % 8 == 0 :]))
        bits.put(1, 1)
        self._frame_header = bits.aligned()
        return obu.holding(self._frame_header)

    def _put(self, bits: BitWriter, header: FrameHeader, grain: FilmGrain | None, number: int) -> None:
        sequence, slots = self._headers.sequence, self._headers.slots
        assert sequence is not None
        is_inter = header.frame_type == INTER_FRAME
        reference = None
        if is_inter and grain is not None:
            # 21 bits where the whole takes a kilobit.
            same = (i for i in header.references if (slot := slots[i]) is not None and slot.grain == grain)
            reference = next(same, None)
        put_grain(
            bits, grain, self._seed_at(number), is_inter=is_inter, reference=reference, mono=sequence.mono,
            subsampling=sequence.subsampling,
        )  # fmt: skip

    def _display_number(self, header: FrameHeader) -> int:
        """As which the frame is shown: now the next; else as far off as its order hint says."""
        if header.shown:
            number, self._last_hint = self.frames, header.slot.order_hint
            self.frames += 1
            return number
        sequence = self._headers.sequence
        assert sequence is not None
        if header.showable and not sequence.order_hint_bits:
            raise EncodingError(
                "AV1 frames that are shown later, in a stream without order hints, cannot be given grain"
            )
        ahead = relative_distance(header.slot.order_hint, self._last_hint, sequence) if self.frames else 0
        return max(self.frames - 1 + ahead, 0)


def _require_filling(found: bool) -> None:
    """What follows a header is fixed. Anything else there: it was not read as it was written."""
    if not found:
        raise EncodingError("an AV1 frame header does not end where it should; it holds what is not read here")


@dataclass(frozen=True)
class _Obu:
    """One open bitstream unit: its header bytes less the size, and its payload. `whole` is all of it."""

    head: bytes
    payload: bytes
    whole: bytes

    @property
    def kind(self) -> int:
        return self.head[0] >> 3 & 15

    @property
    def temporal_id(self) -> int:
        return self.head[1] >> 5 if len(self.head) > 1 else 0

    @property
    def spatial_id(self) -> int:
        return self.head[1] >> 3 & 3 if len(self.head) > 1 else 0

    def holding(self, payload: bytes) -> bytes:
        """The unit with another payload, its size said."""
        return bytes([self.head[0] | 2]) + self.head[1:] + leb128(len(payload)) + payload


def _obus(data: bytes) -> Iterator[_Obu]:
    start = 0
    while start < len(data):
        if data[start] & 0x80:
            raise EncodingError("an AV1 packet holds no open bitstream unit where one should begin")
        body = start + (2 if data[start] & 4 else 1)
        if data[start] & 2:
            size, payload = read_leb128(data, body)
        else:
            size, payload = len(data) - body, body
        end = payload + size
        if end > len(data):
            raise EncodingError("an AV1 packet breaks off")
        yield _Obu(data[start:body], data[payload:end], data[start:end])
        start = end


def _announced(obu: _Obu) -> bytes:
    """The unit with film_grain_params_present set, where it is a sequence header."""
    if obu.kind != _SEQUENCE_HEADER:
        return obu.whole
    sequence = read_sequence_header(obu.payload)
    if sequence.film_grain:
        raise OutputError(
            "the encoder writes film grain of its own; take film-grain out of delivery.clip.options, "
            "or burn grain in with --set cinema_grain.carrier=animated"
        )
    byte, bit = divmod(sequence.film_grain_bit, 8)
    payload = bytearray(obu.payload)
    payload[byte] |= 0x80 >> bit
    return obu.holding(bytes(payload))
