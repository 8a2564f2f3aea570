"""Frames that FFmpeg decoded on the card, as PyAV hands them on; PyAV itself is played here, its traps included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

import grainkit
from grainkit.backends.cuda import CudaBackend
from grainkit.errors import InputError
from grainkit.io import cuda_decode, pixel_formats
from grainkit.io.base import SourceInfo
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry
from grainkit.recipe.overrides import override
from tests.cudacheck.ptx import PtxKernel
from tests.cudacheck.stand_in import stand_in
from tests.drawn import clip

PATH = Path("clip.mp4")


class Plane:
    """As av.VideoPlane exports one on the card: for no stream at all, and only while its picture lives."""

    def __init__(self, array):
        self._array = array

    def __dlpack_device__(self):
        return 2, 0

    def __dlpack__(self, *, stream=None):
        if stream is not None:
            raise NotImplementedError("CUDA stream synchronization is not supported.")
        return self._array


def decoded(card, name: str, size: tuple[int, int]) -> tuple[SimpleNamespace, tuple[np.ndarray, ...]]:
    """A picture on the card, rows wider than it as decoders leave them, and the planes it means."""
    form = pixel_formats.parse(name)
    height, width = size
    dtype = np.uint8 if form.depth == 8 else np.uint16
    rng = np.random.default_rng(height)
    raw = [rng.integers(0, 1 << form.depth, (h, 512)).astype(dtype) << form.shift for h in (height, height // 2)]
    picture = SimpleNamespace(
        width=width, height=height,
        planes=[
            Plane(card.asarray(raw[0])[:, :width]),
            Plane(card.asarray(raw[1]).reshape(height // 2, 256, 2)[:, : width // 2]),
        ],
    )  # fmt: skip
    rows = [plane.view(np.uint8) for plane in raw]
    return picture, pixel_formats.unpack(form, rows, width, height).planes


def frames(card, name, size):
    form = pixel_formats.parse(name)
    picture, planes = decoded(card, name, size)
    color = Color(depth=form.depth)
    return Frame(cuda_decode.woven(picture, form, PATH), color, index=2), Frame(planes, color, index=2)


@pytest.mark.parametrize("name", ["nv12", "p010le"])
@pytest.mark.parametrize("size", [(36, 62), (2, 2), (66, 258)])
def test_planes_are_those_of_the_decoder_resized_or_not(name, size, card, cpu):
    held, ours = frames(card, name, size)
    height, width = size
    cuda = CudaBackend()
    for geometry, working in (
        (Geometry.same(width, height), ours.color),
        (Geometry((width, height), (width // 2, height // 2), 0.0, 0.0, float(width), float(height)), Color(depth=32)),
    ):
        made, wanted = cuda.conform(held, geometry, working), cpu.conform(ours, geometry, working)
        for a, b in zip(made.planes, wanted.planes, strict=True):
            np.testing.assert_array_equal(a[:], b)


@pytest.mark.parametrize("texture", ["0", "1"])
def test_a_decoded_clip_comes_down_finished(texture, card):
    held, ours = frames(card, "nv12", (36, 62))
    recipe = override(grainkit.load_recipe("video"), [f"skin_texture.strength={texture}"])
    info = SourceInfo("clip", None, "clip", 62, 36, ours.color, pixel_format="yuv420p")
    made = {}
    for name, frame in (("cpu", ours), ("cuda", held)):
        card.log.clear()
        with grainkit.Finisher(recipe, name) as finisher:
            made[name] = list(finisher.frames([replace(frame, index=i) for i in range(5)], info))
    for a, b in zip(made["cuda"], made["cpu"], strict=True):
        for x, y in zip(a.planes, b.planes, strict=True):
            np.testing.assert_array_equal(x, y)
    assert card.log.count("part") == 10
    assert card.log.count("down") == 5 or texture == "1"


@pytest.mark.parametrize("arch", [75, 100, 120])
def test_the_ptx_parts_planes_as_the_decoder_meant(arch, install):
    from tests.cudacheck import host, nvrtc

    if nvrtc.missing() or host.missing():
        pytest.skip(nvrtc.missing() or host.missing())

    def executor(code, name, options):
        ptx = nvrtc.compile_kernel(code, tuple(options), arch).ptx
        return PtxKernel(ptx, (code, name, tuple(options)))

    card = install(stand_in(executor))
    for name in ("nv12", "p010le"):
        held, ours = frames(card, name, (34, 70))
        made = CudaBackend().conform(held, Geometry.same(70, 34), ours.color)
        for a, b in zip(made.planes, ours.planes, strict=True):
            np.testing.assert_array_equal(a[:], b)


def test_what_does_not_come_whole_from_the_card_is_refused(card, cpu):
    picture, _ = decoded(card, "nv12", (36, 62))
    picture.width = 61
    with pytest.raises(InputError, match="even sizes of nv12"):
        cuda_decode.woven(picture, pixel_formats.parse("nv12"), PATH)
    with pytest.raises(InputError, match="nv16 of 62x36"):
        cuda_decode.woven(replace_size(picture), pixel_formats.parse("nv16"), PATH)
    held, _ = frames(card, "nv12", (36, 62))
    recipe = grainkit.load_recipe("video")
    info = SourceInfo("clip", None, "clip", 62, 36, held.color, pixel_format="yuv420p")
    with grainkit.Finisher(recipe, cpu) as finisher, pytest.raises(InputError, match="use backend='cuda'"):
        list(finisher.frames([held], info))
    with pytest.raises(TypeError, match="woven"):
        held.planes[1]


def replace_size(picture):
    return SimpleNamespace(width=62, height=36, planes=picture.planes)


def one_line(error: InputError) -> str:
    assert "\n" not in str(error)
    assert "leave" in str(error)
    return str(error)


def test_without_a_card_or_a_pyav_that_knows_it_one_line_says_so(tmp_path, monkeypatch):
    source = clip(tmp_path / "c.nut", frames=2)  # FFV1, which no card decodes
    with pytest.raises(InputError, match="cannot be decoded by --hwaccel cuda") as raised:
        grainkit.open_source(source, hwaccel="cuda")
    assert "no stream is compatible" in one_line(raised.value)
    with pytest.raises(InputError, match="--hwaccel vdpau is not known; it is cuda"):
        grainkit.open_source(source, hwaccel="vdpau")
    with pytest.raises(InputError, match="which - is not"):
        grainkit.open_source("-", hwaccel="cuda")

    def old(name, device=None, allow_software_fallback=True, options=None, flags=None):
        return None

    monkeypatch.setattr(cuda_decode, "HWAccel", old)
    with pytest.raises(InputError, match=f"needs PyAV 17 or newer, this is {av.__version__}") as raised:
        grainkit.open_source(source, hwaccel="cuda")
    one_line(raised.value)
    monkeypatch.setattr(cuda_decode, "hwdevices_available", lambda: ["drm"])
    with pytest.raises(InputError, match="was built without it") as raised:
        grainkit.open_source(source, hwaccel="cuda")
    one_line(raised.value)
