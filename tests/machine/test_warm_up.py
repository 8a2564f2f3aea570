"""After a warm-up nothing is left to compile."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from grainkit.errors import OutputError
from grainkit.job import warm_up
from grainkit.machine import jit

pytestmark = pytest.mark.slow

#: What is loaded or compiled by the warm-up, then what other work needs that it did not; no cold cache is needed.
GAPS = """
import json, sys
from pathlib import Path
import grainkit as gk
from grainkit.job.warm_up import warm_up

def have():
    return {
        f"{thing.py_func.__module__}.{thing.py_func.__name__}{signature}"
        for name, module in list(sys.modules.items()) if name.startswith("grainkit")
        for thing in vars(module).values() if hasattr(thing, "py_func") for signature in thing.signatures
    }

told = []
warmth = warm_up(lambda done, total, what: told.append(what))
before, room = have(), Path(sys.argv[2])
for number, (name, preset, settings, frames, as_) in enumerate(json.loads(sys.argv[3])):
    gk.finish(Path(sys.argv[1]) / name, f"{room}/{number}/", preset=preset, settings=settings, frames=frames, as_=as_)
print(json.dumps({"jobs": warmth.jobs, "told": told, "had": len(before), "gaps": sorted(have() - before)}))
"""
WORK = [
    ("portrait.png", "social", [], (0, None), None),
    ("portrait.png", "print/photo", [], (0, None), None),
    ("portrait16.tif", "video", ["cinema_grain.film=super8"], (0, None), None),
    ("frames", "social/reel", [], (0, None), "sequence"),
    ("clip.mp4", "social/youtube", [], (0, 6), None),
    ("clip.mp4", "video/master", ["cinema_grain.carrier=locked"], (0, 6), None),
    ("clip.mp4", "video/av1", [], (0, 4), None),
]


def test_other_work_needs_nothing_that_was_not_compiled(samples, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAINKIT_CACHE", str(tmp_path / "skins"))  # they are baked, too
    command = [sys.executable, "-c", GAPS, str(samples), str(tmp_path), json.dumps(WORK)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["gaps"] == []
    assert found["had"] > 60
    assert found["told"] == found["jobs"]
    for kind in ("8 bits", "16 bits", "float", "10 bits", "clip", "sequence"):
        assert any(kind in job for job in found["jobs"])


def test_a_warm_up_that_could_not_be_kept_is_refused_before_it_begins(monkeypatch):
    monkeypatch.setattr(jit, "kept", lambda: jit.Kept(None, why="/y cannot be written"))
    with pytest.raises(OutputError, match=r"cannot be kept: /y cannot be written; set NUMBA_CACHE_DIR"):
        warm_up.warm_up()
