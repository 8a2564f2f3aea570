"""A whole export against encoding frames that are finished already, by the same encoder.

    python -m benchmarks.export [--frames 96] [--rounds 3] [--json FILE]

The drawn portrait under a drifting camera, 1080p 4:2:0 8 bit. `grainkit finish` decodes it, finishes it and encodes it
with libx264 (medium, CRF 18); its finished frames are also kept uncompressed, and encoded by a process that does
nothing else, with the same options. Wall and CPU seconds of both whole processes, start-up and all, and their ratios
round by round: medians with quartiles.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import av

from benchmarks._measure import X264, Spent, Spread, keep, machine, ran, ratios, table
from benchmarks.peers import draw_clip, own_recipe

#: (skin texture, highlight guard, whether there is grain)
CASES = {"all three effects": (0.85, 1.0, True), "grain + guard": (0.0, 1.0, True), "no effect": (0.0, 0.0, False)}


def encode(source: str, out: str) -> None:
    """Uncompressed frames to libx264, and nothing else."""
    with av.open(source) as given, av.open(out, "w") as output:
        video = given.streams.video[0]
        stream = output.add_stream("libx264", rate=video.average_rate, options=X264)
        stream.width, stream.height, stream.pix_fmt, stream.thread_type = video.width, video.height, "yuv420p", "FRAME"
        for frame in given.decode(video):
            # Raw frames say that each is a key frame, and libx264 would take it as an order.
            frame.pict_type = av.video.frame.PictureType.NONE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--encode", nargs=2, help=argparse.SUPPRESS)  # what the exports are set against
    options = parser.parse_args()
    if options.encode:
        encode(*options.encode)
        return
    print(f"1920x1080 4:2:0, 8 bit, {options.frames} frames; {machine()}")
    spent: dict[str, dict[str, list[Spent]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        draw_clip(clip, options.frames)
        commands = {}
        for case, (texture, guard, grain) in CASES.items():
            recipe = own_recipe(folder / f"{case}.yaml", texture=texture, guard=guard, grain=grain)
            finish = [sys.executable, "-m", "grainkit", "finish", str(clip), "--recipe", str(recipe)]
            finish += ["--backend", "cpu", "--overwrite", "--quiet"]
            frames = folder / f"{case}.y4m"
            with frames.open("wb") as file:
                subprocess.run([*finish, "-o", "-"], check=True, stdout=file)
            plain = [sys.executable, "-m", "benchmarks.export", "--encode", str(frames), str(folder / "plain.mp4")]
            commands[case] = {"export": [*finish, "-o", str(folder / "export.mp4")], "encode": plain}
            spent[case] = {"export": [], "encode": []}
        for _ in range(options.rounds):
            for case, both in commands.items():
                for what, command in both.items():
                    spent[case][what].append(ran([command]))
    rows = []
    for case, took in spent.items():
        walls, cpus = ([[getattr(s, kind) for s in took[what]] for what in took] for kind in ("wall", "cpu"))
        cells = (*(Spread.of(v) for v in walls), ratios(*walls), *(Spread.of(v) for v in cpus), ratios(*cpus))
        rows.append((case, *cells))
    head = (
        "",
        "export, wall s",
        "encode alone, wall s",
        "wall ratio",
        "export, CPU s",
        "encode alone, CPU s",
        "CPU ratio",
    )
    print(table(head, rows))
    keep(options.json, {"frames": options.frames, "spent": spent})


if __name__ == "__main__":
    main()
