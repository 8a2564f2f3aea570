"""Options that mean nothing for an input, and colours that a delivery leaves out, are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import grainkit as gk
from grainkit.hosts.cli.command import main
from grainkit.io.delivery import ClipDelivery
from tests.drawn import moving_fields, sink_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    frames = [replace(frame, field_order="") for frame in moving_fields("yuv420p", "tff")]
    return sink_of(tmp_path_factory.mktemp("clip") / "in.mp4", frames, ClipDelivery("mp4", "libx264", "yuv420p"))


def notes(path, preset, **options):
    return gk.finish(path, path.parent / "out" / f"o{path.suffix}", preset=preset, backend="cpu", overwrite=True,
                     adapt=False, **options).notes  # fmt: skip


def test_a_clip_keeps_its_rate_and_says_so(clip):
    (clip.parent / "out").mkdir(exist_ok=True)
    said = notes(clip, "video/h264", rate=12, as_="sequence")
    assert any(note.startswith("--rate is for numbered stills: the clip keeps its own ") for note in said)
    assert "--as is for numbered stills: this is a clip" in said
    assert not any(note.startswith("--") for note in notes(clip, "video/h264", frames=(0, 2)))


def test_a_still_has_neither_rate_nor_frames(tmp_path):
    (tmp_path / "out").mkdir()
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "a.png")
    said = notes(tmp_path / "a.png", "social", rate=12, frames=(0, 5))
    assert "--rate is for numbered stills: a still has none" in said
    assert "--frames is for clips and sequences: a still is one frame" in said


def test_colours_that_a_grey_delivery_leaves_out_are_told(clip):
    (clip.parent / "out").mkdir(exist_ok=True)
    said = notes(clip, "video/h264", settings=["delivery.clip.pixel_format=gray", "delivery.clip.profile="])
    assert "its colours are left out: gray (delivery.clip.pixel_format) is grey" in said


@pytest.mark.parametrize(("asked", "told"), [([], False), (["--as", "stills"], True), (["--as", "sequence"], True)])
def test_the_command_says_so_only_where_it_was_asked(clip, tmp_path, capsys, asked, told):
    said = ["finish", str(clip), "-o", str(tmp_path / "o.mp4"), "--preset", "video/h264", "--no-adapt", "--json"]
    assert main([*said, "--dry-run", *asked]) == 0
    assert ("--as is for numbered stills: this is a clip" in capsys.readouterr().out) is told
