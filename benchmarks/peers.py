"""Grain of one strength by several tools, side by side: the effect alone, and whole exports.

    python -m benchmarks.peers [--install] [--rounds 7] [--frames 40] [--clip-frames 48] [--export-rounds 3]
                               [--only effect|export] [--json FILE]

Every tool is first set so that its grain has the same deviation on the drawn picture that is timed (3.2 codes of 255
in luma, 1.6 in chroma, or as near as its steps allow); what it has there, and on plain grey, is printed. Effect: CPU
milliseconds per 1080p 4:2:0 frame in one thread, reading the picture taken off, and the ratio to the reference in the
same round. Export: a clip decoded, grained and encoded by libx264 (medium, CRF 18) to a file, by as many threads as
each tool takes by itself; CPU and wall seconds, the ratio to the reference and to the same tool without grain. Each is
the median, with quartiles.

VapourSynth's filters need Python 3.13 or later, and an environment of their own: --install makes it, from PyPI, in
a cache folder (GRAINKIT_PEERS, or ~/.cache/grainkit-peers). A tool that is absent is left out, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np

from benchmarks._measure import X264, Planes, Spent, Spread, cpu_ms, keep, machine, ran, ratios, table
from grainkit.backends.cpu import CpuBackend
from grainkit.effects.base import Context, pass_tables
from grainkit.effects.grain.av1.fit import fit_film_grain
from grainkit.effects.grain.av1.table import table_text
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from samples.draw import limited_420, portrait

WIDTH, HEIGHT, RATE = 1920, 1080, Fraction(24)
#: Deviation of luma and chroma grain, codes of 255: what ffmpeg's strengths 6 and 3, whole numbers, come near.
LUMA, CHROMA = 3.2, 1.6
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
#: Codes of 255 per unit of strength of ffmpeg's `noise`.
FFMPEG_UNIT = 0.53
FILTERS = ("vsnoise", "vsfgs", "vsjetpack", "vsjetpack, size and tone")
PACKAGES = ("vapoursynth", "vsnoise", "vsfgs", "vsjetpack", "vapoursynth-resize2", "vapoursynth-bestsource", "numpy")
REFERENCE, EXPORT_REFERENCE = "vsfgs", "ffmpeg noise"


@dataclass(frozen=True)
class Amount:
    """What a tool is asked for so that it gives the deviation wanted; in codes of 255, as far as it keeps to them."""

    luma: float = LUMA
    chroma: float = CHROMA


@dataclass(frozen=True)
class Tool:
    """One way to lay grain on a picture of some depth.

    apply: the picture with the grain of one frame. cost: CPU ms per frame of so many frames of the picture.
    """

    name: str
    apply: Callable[[Planes, Amount, int], Planes]
    cost: Callable[[Planes, Amount, int], float]


class Absent(Exception):
    """The tool is not on this machine, and why."""


def grain_of(amount: Amount) -> CinemaGrain:
    """Our grain, and the one that a film grain table is made for."""
    return CinemaGrain(strength=amount.luma, chroma=min(1.0, amount.chroma / amount.luma), cb=1.0, cr=1.0)


def own_tool(name: str, guard: HighlightGuard, depth: int) -> Tool:
    color, backend = Color(depth=depth), CpuBackend(workers=1)

    def finishing(planes: Planes, amount: Amount) -> Callable[[int], Frame]:
        tables = pass_tables(
            (guard, grain_of(amount)), Context(source=color, target=color, width=WIDTH, height=HEIGHT, seed=1)
        )
        return lambda index: backend.finish(Frame(planes, color, index=index), tables)

    def cost(planes: Planes, amount: Amount, frames: int) -> float:
        work = finishing(planes, amount)
        work(0)
        return cpu_ms(work, frames)

    return Tool(name, lambda planes, amount, index: finishing(planes, amount)(index).planes, cost)


def scripted(planes: Planes, amount: Amount, random: np.random.Generator, top: int) -> Planes:
    """What a short script does: normal noise on each plane, rounded and clipped."""
    unit = np.float32((top + 1) / 256)
    out = []
    for plane, deviation in zip(planes, (amount.luma, amount.chroma, amount.chroma), strict=True):
        noise = random.standard_normal(plane.shape, np.float32) * (np.float32(deviation) * unit)
        out.append(np.clip(np.rint(plane + noise), 0, top).astype(plane.dtype))
    return tuple(out)


def numpy_tool(depth: int) -> Tool:
    top = (1 << depth) - 1

    def cost(planes: Planes, amount: Amount, frames: int) -> float:
        random = np.random.default_rng(1)
        return cpu_ms(lambda _: scripted(planes, amount, random, top), frames)

    return Tool("numpy script", lambda p, amount, i: scripted(p, amount, np.random.default_rng(i), top), cost)


def ffmpeg_noise(amount: Amount) -> str:
    luma, chroma = (max(1, round(v / FFMPEG_UNIT)) for v in (amount.luma, amount.chroma))
    return f"noise=c0s={luma}:c0f=t:c1s={chroma}:c1f=t:c2s={chroma}:c2f=t"


def ffmpeg_tool(depth: int, folder: Path) -> Tool:
    if depth != 8:
        raise Absent("its noise filter has 8 bits only")
    path = folder / "ffmpeg.yuv"

    def command(filters: str, frames: int, to: list[str]) -> list[str]:
        return [
            FFMPEG, "-v", "error", "-nostdin", "-threads", "1", "-filter_threads", "1", "-stream_loop", "-1",
            "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-i", str(path),
            "-vf", filters, "-frames:v", str(frames), *to,
        ]  # fmt: skip

    def apply(planes: Planes, amount: Amount, index: int) -> Planes:
        write_raw(path, planes)
        raw = subprocess.run(
            command(ffmpeg_noise(amount), index + 1, ["-f", "rawvideo", "-"]), check=True, capture_output=True
        ).stdout
        return raw_planes(np.frombuffer(raw, np.uint8)[-planes_size(planes) :])

    def cost(planes: Planes, amount: Amount, frames: int) -> float:
        write_raw(path, planes)
        # A process starts for each round, so it gets more to do.
        frames *= 4
        with_noise, without = (ran([command(f, frames, ["-f", "null", "-"])]) for f in (ffmpeg_noise(amount), "null"))
        return max(0.0, with_noise.cpu - without.cpu) * 1000 / frames

    return Tool("ffmpeg noise", apply, cost)


def filter_tool(name: str, depth: int, folder: Path) -> Tool:
    python = vapoursynth_python()
    worker = subprocess.Popen(
        [python, str(Path(__file__).with_name("_vapoursynth.py")), "effect", name, str(WIDTH), str(HEIGHT), str(depth)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    picture, out = folder / f"{name}.yuv", folder / f"{name}.out.yuv"

    def ask(planes: Planes, amount: Amount, **what: object) -> float:
        write_raw(picture, planes)
        told = {"picture": str(picture), "out": str(out), "table": table_file(name, amount, depth, folder)}
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(told | asdict(amount) | what) + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        if not answer:
            raise Absent("it does not run here; see above")
        return float(json.loads(answer))

    def apply(planes: Planes, amount: Amount, index: int) -> Planes:
        ask(planes, amount, do="apply", frame=index)
        return raw_planes(np.fromfile(out, planes[0].dtype))

    return Tool(name, apply, lambda planes, amount, frames: ask(planes, amount, do="time", frames=frames))


def table_file(name: str, amount: Amount, depth: int, folder: Path) -> str:
    """A film grain table for the same grain, which is what vsfgs reads; '' for other filters."""
    if name != "vsfgs":
        return ""
    path = folder / f"{depth}.{amount.luma:.4f}.{amount.chroma:.4f}.tbl"
    if not path.exists():
        path.write_text(table_text(fit_film_grain(grain_of(amount), Color(depth=depth), WIDTH, HEIGHT).grain, seed=1))
    return str(path)


def cache_folder() -> Path:
    return Path(os.environ.get("GRAINKIT_PEERS") or Path.home() / ".cache" / "grainkit-peers")


def vapoursynth_python() -> str:
    """The Python of the environment that holds VapourSynth. Absent where there is none."""
    python = cache_folder() / "vs" / "bin" / "python"
    if not python.exists():
        raise Absent("VapourSynth is not installed; --install does it where a Python 3.13 or later is found")
    return str(python)


def install() -> None:
    """Makes the environment for VapourSynth's filters. SystemExit where no Python is new enough."""
    names = ["python3.14", "python3.13", "python3", sys.executable]
    names += sorted(map(str, (Path.home() / ".pyenv" / "versions").glob("3.1[3-9]*/bin/python")), reverse=True)
    new = "import sys; sys.exit(sys.version_info < (3, 13))"
    for name in names:
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", new], capture_output=True).returncode == 0:
            folder = cache_folder() / "vs"
            subprocess.run([found, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
            subprocess.run(pip, check=True)
            return
    raise SystemExit("--install needs Python 3.13 or later, and finds none on PATH or under ~/.pyenv")


def tools(depth: int, folder: Path) -> Iterator[Tool]:
    """All tools that are here; the others are named with a reason."""
    makers: dict[str, Callable[[], Tool]] = {
        "grainkit, grain": partial(own_tool, "grainkit, grain", HighlightGuard(strength=0.0), depth),
        "grainkit, grain + guard": partial(own_tool, "grainkit, grain + guard", HighlightGuard(), depth),
        **{name: partial(filter_tool, name, depth, folder) for name in FILTERS},
        "ffmpeg noise": partial(ffmpeg_tool, depth, folder),
        "numpy script": partial(numpy_tool, depth),
    }
    for name, make in makers.items():
        try:
            yield make()
        except Absent as reason:
            print(f"{name}, {depth} bit: left out, {reason}", file=sys.stderr)


def write_raw(path: Path, planes: Planes) -> None:
    path.write_bytes(b"".join(plane.tobytes() for plane in planes))


def planes_size(planes: Planes) -> int:
    return sum(plane.size for plane in planes)


def raw_planes(values: np.ndarray) -> Planes:
    luma, small = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
    shape = (HEIGHT // 2, WIDTH // 2)
    return (
        values[:luma].reshape(HEIGHT, WIDTH), values[luma : luma + small].reshape(shape),
        values[luma + small :].reshape(shape),
    )  # fmt: skip


def grey(depth: int) -> Planes:
    """Nothing but the middle of the range."""
    dtype, unit = (np.uint8, 1) if depth == 8 else (np.uint16, 1 << depth - 8)
    small = (HEIGHT // 2, WIDTH // 2)
    return np.full((HEIGHT, WIDTH), 126 * unit, dtype), *(np.full(small, 128 * unit, dtype) for _ in range(2))


def drawn(depth: int) -> Planes:
    """The drawn portrait, as wide as a clip."""
    planes = limited_420(portrait(WIDTH, HEIGHT))
    return planes if depth == 8 else tuple(p.astype(np.uint16) << (depth - 8) for p in planes)


def deviations(tool: Tool, planes: Planes, amount: Amount, depth: int) -> tuple[float, float]:
    """Of luma and of both chroma planes: what the tool adds, codes of 255."""
    unit = float(1 << depth - 8)
    done = tool.apply(planes, amount, 3)
    added = [(a.astype(np.float32) - b) / unit for a, b in zip(done, planes, strict=True)]
    return float(added[0].std()), float(np.hypot(added[1].std(), added[2].std()) / 2**0.5)


def calibrated(tool: Tool, picture: Planes, depth: int) -> Amount:
    """What the tool must be asked for to come nearest to LUMA and CHROMA on this picture."""
    amount, tried = Amount(), []
    for _ in range(3):
        luma, chroma = deviations(tool, picture, amount, depth)
        tried.append((abs(luma / LUMA - 1) + abs(chroma / CHROMA - 1), amount))
        # Where rounding eats grain, a step in proportion would never come back from nothing.
        amount = Amount(amount.luma * LUMA / max(luma, 0.1), amount.chroma * CHROMA / max(chroma, 0.1))
    return min(tried, key=lambda each: each[0])[1]


def effect(rounds: int, frames: int, folder: Path) -> dict[str, Any]:
    """CPU ms per frame of every tool, by depth and name; prints a table for each depth."""
    result: dict[str, Any] = {}
    for depth in (8, 10):
        picture, found, asked, strengths = drawn(depth), [], {}, {}
        for tool in tools(depth, folder):
            try:
                asked[tool.name] = calibrated(tool, picture, depth)
                strengths[tool.name] = [deviations(tool, p, asked[tool.name], depth) for p in (picture, grey(depth))]
                found.append(tool)
            except Absent as reason:
                print(f"{tool.name}, {depth} bit: left out, {reason}", file=sys.stderr)
        times: dict[str, list[float]] = {tool.name: [] for tool in found}
        for _ in range(rounds):
            for tool in found:
                times[tool.name].append(tool.cost(picture, asked[tool.name], frames))
        reference = REFERENCE if REFERENCE in times else "numpy script"
        rows = [
            (name, Spread.of(took), ratios(took, times[reference]), *(f"{a:.2f} / {b:.2f}" for a, b in strengths[name]))
            for name, took in times.items()
        ]
        head = (f"effect alone, {depth} bit", "CPU ms/frame", f"x {reference}", "deviation, luma / chroma", "on grey")
        print(f"\n{table(head, rows)}", flush=True)
        result[f"{depth} bit"] = {"times": times, "deviations": strengths, "asked": asked, "reference": reference}
    return result


def draw_clip(path: Path, frames: int) -> None:
    """The portrait under a drifting camera, H.264."""
    wide = portrait(WIDTH + 128, HEIGHT + 72)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "10", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1, 1
        for index in range(frames):
            x, y = index % 128, (index // 2) % 72
            planes = limited_420(wide[y : y + HEIGHT, x : x + WIDTH])
            frame = av.VideoFrame.from_ndarray(np.concatenate([p.reshape(-1, WIDTH) for p in planes]), "yuv420p")
            frame.pts, frame.time_base = index, 1 / RATE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def script_export(source: str, out: str, amount: Amount | None) -> None:
    """Decode, the script's noise (None: nothing), encode; one after the other."""
    random = np.random.default_rng(1)
    with av.open(source) as given, av.open(out, "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options=X264)
        stream.width, stream.height, stream.pix_fmt, stream.thread_type = WIDTH, HEIGHT, "yuv420p", "FRAME"
        given.streams.video[0].thread_type = "FRAME"
        for frame in given.decode(video=0):
            if amount is None:
                ready = av.VideoFrame.from_ndarray(frame.to_ndarray(), "yuv420p")
            else:
                done = scripted(raw_planes(frame.to_ndarray().ravel()), amount, random, 255)
                ready = av.VideoFrame.from_ndarray(np.concatenate([p.reshape(-1, WIDTH) for p in done]), "yuv420p")
            ready.pts, ready.time_base = frame.pts, frame.time_base
            output.mux(stream.encode(ready))
        output.mux(stream.encode(None))


def own_recipe(
    path: Path, amount: Amount | None = None, *, grain: bool = True, guard: float = 0.0, texture: float = 0.0
) -> Path:
    """A recipe file: our effects (strengths of two; amount of grain), and the encoder as every tool here has it."""
    wanted = grain_of(amount or Amount())
    path.write_text(
        "grainkit: 1\nname: benchmark\nextends: video\neffects:\n"
        f"  skin_texture: {{strength: {texture}}}\n  highlight_guard: {{strength: {guard}}}\n"
        f"  cinema_grain: {{strength: {wanted.strength if grain else 0.0}, size: 1.0, chroma: {wanted.chroma},"
        " cb: 1.0, cr: 1.0}\n"
        "delivery:\n  clip:\n    closed_gop_seconds: 0\n"
        f"    options: {{preset: {X264['preset']}, crf: {X264['crf']}, tune: null, deblock: null, aq-mode: null}}\n"
    )
    return path


def exports(clip: Path, asked: dict[str, Amount], folder: Path) -> Iterator[tuple[str, str, list[list[str]]]]:
    """(name, name of the same tool without grain, commands joined by pipes); output goes to NAME.mp4 in the folder."""
    source = str(clip)
    x264 = ["-c:v", "libx264", *(word for key, value in X264.items() for word in (f"-{key}", value))]
    ffmpeg = [FFMPEG, "-v", "error", "-nostdin", "-y", "-i"]

    def out(name: str) -> str:
        return str(folder / f"{name}.mp4")

    yield "ffmpeg plain", "ffmpeg plain", [[*ffmpeg, source, *x264, out("ffmpeg plain")]]
    if "ffmpeg noise" in asked:
        noise = ["-vf", ffmpeg_noise(asked["ffmpeg noise"])]
        yield "ffmpeg noise", "ffmpeg plain", [[*ffmpeg, source, *noise, *x264, out("ffmpeg noise")]]
    try:
        python, script = vapoursynth_python(), str(Path(__file__).with_name("_vapoursynth.py"))
        for name in ("plain", *FILTERS):
            amount = asked.get(name, Amount())
            if name != "plain" and name not in asked:
                continue
            words = [name, source, str(amount.luma), str(amount.chroma), table_file(name, amount, 8, folder)]
            label = "VapourSynth plain" if name == "plain" else name
            commands = [[python, script, "export", *words], [*ffmpeg, "-", *x264, out(label)]]
            commands[1].remove("-nostdin")
            yield label, "VapourSynth plain", commands
    except Absent as reason:
        print(f"VapourSynth, export: left out, {reason}", file=sys.stderr)
    for label, amount in (("numpy plain", None), ("numpy script", asked["numpy script"])):
        words = [] if amount is None else [str(amount.luma), str(amount.chroma)]
        script_command = [sys.executable, "-m", "benchmarks.peers", "--script", source, out(label), *words]
        yield label, "numpy plain", [script_command]
    amount = asked["grainkit, grain"]
    for label, mine, guard in (
        ("grainkit plain", None, 0.0), ("grainkit, grain", amount, 0.0), ("grainkit, grain + guard", amount, 1.0),
    ):  # fmt: skip
        recipe = own_recipe(folder / f"{label}.yaml", mine, grain=mine is not None, guard=guard)
        words = ["finish", source, "-o", out(label), "--recipe", str(recipe), "--backend", "cpu", "--overwrite"]
        yield label, "grainkit plain", [[sys.executable, "-m", "grainkit", *words, "--quiet"]]


def export(rounds: int, frames: int, asked: dict[str, Amount], folder: Path) -> dict[str, Any]:
    """CPU and wall seconds of every export, by name; prints a table."""
    clip = folder / "clip.mp4"
    draw_clip(clip, frames)
    every = list(exports(clip, asked, folder))
    spent: dict[str, list[Spent]] = {name: [] for name, _, _ in every}
    for _ in range(rounds):
        for name, _, commands in every:
            spent[name].append(ran(commands))
    plain = {name: without for name, without, _ in every}
    reference = EXPORT_REFERENCE
    rows = []
    for name, took in spent.items():
        cpu, wall = ([getattr(s, what) for s in took] for what in ("cpu", "wall"))
        rows.append(
            (
                name, Spread.of(cpu), Spread.of(wall), ratios(cpu, [s.cpu for s in spent[reference]]),
                ratios(wall, [s.wall for s in spent[reference]]), ratios(cpu, [s.cpu for s in spent[plain[name]]]),
                f"{(folder / f'{name}.mp4').stat().st_size / 1e6:.2f}",
            )
        )  # fmt: skip
    head = (
        f"export, {frames} frames", "CPU s", "wall s", f"CPU x {reference}", f"wall x {reference}",
        "CPU x the same without grain", "MB",
    )  # fmt: skip
    print(f"\n{table(head, rows)}", flush=True)
    return {"frames": frames, "spent": spent, "reference": reference}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="make the environment of VapourSynth's filters")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=40, help="of a round")
    parser.add_argument("--clip-frames", type=int, default=48)
    parser.add_argument("--export-rounds", type=int, default=3)
    parser.add_argument("--only", choices=("effect", "export"))
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--script", nargs="+", help=argparse.SUPPRESS)  # the numpy script as a process of its own
    options = parser.parse_args(arguments)
    if options.script:
        source, out, *amounts = options.script
        script_export(source, out, Amount(*map(float, amounts)) if amounts else None)
        return
    if options.install:
        install()
    print(f"{WIDTH}x{HEIGHT} 4:2:0; {machine()}")
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "export":
            result["effect"] = effect(options.rounds, options.frames, folder)
            asked = result["effect"]["8 bit"]["asked"]
        else:
            asked = {tool.name: calibrated(tool, drawn(8), 8) for tool in tools(8, folder)}
        if options.only != "effect":
            result["export"] = export(options.export_rounds, options.clip_frames, asked, folder)
    keep(options.json, result)


if __name__ == "__main__":
    main()
