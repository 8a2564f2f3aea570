"""Memory does not grow with the length of a clip."""

import subprocess
import sys

import pytest
from drawn import clip

# Not ru_maxrss: across exec that carries over the peak of the process that started this one.
JOB = """
import re, sys
from pathlib import Path
from grainkit import finish
finish(sys.argv[1], sys.argv[2], preset="video", settings=["delivery.clip.options.preset=ultrafast"])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from Linux's /proc")
def test_500_frames_take_no_more_memory_than_60(tmp_path):
    def peak(frames):
        source = clip(tmp_path / f"{frames}.mp4", width=160, height=90, frames=frames, codec="libx264", sound=True)
        command = [sys.executable, "-c", JOB, str(source), str(tmp_path / f"{frames}.out.mp4")]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    short, long = peak(60), peak(500)
    assert abs(long - short) <= 0.05 * short
