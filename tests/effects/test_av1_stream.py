"""Film grain in AV1 streams: nothing else moves, and who reads them finds what was written."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from grainkit.effects.grain.av1.bits import BitReader, BitWriter, first_bits, leb128, read_leb128
from grainkit.effects.grain.av1.film_grain import FilmGrain
from grainkit.effects.grain.av1.headers import FrameHeaders, read_sequence_header
from grainkit.effects.grain.av1.stream import GrainStream, grain_seed
from grainkit.errors import EncodingError, OutputError
from tests.av1_streams import GRAIN as ANY_GRAIN
from tests.av1_streams import Stream, decode, encode, read, same_pictures, shown_seeds, trace

GRAIN = replace(ANY_GRAIN, cb_mix=(130, 190, 250))
START = 5
MOVING = "testsrc2=size=192x112:rate=24"
ZOOMING = "mandelbrot=size=192x112:rate=24"

SVT = {
    "pyramid of hidden frames": (["-preset", "8", "-crf", "35"], MOVING, 40),
    "several key frames": (["-preset", "8", "-crf", "35", "-g", "12"], MOVING, 30),
    "low delay": (["-preset", "8", "-svtav1-params", "pred-struct=1"], MOVING, 14),
    "overlays": (["-preset", "6", "-svtav1-params", "enable-overlays=1:keyint=12"], MOVING, 30),
    "superres and tiles": (["-preset", "8", "-svtav1-params", "superres-mode=1:superres-denom=12:tile-columns=1"],
                           MOVING, 14),
    "lossless": (["-preset", "10", "-svtav1-params", "lossless=1"], MOVING, 6),
    "quantiser matrices, boost by segment": (
        ["-preset", "8", "-svtav1-params", "enable-qm=1:enable-variance-boost=1"], MOVING, 14),
    "global motion, restoration": (["-preset", "4", "-crf", "45"], ZOOMING, 12),
    "switch frames": (["-preset", "8", "-svtav1-params", "sframe-dist=8:sframe-mode=1:pred-struct=1"], MOVING, 14),
}  # fmt: skip
FAST = ["-cpu-used", "8", "-crf", "35"]
AOM = {
    "default": (FAST, MOVING, 14),
    "slow tools": (["-cpu-used", "3", "-crf", "50"], ZOOMING, 8),
    "real time": ([*FAST, "-lag-in-frames", "0", "-usage", "realtime"], MOVING, 14),
    "error resilient": ([*FAST, "-aom-params", "error-resilient=1"], MOVING, 14),
    "segments": ([*FAST, "-aom-params", "aq-mode=2"], MOVING, 14),
    "lossless": ([*FAST, "-aom-params", "lossless=1"], MOVING, 6),
    "resized frames": ([*FAST, "-aom-params", "resize-mode=3"], MOVING, 14),
    "no order hints": ([*FAST, "-lag-in-frames", "0", "-aom-params", "enable-order-hint=0"], MOVING, 14),
    "timing info": ([*FAST, "-aom-params", "timing-info=model"], MOVING, 14),
    "tile groups": ([*FAST, "-aom-params", "num-tile-groups=2:tile-rows=1"], MOVING, 8),
    "screen content": ([*FAST, "-aom-params", "tune-content=screen"], MOVING, 8),
    "still picture": ([*FAST, "-still-picture", "1"], MOVING, 1),
}
QUICK = ["-speed", "10", "-qp", "100"]
RAV1E = {
    "default": (QUICK, MOVING, 20),
    "slow tools": (["-speed", "4", "-qp", "60"], ZOOMING, 6),
    "error resilient": ([*QUICK, "-rav1e-params", "error_resilient=true"], MOVING, 12),
    "timing info": ([*QUICK, "-rav1e-params", "enable_timing_info=true"], MOVING, 6),
    "still picture": ([*QUICK, "-rav1e-params", "still_picture=true"], MOVING, 1),
}
FORMS = ["yuv420p10le", "yuv422p10le", "yuv444p", "yuv444p12le", "gray"]

CASES = [
    *[pytest.param("libsvtav1", "yuv420p", *case, id=f"svt-{name}") for name, case in SVT.items()],
    pytest.param("libsvtav1", "yuv420p10le", ["-preset", "8", "-crf", "35"], MOVING, 12, id="svt-10 bits"),
    *[pytest.param("libaom-av1", "yuv420p", *case, id=f"aom-{name}") for name, case in AOM.items()],
    *[pytest.param("librav1e", "yuv420p", *case, id=f"rav1e-{name}") for name, case in RAV1E.items()],
    *[pytest.param("libaom-av1", form, FAST, MOVING, 6, id=f"aom-{form}") for form in FORMS],
]


def grained(stream: Stream, grain: FilmGrain | None = GRAIN) -> Stream:
    rewriter = GrainStream(lambda n: grain, lambda n: grain_seed(START, n))
    return Stream(rewriter.extradata(stream.extradata), [rewriter.packet(p) for p in stream.packets])


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Stream:
    folder = tmp_path_factory.mktemp("clean")
    return encode(folder / "clean.mkv", "libsvtav1", "-preset", "8", "-crf", "35", source=MOVING, frames=40)


@pytest.mark.parametrize(("encoder", "form", "options", "source", "frames"), CASES)
def test_decoders_show_the_same_pictures_without_grain_and_fresh_grain_with_it(
    encoder, form, options, source, frames, tmp_path
):
    before = encode(tmp_path / "clean.mkv", encoder, *options, source=source, frames=frames, form=form)
    after = grained(before)
    pictures = decode(after, grain=False)
    assert len(pictures) == frames
    assert same_pictures(decode(before, grain=True), pictures)
    assert shown_seeds(after) == [grain_seed(START, n) for n in range(frames)]
    noise = [x[0].astype(int) - y[0] for x, y in zip(decode(after, grain=True), pictures, strict=True)]
    assert min(n.std() for n in noise) > 0.5
    # A whole set of parameters is 170 bytes here; frames that may take it from a reference say so in 3.
    assert after.size - before.size < 700 + 6 * frames


def test_an_independent_parser_reads_the_values_that_were_written(clean, tmp_path):
    path = muxed(tmp_path / "grain.mkv", grained(clean))
    headers = trace(path)
    sequences = [h for h in headers if "film_grain_params_present" in h]
    assert sequences
    assert all(h["film_grain_params_present"] == 1 for h in sequences)
    coded = [h for h in headers if h.get("show_existing_frame") == 0]
    assert len(coded) == 40
    assert all(h["apply_grain"] == 1 for h in coded)
    assert sorted(h["grain_seed"] for h in coded) == sorted(grain_seed(START, n) for n in range(40))
    told = [h for h in coded if "num_y_points" in h]
    assert told[0]["frame_type"] == 0
    assert len(told) < 4
    for header in told:
        for name, points in (("y", GRAIN.luma_points), ("cb", GRAIN.cb_points), ("cr", GRAIN.cr_points)):
            assert header[f"num_{name}_points"] == len(points)
            assert [header[f"point_{name}_value[{i}]"] for i in range(len(points))] == [p[0] for p in points]
            assert [header[f"point_{name}_scaling[{i}]"] for i in range(len(points))] == [p[1] for p in points]
        for name, wanted in (
            ("y", GRAIN.luma_coefficients), ("cb", GRAIN.cb_coefficients), ("cr", GRAIN.cr_coefficients),
        ):  # fmt: skip
            assert tuple(header[f"ar_coeffs_{name}_plus_128[{i}]"] - 128 for i in range(len(wanted))) == wanted
        assert header["chroma_scaling_from_luma"] == 0
        assert (header["grain_scaling_minus_8"], header["ar_coeff_lag"]) == (2, 3)
        assert (header["ar_coeff_shift_minus_6"], header["grain_scale_shift"]) == (2, 1)
        assert tuple(header[f"cb_{n}"] for n in ("mult", "luma_mult", "offset")) == GRAIN.cb_mix
        assert tuple(header[f"cr_{n}"] for n in ("mult", "luma_mult", "offset")) == GRAIN.cr_mix
        assert (header["overlap_flag"], header["clip_to_restricted_range"]) == (1, 1)


def muxed(path: Path, stream: Stream) -> Path:
    """The stream in a Matroska file."""
    import av

    os.environ.setdefault("SVT_LOG", "1")  # read once, by the first encoder of the process
    with av.open(str(path), "w") as output:
        track = output.add_stream("libsvtav1", rate=24)
        track.width, track.height, track.pix_fmt = 192, 112, "yuv420p"
        track.codec_context.open()
        track.codec_context.extradata = stream.extradata
        for n, data in enumerate(stream.packets):
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.time_base = track, n, n, track.codec_context.time_base
            output.mux_one(packet)
    return path


def test_a_file_keeps_what_was_put_into_it(clean, tmp_path):
    after = grained(clean)
    again = read(muxed(tmp_path / "grain.mkv", after))
    assert same_pictures(decode(again, grain=True), decode(after, grain=True))
    assert shown_seeds(again) == shown_seeds(after)


def test_grain_may_come_and_go_and_change_along_a_clip(clean):
    other = FilmGrain(((0, 90),), (), (), 10, 0, (), (0,), (0,), 7, 0)
    parts = [GRAIN] * 13 + [None] * 8 + [other] * 19
    rewriter = GrainStream(lambda n: parts[n], lambda n: grain_seed(START, n))
    after = Stream(rewriter.extradata(clean.extradata), [rewriter.packet(p) for p in clean.packets])
    pictures, bare = decode(after, grain=True), decode(after, grain=False)
    assert same_pictures(bare, decode(clean, grain=True))
    luma, chroma = (
        [float(np.std(x[p].astype(int) - y[p])) for x, y in zip(pictures, bare, strict=True)] for p in (0, 1)
    )
    assert min(luma[:13]) > 0.5
    assert max(luma[13:21]) == 0
    assert min(luma[21:]) > 0.5
    assert min(chroma[:13]) > 0
    assert max(chroma[13:]) == 0


def units(packet: bytes) -> list[tuple[int, bytes]]:
    """(type, payload) of each open bitstream unit."""
    found, at = [], 0
    while at < len(packet):
        assert packet[at] & 6 == 2  # a size, and no extension
        size, start = read_leb128(packet, at + 1)
        found.append((packet[at] >> 3, packet[start : start + size]))
        at = start + size
    return found


def test_units_without_a_size_and_with_layers_are_taken(clean):
    rewriter = GrainStream(lambda n: GRAIN, lambda n: grain_seed(START, n))
    wanted = [units(p) for p in grained(clean).packets]
    for packet, after in zip(clean.packets, wanted, strict=True):
        *others, (kind, last) = units(packet)
        sized = b"".join(bytes([k << 3 | 6, 0]) + leb128(len(payload)) + payload for k, payload in others)
        found = rewriter.packet(sized + bytes([kind << 3 | 4, 0]) + last)
        assert found == b"".join(bytes([k << 3 | 6, 0]) + leb128(len(payload)) + payload for k, payload in after)


def test_copies_of_a_frame_header_stay_copies(tmp_path):
    options = [*FAST, "-aom-params", "num-tile-groups=2:tile-rows=1"]
    before = encode(tmp_path / "clean.mkv", "libaom-av1", *options, source=MOVING, frames=4)
    rewriter = GrainStream(lambda n: GRAIN, lambda n: grain_seed(START, n))
    copied = 0
    for packet in before.packets:
        doubled = b""
        for kind, payload in units(packet):
            one = bytes([kind << 3 | 2]) + leb128(len(payload)) + payload
            # A copy is a unit of its own type, behind the header that it repeats and before the last tiles.
            doubled += one + (bytes([7 << 3 | 2]) + one[1:] if kind == 3 and payload[0] < 0x80 else b"")
        after = units(rewriter.packet(doubled))
        for (kind, payload), (next_kind, copy) in pairwise(after):
            if next_kind == 7:
                assert kind == 3
                assert payload == copy
                copied += 1
    assert copied


def test_sequence_headers_are_read_whatever_they_hold():
    def header(*fields: tuple[int, int]) -> tuple[bytes, int]:
        bits = BitWriter()
        for value, size in fields:
            bits.put(value, size)
        end = bits.length
        bits.put(1, 1)
        return bits.aligned(), end

    size = [(5, 4), (5, 4), (63, 6), (47, 6)]
    # reduced_still_picture_header, R'G'B' of profile 1.
    data, end = header(
        (1, 3), (1, 1), (1, 1), (0, 5), *size, (0, 3), (0, 3), (0, 1), (1, 1), (1, 8), (13, 8), (0, 8), (0, 1), (0, 1)
    )  # fmt: skip
    end -= 1
    still = read_sequence_header(data)
    assert (still.film_grain_bit, still.reduced_still, still.subsampling) == (end, True, (1, 1))
    assert not still.film_grain
    data, end = header(
        (2, 3), (0, 2),
        # timing at equal intervals, a decoder model, display delays
        (1, 1), (1, 32), (24, 32), (1, 1), (0b00110, 5), (1, 1), (9, 5), (1, 32), (4, 5), (6, 5), (1, 1),
        # two operating points, one of them modelled and delayed
        (1, 5), (0x101, 12), (9, 5), (1, 1), (1, 1), (0, 21), (1, 1), (3, 4), (0x103, 12), (5, 5), (0, 1), (0, 1),
        # size, frame ids, tools, screen content and whole motion forced, seven bits of order
        *size, (1, 1), (3, 4), (2, 3), (1, 1), (0, 2), (0, 2), (1, 1), (0, 1), (1, 1), (1, 1), (1, 1), (0, 1), (1, 1),
        (0, 1), (1, 1), (6, 3), (0b111, 3),
        # twelve bits, colours not described, 4:2:0, sited, chroma quantised apart, film grain
        (1, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (1, 1), (2, 2), (1, 1), (1, 1),
    )  # fmt: skip
    end -= 1
    whole = read_sequence_header(data)
    assert whole.film_grain_bit == end
    assert whole.film_grain
    assert whole.operating_points == ((0x101, True), (0x103, False))
    assert (whole.time_bits, whole.removal_bits) == (0, 5)
    assert (whole.max_size, whole.id_bits, whole.delta_id_bits) == ((64, 48), 8, 5)
    assert (whole.force_screen_content_tools, whole.force_integer_mv, whole.order_hint_bits) == (1, 1, 7)
    assert (whole.subsampling, whole.mono, whole.separate_uv_delta_q) == ((2, 2), False, True)


def test_seeds_never_silence_a_plane_and_hardly_repeat():
    seeds = [grain_seed(123, n) for n in range(65536)]
    assert all(seed ^ dead for seed in seeds for dead in (0, 0xB524, 0x49D8))
    assert len(set(seeds)) == 65536 - 3
    places: dict[int, int] = {}
    for n, seed in enumerate(seeds):
        assert n - places.get(seed, -(10**6)) > 1000
        places[seed] = n


def test_a_stream_with_film_grain_of_its_own_is_refused(clean):
    twice = GrainStream(lambda n: GRAIN, lambda n: 1)
    after = grained(clean)
    with pytest.raises(OutputError, match=r"film grain of its own; take film-grain out of .*carrier=animated"):
        twice.extradata(after.extradata)
    with pytest.raises(OutputError, match="film grain of its own"):
        twice.packet(after.packets[0])


def test_frames_that_are_shown_at_an_unknown_time_are_refused(tmp_path):
    options = [*FAST, "-aom-params", "enable-order-hint=0"]
    before = encode(tmp_path / "clean.mkv", "libaom-av1", *options, source=MOVING, frames=20)
    with pytest.raises(EncodingError, match="without order hints"):
        grained(before)


def test_layers_of_several_sizes_are_refused(clean):
    rewriter = GrainStream(lambda n: GRAIN, lambda n: 1)
    rewriter.packet(clean.packets[0])
    kind, payload = units(clean.packets[1])[-1]
    with pytest.raises(
        EncodingError, match=r"several sizes .*; burn grain in with --set cinema_grain.carrier=animated"
    ):
        rewriter.packet(bytes([kind << 3 | 6, 1 << 3]) + leb128(len(payload)) + payload)


def test_what_is_not_av1_fails_and_says_so(clean):
    def fresh() -> GrainStream:
        return GrainStream(lambda n: GRAIN, lambda n: 1)

    first, second = clean.packets[:2]
    with pytest.raises(EncodingError, match="breaks off"):
        fresh().packet(first[:-1])
    with pytest.raises(EncodingError, match="no open bitstream unit"):
        fresh().packet(b"\x80\x00\x00\x01")
    with pytest.raises(EncodingError, match="before any sequence header"):
        fresh().packet(second)
    with pytest.raises(EncodingError, match="middle of a field"):
        read_sequence_header(b"\x00\x00")
    with pytest.raises(EncodingError, match="size that cannot be read"):
        fresh().packet(b"\x0a\xff\xff")


@pytest.mark.parametrize("bit", range(8, 120, 7))
def test_a_header_with_a_flipped_bit_is_refused_or_read_to_another_end(clean, bit):
    """Whatever stands in a header, reading it ends, and never outside of it."""
    rewriter = GrainStream(lambda n: GRAIN, lambda n: 1)
    rewriter.packet(clean.packets[0])
    data = bytearray(clean.packets[1])
    data[2 + bit // 8] ^= 0x80 >> bit % 8
    try:
        after = rewriter.packet(bytes(data))
    except EncodingError:
        return
    assert len(after) < len(data) + 600


def test_a_frame_that_refers_to_nothing_is_refused(clean):
    headers = FrameHeaders()
    rewriter = GrainStream(lambda n: GRAIN, lambda n: 1)
    rewriter.packet(clean.packets[0])
    headers.sequence = rewriter._headers.sequence
    with pytest.raises(EncodingError, match="refers to one that never came"):
        headers.read(b"\x80" + bytes(8))


def test_numbers_of_all_kinds_are_read_as_they_are_written():
    writer = BitWriter()
    writer.put(5, 3)
    writer.put(0b1110111, 7)  # -9
    writer.put(0b11, 2)
    writer.put(1, 1)
    reader = BitReader(writer.aligned())
    assert (reader.f(3), reader.su(7)) == (5, -9)
    # 5 symbols: 0, 1, 2 take two bits, 3 and 4 take three.
    assert reader.ns(5) == 4
    assert first_bits(b"\xff\x00\xff", 12).aligned() == b"\xff\x00"
    with pytest.raises(ValueError, match="8 does not fit 3 bits"):
        writer.put(8, 3)
    for value in (0, 127, 128, 300, 2**32 - 1):
        assert read_leb128(b"x" + leb128(value) + b"y", 1) == (value, 1 + len(leb128(value)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scaling_shift": 12}, "scaling shift 12 is outside 8 to 11"),
        ({"luma_points": tuple((n, 1) for n in range(15))}, "15 luma points are more than 14"),
        ({"luma_points": ((9, 1), (9, 2))}, "values of luma points do not rise"),
        ({"cb_points": ()}, "only one of Cb and Cr has points"),
        ({"cr_points": ((0, 256),)}, "Cr point is outside 0 to 255"),
        ({"luma_coefficients": (0,) * 23}, "23 luma coefficients"),
        ({"cb_coefficients": (128,) * 25}, "Cb coefficient is outside -128 to 127"),
        ({"cb_mix": (0, 0, 512)}, "offset outside 0 to 511"),
    ],
)
def test_parameters_that_av1_cannot_code_are_refused(change, said):
    from dataclasses import replace

    with pytest.raises(ValueError, match=said):
        replace(GRAIN, **change)
