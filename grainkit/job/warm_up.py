"""Compiles ahead what `finish` needs, so that the first picture does not wait for it: for images of machines.

What is compiled follows from the work: a small drawn portrait (`samples/draw.py`, grainkit/data/mannequin.jpg) is
finished as every kind of still and clip that compiles other code.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from grainkit.effects.skin_texture.atlas import bake
from grainkit.effects.skin_texture.atlas_relief import VELLUS_TEXEL
from grainkit.errors import OutputError
from grainkit.io.decode_still import read_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.sequence import SequenceSink
from grainkit.io.stills import StillSink
from grainkit.job.finish import finish
from grainkit.machine import jit
from grainkit.machine.compiling import watched
from grainkit.picture.frame import Frame

#: Frames of the clips: enough for motion to be followed both ways.
FRAMES = 6


@dataclass(frozen=True)
class _Job:
    """One kind of work. input, output: names in the folder of the warm-up; the output of one may be another's input."""

    what: str
    input: str
    output: str
    preset: str
    settings: tuple[str, ...] = ()
    adapt: bool | None = None


_LOCKED = ("cinema_grain.carrier=locked", "cinema_grain.strength=3", "cinema_grain.size=2")
_ENLARGED = ("delivery.upscale=true",)
_OWN_SIZE = ("delivery.width_mm=30", "delivery.dpi=300")
_SMALLER = ("delivery.width=120", "delivery.height=160")
_JOBS = (
    _Job("still, 8 bits, JPEG, adapted", "rgb8.png", "8.jpg", "social/instagram-feed"),
    _Job("still, 8 bits, enlarged", "rgb8.png", "8.png", "social", _ENLARGED, False),
    _Job("still, 8 bits, with alpha", "rgba8.png", "a8.png", "video"),
    _Job("still, 8 bits, grey", "grey8.png", "g8.png", "video"),
    _Job("still, 16 bits, print", "rgb16.png", "16.tif", "print", _OWN_SIZE),
    _Job("still, 16 bits, with alpha", "rgba16.png", "a16.png", "video", _ENLARGED),
    _Job("still, 16 bits, grey", "grey16.png", "g16.png", "video"),
    _Job("still, float", "float.exr", "f.exr", "video"),
    _Job("still, float, to 8 bits", "float.exr", "f.jpg", "social", (), False),
    _Job("sequence, 8 to 16 bits", "f_%02d.png", "s_%02d.png", "video/sequence"),
    _Job("clip, from stills, 8 bits", "f_%02d.png", "clip.mp4", "video"),
    _Job("clip, 8 bits, smaller", "clip.mp4", "small.mp4", "social/reel", _SMALLER),
    _Job("clip, 8 bits, grain that moves along, adapted", "clip.mp4", "locked.mp4", "social/reel", _LOCKED, True),
    _Job("clip, 10 bits, 4:2:0", "clip.mp4", "ten.mp4", "video/hevc10"),
    _Job("clip, 10 bits, 4:2:2", "ten.mp4", "ten.mov", "video/master", _LOCKED),
    _Job("clip, 10 bits, 8 out", "ten.mp4", "eight.mp4", "video"),
    _Job("clip, grain as metadata", "ten.mp4", "av1.mp4", "video/av1"),
)  # fmt: skip


@dataclass(frozen=True)
class Warmth:
    """What a warm-up did.

    jobs: kinds of work that were done. functions: how many were compiled; what was kept before is not among them.
    compiling: seconds of that; seconds: of all. kept_in: where compiled code is kept.
    """

    jobs: tuple[str, ...]
    functions: int
    compiling: float
    seconds: float
    kept_in: str

    def as_mapping(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def warm_up(progress: Callable[[int, int, str], None] | None = None) -> Warmth:
    """Compile all that `finish` needs of the CPU. progress: told jobs done, their number, and the next one's kind.

    Raises OutputError where what is compiled cannot be kept.
    """
    began, place = time.monotonic(), jit.kept()
    if place.folder is None:
        raise OutputError(
            f"what is compiled cannot be kept: {place.why}; set NUMBA_CACHE_DIR to a folder that can be written"
        )
    with tempfile.TemporaryDirectory(prefix="grainkit-warm-up-") as name, watched(told=False, shown=False) as seen:
        folder = Path(name)
        _draw(folder)
        for number, job in enumerate(_JOBS):
            if progress is not None:
                progress(number, len(_JOBS), job.what)
            finish(
                folder / job.input, folder / job.output, preset=job.preset, settings=job.settings, backend="cpu",
                adapt=job.adapt, seed=1,
            )  # fmt: skip
        bake(1, "adult", VELLUS_TEXEL)  # skins that were baked before are read
    return Warmth(
        tuple(job.what for job in _JOBS), seen.functions, round(seen.seconds, 1), round(time.monotonic() - began, 1),
        str(place.folder),
    )  # fmt: skip


def _draw(folder: Path) -> None:
    """The inputs of all jobs."""
    with as_file(files("grainkit") / "data" / "mannequin.jpg") as path:
        still = read_still(path)
    rgb8 = np.ascontiguousarray(still.rgb, np.uint8)
    rgb16 = rgb8.astype(np.uint16) * np.uint16(257)
    alpha = np.zeros(rgb8.shape[:2], np.uint8)
    alpha[8:-8, 8:-8] = 255
    color, deep = still.color, replace(still.color, depth=16)
    stills = {
        "rgb8.png": Frame((), color, rgb=rgb8),
        "rgba8.png": Frame((), color, rgb=rgb8, alpha=alpha),
        "grey8.png": Frame((), color, rgb=np.ascontiguousarray(rgb8[..., 1])),
        "rgb16.png": Frame((), deep, rgb=rgb16),
        "rgba16.png": Frame((), deep, rgb=rgb16, alpha=alpha.astype(np.uint16) * np.uint16(257)),
        "grey16.png": Frame((), deep, rgb=np.ascontiguousarray(rgb16[..., 1])),
        "float.exr": Frame((), replace(color, depth=32), rgb=rgb8.astype(np.float32) / np.float32(255)),
    }
    for name, frame in stills.items():
        delivery = StillDelivery(name.rpartition(".")[2], frame.color.depth)
        _written(StillSink(folder / name, delivery=delivery), [frame])
    moved = [Frame((), color, index=i, rgb=np.ascontiguousarray(np.roll(rgb8, i, 1))) for i in range(FRAMES)]
    _written(SequenceSink(folder / "f_%02d.png", delivery=StillDelivery()), moved)


def _written(sink: StillSink | SequenceSink, frames: Iterable[Frame]) -> None:
    for frame in frames:
        sink.write(frame)
    sink.commit()
