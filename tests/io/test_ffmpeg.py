"""What is asked of FFmpeg itself."""

from __future__ import annotations

import logging
import re

import av
import numpy as np
from drawn_clips import write

from grainkit.io.delivery import ClipDelivery
from grainkit.io.ffmpeg import library_versions, probe_encoders
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame


def test_what_this_build_can_do():
    assert probe_encoders()["libx264"]
    assert set(probe_encoders()) >= {"libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "dnxhd", "ffv1", "aac"}
    assert library_versions()["av"] == av.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", library_versions()["libavcodec"])


def test_what_ffmpeg_says_in_another_thread_as_an_encoder_opens_goes_nowhere(tmp_path):
    """Python prints what no handler takes; tests cannot see that, as pytest has handlers of its own."""
    color = Color(depth=8)
    planes = (np.zeros((32, 32), np.uint8), *(np.full((16, 16), 128, np.uint8) for _ in range(2)))
    write(tmp_path / "a.mkv", [Frame(planes, color)], ClipDelivery("mkv", "ffv1", "yuv420p"))
    assert [type(handler) for handler in logging.getLogger("libav").handlers] == [logging.NullHandler]
