"""Damaged and hostile input, seeded: whatever comes, one clear line, in time, in bounded memory, in its own folder.

    python -m benchmarks.fuzz [--cases N] [--seed N] [--kind NAME]... [--limit SECONDS] [--json]
    python -m benchmarks.fuzz --kind NAME --case N          one case again, in this process

A case is a kind and a number, and always the same. Stills, clips and mattes are good files with bytes changed (PNG
checksums mostly set right again, so that the damage gets further in), recipes are presets with text changed, and
commands are words drawn from what the command knows and does not. Cases run in processes of their own, which are
watched. A finding is

  error     an exception that is none of grainkit's, or a message of several lines
  hang      more than the limit, and as much processor time or six times as long
  crash     the process ended
  memory    more than GROWTH bytes above what the process held before
  outside   a file that is new or gone outside the output folder

Exit status 0 where there is none.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from grainkit.errors import GrainkitError
from grainkit.hosts.cli import command as cli
from grainkit.io import open_source, png
from grainkit.io.base import StillMetadata
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import encode_still
from grainkit.io.mattes import mattes_for
from grainkit.io.y4m import Y4MSource
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import planes_from_rgb
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe, shipped
from grainkit.recipe.recipe import to_yaml
from samples.waves import draw_waves

#: Seconds that a case may take.
LIMIT = 20.0
#: Bytes that a case may add to the memory the process has held at most.
GROWTH = 1 << 30
#: Frames that are read of a clip.
FRAMES = 40


class Finding(Exception):
    """What must not be."""


@dataclass(frozen=True)
class Seeds:
    """Good files that damage starts from, by kind; each is a folder's file. room: where a case may write."""

    room: Path
    files: dict[str, tuple[bytes, ...]]


# ------------------------------------------------------------------------------------------- good files


def seeds(room: Path) -> Seeds:
    """Small good files of every kind."""
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (24, 40, 3), np.uint8)
    files: dict[str, tuple[bytes, ...]] = {
        "png": (_still(rgb, "png", 8), _still(rgb, "png", 16), *map(_pillow(rgb, "PNG"), ("L", "RGBA", "P", "1"))),
        "jpeg": (_still(rgb, "jpeg", 8), *map(_pillow(rgb, "JPEG", progressive=True), ("L", "RGB", "CMYK"))),
        "tiff": (
            _still(rgb, "tiff", 8), _still(rgb, "tiff", 32),
            *(_pillow(rgb, "TIFF", compression=c)("RGB") for c in ("tiff_lzw", "packbits", "tiff_adobe_deflate")),
            *map(_pillow(rgb, "TIFF"), ("L", "RGBA", "P", "1")),
        ),
        "webp": (_still(rgb, "webp", 8), _pillow(rgb, "WEBP", lossless=True)("RGBA")),
        "exr": (_still(rgb, "exr", 32), _exr(rgb)),
    }  # fmt: skip
    for ending, codec in (("mp4", "libx264"), ("mkv", "ffv1"), ("mov", "prores_ks"), ("webm", "libvpx-vp9")):
        path = room / f"seed.{ending}"
        if codec == "prores_ks":
            _prores(path)
        else:
            draw_waves(path, 64, 48, 6, codec)
        files[ending] = (path.read_bytes(),)
    files["y4m"] = tuple(
        f"YUV4MPEG2 W16 H8 F25:1 Ip A1:1 C{chroma}\n".encode() + 3 * (b"FRAME\n" + rng.bytes(size))
        for chroma, size in (("420jpeg", 192), ("422p10", 512), ("444", 384), ("mono", 128))
    )
    presets = shipped("presets").values()
    files["recipe"] = (*(preset.read_bytes() for preset in presets), to_yaml(load_recipe("social/reel")).encode())
    files["matte"] = (*files["png"][2:4], files["tiff"][5])
    return Seeds(room, files)


def _still(rgb: np.ndarray, container: str, depth: int) -> bytes:
    values = {8: rgb, 16: rgb.astype(np.uint16) * 257, 32: rgb.astype(np.float32) / 255}[depth]
    color = replace(SRGB_STILL, depth=depth)
    frame = Frame(planes_from_rgb(values, color), color, rgb=values)
    return encode_still(frame, StillDelivery(container=container, depth=depth), 72.0, StillMetadata(text=(("k", "v"),)))


def _pillow(rgb: np.ndarray, form: str, **options: object) -> Callable[[str], bytes]:
    def encoded(mode: str) -> bytes:
        room = io.BytesIO()
        Image.fromarray(rgb).convert(mode).save(room, form, **options)
        return room.getvalue()

    return encoded


def _exr(rgb: np.ndarray) -> bytes:
    import OpenEXR

    half = (rgb / 255).astype(np.float16)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a.exr"
        header = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, {"RGB": half}).write(path)
        return Path(path).read_bytes()


def _prores(path: Path) -> None:
    import av

    with av.open(str(path), "w") as output:
        stream = output.add_stream("prores_ks", rate=24)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv422p10le"
        for number in range(3):
            grey = np.full((48, 64), 400 + 40 * number, np.uint16)
            picture = av.VideoFrame(64, 48, "yuv422p10le")
            for plane, values in zip(picture.planes, (grey, grey[:, :32], grey[:, :32]), strict=True):
                lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
                lines[:, : values.shape[1] * 2] = np.ascontiguousarray(values).view(np.uint8)
            picture.pts = number
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


# ------------------------------------------------------------------------------------------- damage

_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(data: bytes, draw: random.Random) -> bytes:
    """The bytes with one to eight places changed; half of them near the beginning, where headers are."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        if not found:
            break
        # Seldom in the first bytes: what is not known by them is not looked at any further.
        low = 0 if draw.random() < 0.1 else min(16, len(found) - 1)
        at = draw.randrange(low, min(len(found), low + draw.choice((64, 512, len(found)))))
        how = draw.randrange(9)
        if how == 0:
            found[at] ^= 1 << draw.randrange(8)
        elif how == 1:
            found[at] = draw.randrange(256)
        elif how == 2:
            size = draw.choice("BHI")
            value = struct.pack(draw.choice("<>") + size, draw.choice(_EDGES) & (1 << 8 * struct.calcsize(size)) - 1)
            found[at : at + len(value)] = value
        elif how == 3:
            del found[at : at + draw.choice((1, 2, 4, 16, 100))]
        elif how == 4:
            found[at:at] = found[at : at + draw.choice((1, 4, 32, 300))]
        elif how == 5:
            found[at:at] = draw.randbytes(draw.choice((1, 4, 32)))
        elif how == 6:
            del found[draw.randrange(len(found)) :]
        elif how == 7:
            other = draw.randrange(len(found))
            found[at : at + 8] = found[other : other + 8]
        else:
            found[at : at + draw.choice((4, 64))] = bytes(draw.choice((4, 64)))
    return bytes(found)


def checked_png(data: bytes) -> bytes:
    """The same PNG with every checksum right, as far as its chunks can be told apart."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        if at + 12 + length > len(data):
            break
        out += png.chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return bytes(out + data[at:])


def _bomb(draw: random.Random) -> bytes:
    """A small PNG that promises, or unpacks to, very much."""
    side = draw.choice((1, 1000, 65535, 1 << 20, (1 << 31) - 1))
    head = struct.pack(
        ">IIBBBBB", side, draw.choice((1, side)), draw.choice((1, 8, 16)), draw.choice((0, 2, 3, 6)), 0, 0, 0
    )
    zeros = zlib.compress(bytes(50_000_000), 9)
    texts = [png.chunk(b"zTXt", b"k%d\0\0" % n + zeros) for n in range(draw.choice((0, 40)))]
    profile = [png.chunk(b"iCCP", b"p\0\0" + zeros)] if draw.random() < 0.3 else []
    parts = [png.chunk(b"IHDR", head), *profile, *texts, png.chunk(b"IDAT", zeros), png.chunk(b"IEND", b"")]
    return png.SIGNATURE + b"".join(parts)


HOSTILE_WORDS = (
    "grainkit: 1", "extends: social", "extends: ../../etc/passwd.yaml", "extends: /etc/passwd.yaml", "extends: x.yaml",
    "&a", "*a", "!!python/object:os.system", "{", "}", "[", "]", "- ", ": ", "? ", "| ", "> ", "'", '"', "%YAML 9",
    "---", "...", "\t", "\0", "\x85", "\u2028", "~", "null", ".inf", "-.nan", "1e999", "9" * 400, "0x7f", "1_000",
    "2026-13-45", "[" * 60, "{a: " * 60, "delivery: {width: -1}", "seed: 1e3", "x264-params: stats=x",
    "effects: {cinema_grain: {strength: .nan}}",
)  # fmt: skip


def _text(data: bytes, draw: random.Random) -> bytes:
    """A recipe's text with lines and words changed, or its bytes."""
    if draw.random() < 0.3:
        return damaged(data, draw)
    lines = data.decode().splitlines()
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(lines))
        how = draw.randrange(6)
        if how == 0:
            lines.insert(at, " " * draw.randrange(6) + draw.choice(HOSTILE_WORDS))
        elif how == 1:
            lines[at] = lines[at].partition(":")[0] + ": " + draw.choice(HOSTILE_WORDS)
        elif how == 2:
            lines[at] = lines[at] + draw.choice(HOSTILE_WORDS)
        elif how == 3:
            lines[at] = " " * draw.randrange(8) + lines[at].strip()
        elif how == 4:
            lines.insert(at, lines[draw.randrange(len(lines))])
        elif len(lines) > 1:
            del lines[at]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------- cases


def _read(kind: str, good: Seeds, draw: random.Random) -> None:
    """Read a damaged still or clip, as a file; Y4M as a stream too."""
    data = damaged(draw.choice(good.files[kind]), draw)
    if kind == "png":
        data = _bomb(draw) if draw.random() < 0.02 else checked_png(data) if draw.random() < 0.8 else data
    truncated = draw.random() < 0.5
    if kind == "y4m" and draw.random() < 0.7:
        source = Y4MSource(io.BytesIO(data), allow_truncated=truncated)
    else:
        path = good.room / f"case.{draw.choice((kind, kind, kind, 'bin'))}"
        path.write_bytes(data)
        source = open_source(path, allow_truncated=truncated, start=draw.choice((0, 0, 0, 3)))
    with source:
        for number, _ in enumerate(source):
            if number > FRAMES:
                break


def _recipe(_: str, good: Seeds, draw: random.Random) -> None:
    path = good.room / "case.yaml"
    path.write_bytes(_text(draw.choice(good.files["recipe"]), draw))
    recipe = load_recipe(path)
    if draw.random() < 0.5:
        override(recipe, [f"{draw.choice(KEYS)}={draw.choice((*HOSTILE_WORDS, *_VALUES))}"])


def _matte(_: str, good: Seeds, draw: random.Random) -> None:
    picture, matte = good.room / "picture.png", good.room / "matte.png"
    picture.write_bytes(good.files["png"][0])
    matte.write_bytes(checked_png(damaged(draw.choice(good.files["matte"]), draw)))
    with open_source(picture) as source:
        mattes = mattes_for(matte, source.info, [picture])
        list(mattes.over(source))


KEYS = (
    "cinema_grain.strength", "cinema_grain.size", "highlight_guard.strength", "delivery.width", "delivery.fit",
    "delivery.dpi", "delivery.still.depth", "delivery.still.container", "delivery.clip.codec",
    "delivery.clip.pixel_format", "delivery.clip.options.crf", "delivery.clip.options.x264-params", "seed", "still",
    "a.b.c.d.e", "",
)  # fmt: skip
_VALUES = ("1", "0", "-1", "1e308", "65536", "x", "cover", "libx264", "yuv420p", "png", "exr", "32", "true", "")
_OUTPUTS = (
    "out/o.png", "out/o.jpg", "out/o.tif", "out/o.exr", "out/o.mp4", "out/o.mkv", "out/f_%03d.png", "out/", "out/new/",
    "out/o.xyz", "out/a/b/c.png", "out",
)  # fmt: skip
OPTIONS = (
    ("--preset", ("social", "social/x", "social/reel", "video", "print/a4", "video/av1", "nonsense", "")),
    ("--seed", ("0", "4294967295", "-1", "4294967296", "x", "")),
    ("--frames", ("0:2", "1:", ":1", "2:1", "x", "99999999999:", ":")),
    ("--rate", ("25", "30000/1001", "0", "1/0", "nan", "1e9")),
    ("--source", ("flux", "photo", "x")),
    ("--backend", ("cpu", "cuda", "x")),
    ("--matte", ("in/grey.png", "in", "nowhere.png", "-")),
    ("--recipe", ("in/good.yaml", "in/case.yaml", "in/a.png", "nowhere.yaml", "in")),
    ("--grain-like", ("in/a.png", "in/clip.mkv", "in/case.bin")),
    ("--grain-table", ("in/a.png", "nowhere.tbl")),
    ("--grain-table-out", ("out/t.tbl",)),
    ("--device-memory", ("1", "-1", "x")),
    ("--max-pixels", ("1", "0", "2M", "x")),
)  # fmt: skip
FLAGS = (
    "--no-adapt",
    "--pilot",
    "--allow-truncated",
    "--overwrite",
    "--dry-run",
    "--json",
    "--quiet",
    "--bogus",
    "-h",
)


def command_case(_: str, good: Seeds, draw: random.Random) -> str:
    """Words of the command, mostly such that something is made of them."""
    first = "finish" if draw.random() < 0.95 else draw.choice(("presets", "finsh", "--version", ""))
    inputs = ("in/a.png", "in/clip.mkv", "in/case.bin", "in/seq", "in/seq/f_%02d.png", "in", "nowhere", "-")
    words = [first, *draw.choices(inputs, (6, 5, 6, 3, 2, 1, 1, 1), k=draw.choice((1, 1, 1, 1, 2)))]
    if draw.random() < 0.9:
        words += ["-o", draw.choice(_OUTPUTS)]
    for name, values in draw.sample(OPTIONS, draw.choice((0, 1, 1, 2, 3))):
        words += [name, draw.choice(values)]
    for _ in range(draw.choice((0, 0, 1, 2))):
        words += ["--set", f"{draw.choice(KEYS)}={draw.choice((*HOSTILE_WORDS, *_VALUES))}"]
    words += draw.sample(FLAGS, draw.choice((0, 1, 2)))
    if "--adapt" not in words and draw.random() < 0.95:
        words.append("--no-adapt")
    kind = draw.choice(("png", "jpeg", "tiff", "exr", "mp4", "mkv", "mov"))
    (good.room / "in/case.bin").write_bytes(damaged(draw.choice(good.files[kind]), draw))
    (good.room / "in/case.yaml").write_bytes(_text(draw.choice(good.files["recipe"]), draw))
    return f"exit status {run_words(words, good.room)}"


def run_words(words: list[str], room: Path) -> int:
    """Exit status of the command, run where it may write below out/ alone; Finding where it does what it must not."""
    shutil.rmtree(room / "out", ignore_errors=True)
    (room / "out").mkdir()
    before, said, out = _listing(room), io.StringIO(), io.StringIO()
    stdin, stdout = sys.stdin, sys.stdout
    try:
        with contextlib.chdir(room), contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
            status = cli.main(words)
    except SystemExit as ended:  # --help and --version
        status = int(ended.code or 0)
    finally:
        sys.stdin, sys.stdout = stdin, stdout
    # Beside the input is where an output goes that has no name.
    new = {p for p in _listing(room) ^ before if "-o" in words}
    if new:
        raise Finding(f"outside: {sorted(new)} of {words}")
    lines = said.getvalue().splitlines()
    bad = [line for line in lines if not line.startswith("grainkit: ")]
    if bad or "Traceback" in said.getvalue() or status not in (0, 1, 2):
        raise Finding(f"error: {words} ended with {status} and said {bad[-1:] or lines[-1:]}")
    if status == 1 and not any("failed" in line or "memory" in line for line in lines):
        raise Finding(f"error: {words} ended with 1 and said {lines[-1:]}")
    if status and (left := [p.name for p in (room / "out").rglob("*") if ".grainkit-part-" in p.name]):
        raise Finding(f"outside: {words} left {left}")
    return status


def _listing(room: Path) -> set[str]:
    return {str(p.relative_to(room)) for p in room.rglob("*") if p.relative_to(room).parts[0] != "out"}


def prepare_inputs(good: Seeds) -> None:
    """What commands find in in/."""
    folder = good.room / "in"
    (folder / "seq").mkdir(parents=True)
    (good.room / "out").mkdir()
    (folder / "a.png").write_bytes(good.files["png"][0])
    (folder / "grey.png").write_bytes(good.files["png"][2])
    (folder / "clip.mkv").write_bytes(good.files["mkv"][0])
    (folder / "good.yaml").write_text("grainkit: 1\nextends: social\n")
    for name in ("case.bin", "case.yaml"):
        (folder / name).write_bytes(b"x")
    for number in range(3):
        (folder / f"seq/f_{number:02d}.png").write_bytes(good.files["png"][0])


CASES: dict[str, Callable[[str, Seeds, random.Random], str | None]] = {
    **dict.fromkeys(("png", "jpeg", "tiff", "webp", "exr", "mp4", "mkv", "mov", "webm", "y4m"), _read),
    "recipe": _recipe,
    "matte": _matte,
    "command": command_case,
}


def run_case(kind: str, number: int, good: Seeds) -> str:
    """One case: 'done', or the name of the error that it was refused with. Raises a Finding."""
    held = _held()
    try:
        outcome = CASES[kind](kind, good, random.Random(f"{kind} {number}")) or "done"
    except GrainkitError as error:
        if "\n" in str(error) or not str(error).strip():
            raise Finding(f"error: a message that is not one line: {error!r}") from error
        outcome = type(error).__name__
    except Finding:
        raise
    except Exception as error:
        raise Finding(f"error: {''.join(traceback.format_exception(error)[-6:])}") from error
    grown = _held() - held
    if grown > GROWTH:
        raise Finding(f"memory: {grown >> 20} MiB more")
    return outcome


def _held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


# ------------------------------------------------------------------------------------------- watching


def watched(cases: Sequence[tuple[str, int]], good: Seeds, limit: float) -> Iterator[tuple[str, int, str]]:
    """Every case with its outcome ('done', an error's name, or '!' and the finding), in processes that are watched."""
    at = 0
    while at < len(cases):
        told, tells = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(told)
            _work(cases[at:], good, tells)
        os.close(tells)
        buffer, began, spent = b"", time.monotonic(), 0.0
        while True:
            ready = select.select([told], [], [], 0.5)[0]
            piece = os.read(told, 65536) if ready else b""
            if ready and not piece:
                _, how = os.waitpid(process, 0)
                status = os.waitstatus_to_exitcode(how)
                if status != 0:
                    yield (*cases[at], f"!crash: the process ended with {status}")
                    at += 1
                break
            buffer += piece
            while b"\0" in buffer:
                outcome, _, buffer = buffer.partition(b"\0")
                yield (*cases[at], outcome.decode("utf-8", "replace"))
                at, began, spent = at + 1, time.monotonic(), _spent(process)
            late = time.monotonic() - began
            # A machine that is busy with others gives a case too little time: that is no hang yet.
            if late > 6 * limit or (late > limit and _spent(process) - spent > limit):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
                yield (*cases[at], f"!hang: over {limit:g} s")
                at += 1
                break
        os.close(told)


def _spent(process: int) -> float:
    """Seconds of processor time that a process has used."""
    used = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def _work(cases: Sequence[tuple[str, int]], good: Seeds, tells: int) -> None:
    """Run cases and tell each outcome; never returns."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    # A process that grows is a finding of its case, and not of the next: a fresh one goes on.
    for kind, number in cases:
        grown = False
        try:
            outcome = run_case(kind, number, good)
        except Finding as finding:
            outcome = f"!{finding}"
            grown = outcome.startswith("!memory")
        os.write(tells, outcome.replace("\0", "").encode("utf-8", "replace") + b"\0")
        if grown:
            break
    os._exit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000, help="in all, spread over the kinds")
    parser.add_argument("--seed", type=int, default=0, help="number of the first case of each kind")
    parser.add_argument("--kind", action="append", choices=CASES)
    parser.add_argument("--case", type=int)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for a case")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    kinds = options.kind or list(CASES)
    started, outcomes, findings = time.monotonic(), {kind: Counter[str]() for kind in kinds}, []
    with tempfile.TemporaryDirectory() as room:
        good = seeds(Path(room))
        prepare_inputs(good)
        if options.case is not None:
            print(run_case(kinds[0], options.case, good))
            return 0
        each = -(-options.cases // len(kinds))
        cases = [(kind, options.seed + number) for kind in kinds for number in range(each)]
        for kind, number, outcome in watched(cases, good, options.limit):
            outcomes[kind][outcome[1:].partition(":")[0] if outcome.startswith("!") else outcome] += 1
            if outcome.startswith("!"):
                findings.append((kind, number, outcome[1:]))
                print(f"{kind} {number}: {outcome[1:]}", file=sys.stderr, flush=True)
    seconds = time.monotonic() - started
    if options.json:
        print(json.dumps({"cases": len(cases), "seconds": seconds, "outcomes": outcomes, "findings": findings}))
    else:
        for kind, counts in outcomes.items():
            print(f"{kind:8} {sum(counts.values()):6}  " + ", ".join(f"{n} {name}" for name, n in counts.most_common()))
        print(f"{len(cases)} cases, {len(findings)} findings, {seconds:.0f} s")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
