"""Fuzzing led by coverage, of what in grainkit itself reads what others wrote: input that runs new code is changed on.

    python -m benchmarks.fuzz_guided TARGET [--seconds N] [--corpus FOLDER] [--limit SECONDS] [--seed N]
    python -m benchmarks.fuzz_guided TARGET --replay FILE_OR_FOLDER...        cases again, without atheris

It needs atheris, which nothing else here does: pip install atheris. The corpus starts from the good files of
benchmarks.fuzz, and what runs new code is kept in its folder (out/fuzz/TARGET). Every plain function of grainkit is
instrumented; functions that numba compiles and libraries are not.

A finding is what it is there: an exception that is none of grainkit's, a message that is not one line, an exit status
or a file that must not be, more memory or time than a case may take; and here also what does not come back as it was
written. It ends the run with a traceback and a status other than 0, and the case is left beside the corpus as
TARGET-crash-..., -timeout-... or -oom-... The lines that a corpus runs:

    python -m coverage run -m benchmarks.fuzz_guided TARGET --replay out/fuzz/TARGET && python -m coverage combine
"""

from __future__ import annotations

import argparse
import functools
import io
import random
import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import av
import numpy as np

from benchmarks import fuzz
from grainkit.effects.grain.av1.film_grain import FilmGrain
from grainkit.effects.grain.av1.fit import fit_film_grain
from grainkit.effects.grain.av1.stream import GrainStream, grain_seed
from grainkit.effects.grain.av1.table import read_table, table_text
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.errors import GrainkitError, UserError
from grainkit.finishing.plan import FilePlan
from grainkit.finishing.planning import make_plan
from grainkit.io import exif as exif_block
from grainkit.io import png
from grainkit.io.decode_still import MAX_DPI, decode_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import encode_still
from grainkit.io.metadata import (
    XMP_KEYWORD,
    claimed_source_type,
    international_text,
    outgoing_source_type,
    read_text,
    xmp_packet,
)
from grainkit.io.stills import frame_of
from grainkit.job.finish import finish
from grainkit.job.resume import done_already
from grainkit.job.sidecar import sidecar_path
from grainkit.picture.color import Color
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe, parse_recipe
from grainkit.recipe.recipe import KINDS, Recipe, fingerprint, to_yaml
from samples.waves import draw_waves

#: Pixels that a picture may have, so that cases stay quick. Bytes that a case has at most.
PIXELS, LONGEST = 1 << 14, 1 << 14
#: MiB that the process may hold.
MEMORY = 3072


@dataclass(frozen=True)
class Target:
    """run: one case. seeds: good ones to start from. words: what the format is written in.

    refusal: the errors that a case may end with.
    """

    run: Callable[[bytes, fuzz.Seeds], object]
    seeds: Callable[[fuzz.Seeds], Iterable[bytes]]
    words: tuple[str, ...] = ()
    refusal: type[GrainkitError] = UserError


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise fuzz.Finding(otherwise)


# ------------------------------------------------------------------------------------------- Y4M


def _y4m(data: bytes, good: fuzz.Seeds) -> None:
    """A pipe into a whole export: rate and aspect come from the header, and go on from there."""
    truncated = bool(zlib.crc32(data) & 1)
    finish(
        "-", good.room / "out/o.nut", stdin=io.BytesIO(data), allow_truncated=truncated, max_pixels=PIXELS,
        overwrite=True, backend="cpu", preset="video", adapt=False,
        settings=("skin_texture.strength=0", "cinema_grain.strength=0", "highlight_guard.strength=0"),
    )  # fmt: skip


_Y4M = (
    "YUV4MPEG2 ", "FRAME\n", " W16", " H8", " F30000:1001", " F0:0", " Ip", " It", " A1:1", " C420jpeg", " C420paldv",
    " C422p10", " C444p16", " Cmono", " Cmono12", " XCOLORRANGE=FULL", " XCOLORRANGE=LIMITED", "99999999999999999999",
)  # fmt: skip

# ------------------------------------------------------------------------------------------- film grain of AV1


def _table(data: bytes, good: fuzz.Seeds) -> None:
    path = good.room / "case.tbl"
    path.write_bytes(data)
    table = read_table(path, clip=True)
    table.at(1.5)
    for grain in {grain for _, _, grain in table.entries if grain is not None}:
        path.write_text(table_text(grain, 1))
        require(read_table(path, clip=True).at(0) == grain, f"{grain} is written and read as another")


@functools.cache
def _grain() -> FilmGrain:
    return fit_film_grain(CinemaGrain(), Color(), 640, 360, 72.0).grain


def _tables(_: fuzz.Seeds) -> Iterator[bytes]:
    text = table_text(_grain(), 7)
    yield text.encode()
    yield (text.replace(f"{2**63 - 1} 1", "10000000 1") + "E 10000000 20000000 0 5 0\n").encode()


def _av1(data: bytes, _: fuzz.Seeds) -> None:
    """A stream's global header and packets, each after its length in two bytes."""
    grain = GrainStream(lambda n: _grain() if n % 3 else None, lambda n: grain_seed(1, n))
    first, *packets = list(_cut(data)) or [b""]
    grain.extradata(first)
    for packet in packets:
        grain.packet(packet)


def _cut(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 2 <= len(data):
        (size,) = struct.unpack_from(">H", data, at)
        yield data[at + 2 : at + 2 + size]
        at += 2 + size


def _streams(good: fuzz.Seeds) -> Iterator[bytes]:
    for width, frames in ((64, 8), (160, 3)):
        path = draw_waves(good.room / f"{width}.mkv", width, 64, frames, "libsvtav1")
        with av.open(str(path)) as container:
            track = container.streams.video[0]
            parts = [track.codec_context.extradata or b"", *(bytes(p) for p in container.demux(track) if p.size)]
        yield b"".join(struct.pack(">H", len(part)) + part for part in parts)


# ------------------------------------------------------------------------------------------- recipes


def _recipe(data: bytes, good: fuzz.Seeds) -> None:
    path = good.room / "case.yaml"
    path.write_bytes(data)
    _comes_back(load_recipe(path), data)


def _comes_back(recipe: Recipe, data: bytes) -> None:
    for kind in KINDS:
        recipe.for_kind(kind)
    if zlib.crc32(data) % 8 == 0:  # it takes longer than all else
        again = parse_recipe(to_yaml(recipe))
        require(again == recipe, f"{recipe} is written and read as {again}")
        require(fingerprint(again) == fingerprint(recipe), "another fingerprint")


def _settings(data: bytes, _: fuzz.Seeds) -> None:
    """One --set a line."""
    _comes_back(override(_preset("social/reel"), _text(data).split("\n")), data)


_preset = functools.cache(load_recipe)


def _text(data: bytes) -> str:
    """As Python has what stands on the command line, where there is no NUL."""
    return data.replace(b"\0", b"").decode("utf-8", "surrogateescape")


def _sidecar(data: bytes, good: fuzz.Seeds) -> None:
    """An earlier output's: taken for a recipe, and looked at by --resume."""
    picture = good.room / "in/a.png"
    plan = make_plan(_info(good), _preset("social"), good.room / "out/case.png")
    assert isinstance(plan, FilePlan)
    path = sidecar_path(plan.output)
    path.write_bytes(data)
    done_already(plan, lambda count: [picture] * min(count, 3), [], "0" * 32, False)
    _comes_back(load_recipe(path), data)


@functools.cache
def _info_of(path: Path) -> Any:
    from grainkit.io import open_source

    with open_source(path) as source:
        return source.info


def _info(good: fuzz.Seeds) -> Any:
    return _info_of(good.room / "in/a.png")


def _sidecars(good: fuzz.Seeds) -> Iterator[bytes]:
    for name, preset in (("in/a.png", "social"), ("in/clip.mkv", "video")):
        out = good.room / f"out/seed{Path(name).suffix}"
        finish(good.room / name, out, preset=preset, adapt=False, overwrite=True, settings=("skin_texture.strength=0",))
        yield sidecar_path(out).read_bytes()


# ------------------------------------------------------------------------------------------- commands


def _arguments(data: bytes, good: fuzz.Seeds) -> None:
    """Any words, one a line, with --dry-run: nothing may be written, so nothing need be kept from them."""
    before = {p: p.stat().st_mtime_ns for p in good.room.rglob("*") if "out" not in p.relative_to(good.room).parts}
    fuzz.run_words(["finish", "--dry-run", *_text(data).split("\n")], good.room)
    after = {p: p.stat().st_mtime_ns for p in good.room.rglob("*") if "out" not in p.relative_to(good.room).parts}
    require(after == before, f"{sorted(set(after) ^ set(before))} by a dry run")
    require(not list((good.room / "out").iterdir()), "an output of a dry run")


_ARGUMENTS = tuple(
    "\n".join(words)
    for words in (
        ("in/a.png",), ("in/clip.mkv", "-o", "out/o.mp4"), ("in/seq/f_%02d.png", "-o", "out/f_%d.png", "--rate", "25"),
        ("in/a.png", "in/grey.png", "-o", "out/"), ("-", "-o", "-"), ("in/a.png", "--set", "delivery.still.quality=90"),
        ("in/clip.mkv", "--frames", "1:3", "--matte", "in/grey.png", "--seed", "7", "--max-pixels", "2M"),
        ("in/a.png", "--recipe", "in/good.yaml", "--source", "flux", "--pilot", "--adapt", "--json"),
        ("in/clip.mkv", "--preset", "video/av1", "--grain-table", "in/case.bin", "--workers", "2", "--resume"),
    )
)  # fmt: skip


class _Drawn(random.Random):
    """Draws whose bits are those of a case, and 0 where it has no more."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._stream = io.BytesIO(data)

    def getrandbits(self, k: int) -> int:
        size = (k + 7) // 8
        return int.from_bytes(self._stream.read(size).ljust(size, b"\0")) >> 8 * size - k

    def random(self) -> float:
        return self.getrandbits(16) / 65536


def _command(data: bytes, good: fuzz.Seeds) -> None:
    """The commands of benchmarks.fuzz, drawn by the case."""
    fuzz.command_case("command", good, _Drawn(data))


def _draws(_: fuzz.Seeds) -> Iterator[bytes]:
    for number in range(16):
        yield random.Random(number).randbytes(400)


# ------------------------------------------------------------------------------------------- stills


def _still(data: bytes, _: fuzz.Seeds) -> None:
    """Read, delivered with all its metadata, and read again."""
    if data.startswith(png.SIGNATURE):
        data = fuzz.checked_png(data)
    still = decode_still(data, Path("case"), PIXELS)
    depth = 8 * still.rgb.dtype.itemsize
    containers = {8: ("png", "jpeg", "tiff"), 16: ("png", "tiff"), 32: ("tiff", "exr")}[depth]
    container = containers[zlib.crc32(data) % len(containers)]
    delivered = encode_still(frame_of(still), StillDelivery(container=container, depth=depth), 0.0, still.metadata)
    again = decode_still(delivered, Path("case"), PIXELS)
    require(again.container == container, f"written as {container}, read as {again.container}")
    if container != "jpeg":
        require(np.array_equal(again.rgb, still.rgb, equal_nan=depth == 32), f"other samples in the {container}")


def _stills(*kinds: str) -> Callable[[fuzz.Seeds], Iterable[bytes]]:
    return lambda good: [data for kind in kinds for data in good.files[kind]]


def _talkative(good: fuzz.Seeds) -> Iterator[bytes]:
    """PNG with every chunk that is read."""
    yield from good.files["png"]
    block, plain, packet = next(_blocks(good)), good.files["png"][0], next(_packets(good))
    words = zlib.compress(b"a waxy face")
    for extra in (
        [(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)), (b"gAMA", struct.pack(">I", 45455)), (b"eXIf", block)],
        [(b"iCCP", b"p\0\0" + zlib.compress(bytes(200))), (b"cICP", bytes((9, 16, 0, 1))), (b"tEXt", b"prompt\0x")],
        [(b"zTXt", b"k\0\0" + words), (b"iTXt", b"k\0\1\0\0\0" + words)],
        [international_text(XMP_KEYWORD.encode(), packet)],
    ):  # fmt: skip
        yield plain[:33] + b"".join(png.chunk(*one) for one in extra) + plain[33:]


def _exif(data: bytes, _: fuzz.Seeds) -> None:
    """A block in all that reads and changes it."""
    exif_block.orientation(data)
    exif_block.says_srgb(data)
    exif_block.texts(data)
    upright = exif_block.upright(data)
    require(len(upright) == len(data) and exif_block.orientation(upright) in (1, None), "not upright")
    described = exif_block.describing(data, (40, 24), (1.0, MAX_DPI))
    require(len(described) == len(data), "a block of another length")
    told = exif_block.extract(data)
    require(told is None or len(told) <= 2 * len(data) + 64, "more than the file holds")
    if told is not None:
        exif_block.texts(told)


def _blocks(good: fuzz.Seeds) -> Iterator[bytes]:
    from PIL import Image

    for order, picture in ((">", good.files["tiff"][0]), ("<", good.files["tiff"][2])):
        block = Image.Exif()
        block.endian = order
        block[0x0112], block[0x010F], block[0x011A], block[0x011B], block[0x0128] = 6, "maker", 72.0, 72.0, 2
        block.get_ifd(0x8769).update({0xA001: 1, 0xA002: 40, 0xA003: 24, 0x9286: b"ASCII\0\0\0words"})
        block.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
        yield exif_block.bare(block.tobytes())
        yield picture


def _xmp(data: bytes, _: fuzz.Seeds) -> None:
    """A packet, and what a text chunk holds. What was claimed must be claimed afterwards."""
    claimed = claimed_source_type(data)
    wanted = outgoing_source_type(claimed)
    packet = xmp_packet(digital_source_type=wanted, software="grainkit 0", summary="all of it", existing=data)
    found = claimed_source_type(packet)
    require(found == wanted, f"claimed {claimed!r}, to be {wanted!r}, came out as {found!r}")
    again = xmp_packet(digital_source_type=wanted, software="grainkit 0", summary="all of it", existing=packet)
    require(claimed_source_type(again) == wanted, "another claim the second time")
    try:
        read_text((b"tEXt", b"zTXt", b"iTXt")[len(data) % 3], data, 1 << 20)
    except ValueError as error:
        require("\n" not in str(error), f"not one line: {error!r}")


def _packets(_: fuzz.Seeds) -> Iterator[bytes]:
    for term in ("", "trainedAlgorithmicMedia", "digitalCapture"):
        yield (packet := xmp_packet(digital_source_type=term, software="x 1", summary="a & b"))
        yield packet.decode().encode("utf-16")
    yield b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description r:about="u"/></r:RDF>'
    yield b"prompt\0\0" + zlib.compress(b"a waxy face")
    yield b"prompt\0\1\0en\0Wort\0" + zlib.compress(b"a waxy face")


_XMP = (
    "xmlns:", "rdf:RDF", "rdf:Description", "rdf:about=", "rdf:resource=", "Iptc4xmpExt:DigitalSourceType", "<![CDATA[",
    "http://cv.iptc.org/newscodes/digitalsourcetype/", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "&#10;", "&amp;",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "xmp:CreatorTool", "<!-- -->", "<?x y?>", "<!DOCTYPE x []>", "xml:",
)  # fmt: skip

_YAML = (*fuzz.HOSTILE_WORDS, "delivery:\n", "effects:\n  cinema_grain:\n    strength: ", "extends: ", "clip:\n")
_OPTIONS = tuple(name for name, _ in fuzz.OPTIONS) + fuzz.FLAGS

_LINES = ("filmgrn1\n", "E ", "\tp ", "\tsY ", "\tsCb ", "\tsCr ", "\tcY ", "\tcCb ", "\tcCr ")
_CHUNKS = ("IHDR", "iCCP", "pHYs", "eXIf", "tEXt", "zTXt", "iTXt", "gAMA", "cICP", "tRNS", "PLTE", "acTL")

TARGETS: dict[str, Target] = {
    "y4m": Target(_y4m, lambda good: good.files["y4m"], _Y4M, GrainkitError),
    "table": Target(_table, _tables, _LINES),
    "av1": Target(_av1, _streams, refusal=GrainkitError),
    "recipe": Target(_recipe, lambda good: good.files["recipe"], _YAML),
    "settings": Target(_settings, lambda _: [f"{k}={v}".encode() for k in fuzz.KEYS for v in ("1", "x")], fuzz.KEYS),
    "sidecar": Target(_sidecar, _sidecars, ("recipe:\n", "output:\n", "  frames: ", "  sha256: ", "job: ")),
    "arguments": Target(_arguments, lambda _: map(str.encode, _ARGUMENTS), (*_OPTIONS, *fuzz.KEYS, "1e99", "in/a.png")),
    "command": Target(_command, _draws),
    "png": Target(_still, _talkative, _CHUNKS),
    "stills": Target(_still, _stills("jpeg", "tiff", "webp", "exr")),
    "exif": Target(_exif, _blocks),
    "xmp": Target(_xmp, _packets, _XMP),
}  # fmt: skip


# ------------------------------------------------------------------------------------------- running


def outcome(target: Target, data: bytes, good: fuzz.Seeds) -> str:
    """'done', or the name of the error that the case was refused with. Raises what is a finding."""
    try:
        target.run(data, good)
    except target.refusal as error:
        said = str(error)
        require(bool(said.strip()) and "\n" not in said, f"a message that is not one line: {error!r}")
        return type(error).__name__
    return "done"


def replay(target: Target, files: Iterable[Path], good: fuzz.Seeds) -> Counter[str]:
    """What came of the cases in files and folders."""
    found: Counter[str] = Counter()
    for path in files:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            found[outcome(target, file.read_bytes(), good)] += 1
    return found


def plain_functions() -> Iterator[FunctionType]:
    """Every function of grainkit that Python itself runs, methods included."""
    seen = set()

    def inside(value: Any, module: str) -> Iterator[FunctionType]:
        value = getattr(value, "__wrapped__", getattr(value, "__func__", value))
        if isinstance(value, property):
            yield from inside(value.fget, module)
        elif isinstance(value, FunctionType):
            if value.__module__ == module and value not in seen:
                seen.add(value)
                yield value
        elif isinstance(value, type) and value.__module__ == module:
            for part in vars(value).values():
                yield from inside(part, module)

    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "grainkit" and module is not None:
            for value in list(vars(module).values()):
                if not hasattr(value, "py_func"):  # numba compiles from it
                    yield from inside(value, name)


def _fuzz(name: str, target: Target, corpus: Path, good: fuzz.Seeds, options: argparse.Namespace) -> None:
    """Never returns: the process ends with the run."""
    try:
        import atheris
    except ModuleNotFoundError:
        sys.exit("benchmarks.fuzz_guided: it needs atheris, which is not installed: pip install atheris")
    words = good.room / "words"
    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "replace")) for word in target.words if word)
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    seeds = good.room / "seeds"
    seeds.mkdir()
    for number, data in enumerate(target.seeds(good)):
        (seeds / f"{number:03d}").write_bytes(data)
        outcome(target, data, good)  # what is imported late is there to be instrumented, and compiled
    corpus.mkdir(parents=True, exist_ok=True)
    count = sum(atheris.instrument_func(function) is not None for function in plain_functions())
    print(f"{name}: {count} functions instrumented", file=sys.stderr)
    atheris.Setup(
        [
            sys.argv[0], str(corpus), str(seeds), f"-max_total_time={options.seconds}", f"-timeout={options.limit}",
            f"-rss_limit_mb={MEMORY}", f"-max_len={LONGEST}", f"-seed={options.seed}", "-print_final_stats=1",
            "-len_control=20",
            f"-artifact_prefix={corpus.parent}/{name}-", *([f"-dict={words}"] if target.words else []),
        ],
        lambda data: outcome(target, data, good) and None,
    )  # fmt: skip
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS, metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--limit", type=int, default=int(fuzz.LIMIT), help="seconds for a case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE_OR_FOLDER")
    options = parser.parse_args(arguments)
    target, corpus = TARGETS[options.target], options.corpus or Path("out/fuzz") / options.target
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder) / "room"  # .. is a folder of its own, too
        room.mkdir()
        good = fuzz.seeds(room)
        fuzz.prepare_inputs(good)
        if options.replay:
            print(dict(replay(target, options.replay, good)))
        else:
            _fuzz(options.target, target, corpus.absolute(), good, options)


if __name__ == "__main__":
    main()
