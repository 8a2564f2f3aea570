"""Frames of unequal length that go where none has a time get a note."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

import grainkit as gk
from grainkit.io.delivery import ClipDelivery
from grainkit.job.frame_lengths import FrameLengths
from tests.drawn import moving_fields, sink_of


def seen(times, tick=Fraction(1, 1000)):
    frame, lengths = moving_fields("yuv420p", "tff", 1)[0], FrameLengths()
    for pts in times:
        lengths.see(replace(frame, pts=pts, time_base=tick))
    return lengths


@pytest.mark.parametrize("times", [[], [0], [0, 33, 67, 100], [0, 42, 83, 125, 167], [None, None], [5, 5, 5]])
def test_equal_lengths_are_no_news(times):
    assert seen(times).notes("Y4M") == ()


def test_unequal_lengths_are_told_where_they_are_lost():
    lengths = seen([0, 42, 84, 667])
    assert lengths.notes("Y4M") == ("its frames last from 42 to 583 ms, but Y4M shows all equally long",)
    assert lengths.notes("a sequence")[0].endswith("a sequence shows all equally long")
    assert lengths.notes("") == ()


def test_a_sequence_of_a_clip_says_it(tmp_path):
    frames = moving_fields("yuv420p", "tff", 3)
    frames = [
        replace(each, field_order="", pts=pts, time_base=Fraction(1, 24), duration=None)
        for each, pts in zip(frames, (0, 1, 9), strict=True)
    ]
    clip = sink_of(tmp_path / "in.mp4", frames, ClipDelivery("mp4", "libx264", "yuv420p"))
    report = gk.finish(clip, tmp_path / "f_%03d.png", preset="video/sequence", backend="cpu")
    assert "its frames last from 42 to 333 ms, but a sequence shows all equally long" in report.notes
