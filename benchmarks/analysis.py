"""What skin texture costs on a clip, stage by stage.

    python -m benchmarks.analysis CLIP [--frames 48] [--rounds 3] [--json FILE]

CPU milliseconds per frame of the clip (at its own size), all threads added up: of everything that finds and follows
faces and makes their layer, and of its parts. The first frame of the clip is told apart: faces are looked for there,
laid out and measured. Medians with quartiles over the rounds; Python's profiler is at work, which parts made of many
small calls pay for.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from itertools import islice
from pathlib import Path

import grainkit as gk
from benchmarks._measure import Spread, keep, machine, table
from grainkit.effects.skin_texture.clip_skin import ClipSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.picture.frame import Frame

#: What is told: its name, and the functions (file, name) whose time it is, with all that they call.
PARTS = {
    "all of it": (("clip_skin.py", "textured"),),
    "cuts and dissolves": (("shots.py", "see"),),
    "networks: faces and their mesh": (("faces.py", "track"),),
    "networks: people": (("networks.py", "person"),),
    "following the face": (("anchor.py", "follow"),),
    "- of it flow": (("flow.py", "match"),),
    "- of it covers": (("cover.py", "unlike"), ("cover.py", "expected"), ("cover.py", "covered"), ("cover.py", "then")),
    "coordinates and normals": (("clip_skin.py", "_places"),),
    "skin: where it may be": (("clip_skin.py", "_likely"),),
    "skin: along edges": (("skin_view.py", "matte"),),
    "its own texture": (("clip_skin.py", "energy"),),
    "reading the atlas": (("sample.py", "sample"),),
    "the layer": (("layer.py", "skin_layer"),),
    "in fixed point": (("merged.py", "merged"),),
}


def profiled(frames: list[Frame]) -> tuple[float, dict[str, float]]:
    """CPU ms of the first frame, and of each part per frame that follows."""
    stage = ClipSkin(SkinTexture(strength=1.0), 1)
    began = time.process_time()
    stage.textured(frames[0])
    first = 1000 * (time.process_time() - began)
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for frame in frames[1:]:
        stage.textured(frame)
    profile.disable()
    spent: dict[tuple[str, str], float] = {}
    for (path, _, name), told in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        key = (Path(path).name, name)
        spent[key] = spent.get(key, 0.0) + told[3]
    per = 1000 / (len(frames) - 1)
    return first, {part: per * sum(spent.get(key, 0.0) for key in keys) for part, keys in PARTS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    with gk.open_source(options.clip) as source:
        frames = list(islice(iter(source), options.frames))
    print(f"{frames[0].width}x{frames[0].height}, {len(frames)} frames; {machine()}")
    # Once beforehand: compiling and baking are not what is asked.
    ClipSkin(SkinTexture(strength=1.0), 1).textured(frames[0])
    rounds = [profiled(frames) for _ in range(options.rounds)]
    rows = [("first frame", Spread.of([first for first, _ in rounds]))]
    rows += [(part, Spread.of([told[part] for _, told in rounds])) for part in PARTS]
    print(table(("", "CPU ms/frame"), rows))
    keep(options.json, {"frames": len(frames), "rounds": rounds})


if __name__ == "__main__":
    main()
