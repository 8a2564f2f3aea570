"""Memory does not grow with the length of a clip, and has a ceiling."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from samples.draw import limited_420, portrait
from tests.drawn import clip

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from Linux's /proc")

# Not ru_maxrss: across exec that carries over the peak of the process that started this one.
JOB = """
import re, sys
from pathlib import Path
from grainkit import finish
report = finish(sys.argv[1], sys.argv[2], preset="video", backend="cpu",
                settings=["delivery.clip.options.preset=ultrafast"])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1], report.light)
"""


def peak(source, tmp_path):
    """(peak resident size of a whole export, KiB; the light on skin, '' where no skin was textured)."""
    command = [sys.executable, "-c", JOB, str(source), str(tmp_path / f"{source.stem}.out.mp4")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kib, _, light = said.strip().partition(" ")
    return int(kib), light


def face_clip(path, frames):
    """A drawn face that drifts about."""
    planes = limited_420(portrait(240, 320))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=Fraction(24), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 240, 320, "yuv420p"
        for index in range(frames):
            step = index % 16 if index % 32 < 16 else 16 - index % 16
            moved = [np.roll(p, step if k else 2 * step, axis=1).reshape(-1, 240) for k, p in enumerate(planes)]
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.concatenate(moved), "yuv420p")))
        output.mux(stream.encode(None))
    return path


def test_500_frames_take_no_more_memory_than_60(tmp_path):
    def of(frames):
        source = clip(tmp_path / f"{frames}.mp4", width=160, height=90, frames=frames, codec="libx264", sound=True)
        return peak(source, tmp_path)[0]

    short, long = of(60), of(500)
    assert abs(long - short) <= 0.05 * short


def test_skin_followed_for_64_frames_takes_no_more_memory_than_for_16(tmp_path):
    (short, lit), (long, still_lit) = (peak(face_clip(tmp_path / f"{n}.mp4", n), tmp_path) for n in (16, 64))
    assert lit
    assert still_lit
    assert long <= 1.05 * short


def test_a_1080p_clip_takes_less_than_700_mib(tmp_path):
    source = clip(tmp_path / "hd.mp4", width=1920, height=1080, frames=12, codec="libx264")
    assert peak(source, tmp_path)[0] < 700 * 1024
