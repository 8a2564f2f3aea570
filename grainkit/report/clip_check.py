"""A tiny clip, drawn here, that goes through an encoder and back as every clip does: by our own writer and reader."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from grainkit.errors import EncodingError
from grainkit.io.base import SourceInfo
from grainkit.io.clip_sink import VideoSink
from grainkit.io.clip_source import VideoSource
from grainkit.io.delivery import ClipDelivery
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame, Plane
from grainkit.unforeseen import doing

#: Each encoder that presets use, in a container and a format that it is used with.
TRIALS = {
    "libx264": ClipDelivery("mp4", "libx264", "yuv420p"),
    "libx265": ClipDelivery("mp4", "libx265", "yuv420p10le"),
    "libsvtav1": ClipDelivery("mp4", "libsvtav1", "yuv420p10le"),
    "libvpx-vp9": ClipDelivery("webm", "libvpx-vp9", "yuv420p"),
    "prores_ks": ClipDelivery("mov", "prores_ks", "yuv422p10le", "hq"),
    "dnxhd": ClipDelivery("mov", "dnxhd", "yuv422p10le", "dnxhr_hqx"),
    "ffv1": ClipDelivery("mkv", "ffv1", "yuv422p10le"),
}
#: DNxHR takes nothing smaller.
_WIDTH, _HEIGHT = 256, 120
_FRAMES, _RATE = 3, Fraction(25)
#: How far a ramp may come back from where it was, in the mean and as a part of all codes. The lossy ones stay within
#: 0.001; what is garbled is a tenth off.
_ALLOWED = 0.01


def check_encoder(name: str) -> None:
    """Write three frames with the encoder, open the clip and decode it.

    Raises what the writer or the reader raises, noted with what was being done; EncodingError where other frames come
    back than went in.
    """
    delivery = TRIALS[name]
    color = Color(
        depth=10 if "10" in delivery.pixel_format else 8, subsampling=(2, 1 if "422" in delivery.pixel_format else 2)
    )
    frames = list(_drawn(color))
    info = SourceInfo("a tiny clip", None, "sequence", _WIDTH, _HEIGHT, color, rate=_RATE, time_base=1 / _RATE)
    with TemporaryDirectory(prefix="grainkit-doctor-") as folder:
        path = Path(folder) / f"tiny.{delivery.container}"
        with doing(f"encoding a tiny clip with {name}"):
            sink = VideoSink(path, delivery=delivery, color=color, width=_WIDTH, height=_HEIGHT, source=info)
            try:
                for frame in frames:
                    sink.write(frame)
                sink.commit()
            finally:
                sink.abort()
        with doing(f"decoding a tiny clip of {name}"), VideoSource(path) as source:
            back = list(source)
    if len(back) != _FRAMES:
        raise EncodingError(f"{_FRAMES} frames went into {name}, and {len(back)} came back")
    for number, (was, now) in enumerate(zip(frames, back, strict=True)):
        off = max(_difference(was, now, plane) for plane in range(3))
        if off > _ALLOWED:
            raise EncodingError(f"frame {number} comes back from {name} {100 * off:.0f} % off what it was")


def _drawn(color: Color) -> Iterator[Frame]:
    """Ramps in luma and chroma that move."""
    across, down = color.subsampling
    for index in range(_FRAMES):
        planes: list[Plane] = []
        for rows, columns in [(_HEIGHT, _WIDTH), *[(_HEIGHT // down, _WIDTH // across)] * 2]:
            ramp = np.add.outer(np.linspace(0.25, 0.45, rows), np.linspace(0, 0.2, columns))
            codes = (ramp + 0.02 * index) * (1 << color.depth)
            planes.append(codes.astype(np.uint8) if color.depth == 8 else codes.astype(np.uint16))
        yield Frame(planes, color, index, index, 1, 1 / _RATE)


def _difference(was: Frame, now: Frame, plane: int) -> float:
    """Mean difference between two planes, as a part of all codes; 1 where they are not of one size."""
    one, other = was.planes[plane], now.planes[plane]
    if one.shape != other.shape:
        return 1.0
    return float(np.abs(one.astype(np.float32) - other.astype(np.float32)).mean()) / (1 << was.color.depth)
