"""Grain by VapourSynth's filters, run by the Python that has them; a part of benchmarks/peers.py.

    python _vapoursynth.py effect FILTER WIDTH HEIGHT DEPTH    answers requests on standard input
    python _vapoursynth.py export FILTER CLIP LUMA CHROMA      Y4M on standard output

It imports nothing of grainkit, which is not installed where this runs.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import vapoursynth as vs

core = vs.core


def grained(clip: vs.VideoNode, name: str, luma: float, chroma: float, table: str) -> vs.VideoNode:
    """luma, chroma: deviation asked for, codes of 255; the filters do not all give it. table: for vsfgs, a file."""
    if name == "plain":
        return clip
    if name == "vsnoise":
        return core.noise.Add(clip, var=luma**2, uvar=chroma**2, seed=1)
    if name == "vsfgs":
        import vsfgs

        return vsfgs.apply_fgs(clip, table)
    from vsdeband import Grainer

    strength = (luma**2, chroma**2)
    if name == "vsjetpack":
        return Grainer.GAUSS(clip, strength, protect_neutral_chroma=False)
    return Grainer.GAUSS(clip, strength, scale=1.4, luma_scaling=8, temporal=(0.2, 1), protect_neutral_chroma=False)


def _planes(path: str, width: int, height: int, dtype: type) -> list[np.ndarray]:
    whole = np.fromfile(path, dtype)
    small = (height // 2, width // 2)
    luma, rest = whole[: width * height], whole[width * height :]
    cb, cr = rest[: rest.size // 2], rest[rest.size // 2 :]
    return [luma.reshape(height, width), cb.reshape(small), cr.reshape(small)]


def effect(name: str, width: int, height: int, depth: int) -> None:
    core.num_threads = 1
    dtype = np.uint8 if depth == 8 else np.uint16
    form = {8: vs.YUV420P8, 10: vs.YUV420P10}[depth]
    for line in sys.stdin:
        asked = json.loads(line)
        values = _planes(asked["picture"], width, height, dtype)

        def filled(n: int, f: vs.VideoFrame, values: list = values) -> vs.VideoFrame:
            out = f.copy()
            for plane, picture in enumerate(values):
                np.copyto(np.asarray(out[plane]), picture)
            return out

        blank = core.std.BlankClip(width=width, height=height, format=form, length=1, fpsnum=24, fpsden=1, keep=True)
        one = blank.std.ModifyFrame(blank, filled).std.SetFrameProps(_Range=1, _Matrix=1)
        still = one.std.Loop(100000)
        clip = grained(still, name, asked["luma"], asked["chroma"], asked["table"])
        if asked["do"] == "apply":
            with clip.get_frame(asked["frame"]) as frame:
                np.concatenate([np.asarray(frame[p]).ravel() for p in range(3)]).tofile(asked["out"])
            answer = 0.0
        else:
            took = [_cpu(still, 5, asked["frames"]), _cpu(clip, 5, asked["frames"])]
            answer = (took[1] - took[0]) * 1000 / asked["frames"]
        print(json.dumps(answer), flush=True)


def _cpu(clip: vs.VideoNode, warm: int, frames: int) -> float:
    """CPU seconds of `frames` frames after `warm` ones that take memory."""
    for index in range(warm):
        clip.get_frame(index).close()
    began = time.process_time()
    for index in range(warm, warm + frames):
        clip.get_frame(index).close()
    return time.process_time() - began


def export(name: str, path: str, luma: float, chroma: float, table: str) -> None:
    clip = grained(core.bs.VideoSource(path, cachemode=0), name, luma, chroma, table)
    clip.output(sys.stdout.buffer, y4m=True)


if __name__ == "__main__":
    if sys.argv[1] == "effect":
        effect(sys.argv[2], *map(int, sys.argv[3:6]))
    else:
        export(sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5]), sys.argv[6])
