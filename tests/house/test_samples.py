"""What the drawn samples promise to those who try things on them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import grainkit as gk
from samples.draw import CLIP, FRAMES, PORTRAIT, RATE, TEXT

ROOT = Path(__file__).resolve().parents[2]


def test_the_portrait_has_burnt_skin_and_a_generators_notes(samples):
    with Image.open(samples / "portrait.png") as picture:
        assert picture.size == PORTRAIT
        assert dict(TEXT).items() <= picture.info.items()
        codes = np.asarray(picture)
    burnt = (codes == 255).all(-1)
    assert 0.002 < burnt.mean() < 0.02
    assert burnt[300:400, 300:440].any()  # the forehead


def test_the_clip_has_its_frames_and_its_sound(samples):
    with gk.open_source(samples / "clip.mp4") as source:
        info, seen = source.info, [frame.seconds for frame in source]
    assert (info.width, info.height, info.rate, info.has_audio) == (*CLIP, RATE, True)
    assert seen == pytest.approx([n / float(RATE) for n in range(FRAMES)])


def test_the_sequence_is_numbered_from_nought(samples):
    assert sorted(p.name for p in (samples / "frames").iterdir()) == [f"f_{n:05d}.png" for n in range(6)]


def test_a_clip_has_the_same_bits_whatever_memory_held_before(tmp_path):
    """glibc fills fresh memory with MALLOC_PERTURB_; other systems do not, and there two like runs must agree."""
    code = (
        "import sys; from pathlib import Path; import numpy as np; from samples.draw import CLIP, write_clip\n"
        "y, x = np.mgrid[0 : CLIP[1], 0 : CLIP[0]].astype(np.float32)\n"
        "ring = lambda t: (0.5 + 0.4 * np.sin(np.hypot(x - 100 - 3 * t, y - 200) / 9))[..., None].repeat(3, -1)\n"
        "write_clip(Path(sys.argv[1]), (ring(t) for t in range(8)))"
    )
    digests = set()
    for fill in ("1", "77"):
        path = tmp_path / f"{fill}.mp4"
        environment = {**os.environ, "MALLOC_PERTURB_": fill}
        subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, env=environment, check=True)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
