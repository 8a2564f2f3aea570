"""On a card, where there is one: `pytest -m gpu`. The same jobs as everywhere else, and what only a card can show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import grainkit
from grainkit.backends import open_backend
from grainkit.backends.cuda import CudaBackend
from grainkit.errors import BackendUnavailable, InputError
from grainkit.picture.color import Color
from grainkit.report.selfcheck import compare, compare_resizing
from tests.cudacheck.pictures import KINDS, SIZES, endings
from tests.cudacheck.test_resize import RESIZES, assert_conforms, geometry, picture
from tests.drawn import clip

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def gpu():
    try:
        backend = CudaBackend()
    except BackendUnavailable as error:
        pytest.skip(str(error))
    yield backend
    backend.close()


def same(ours, theirs) -> None:
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("job", [*KINDS, *endings(), *(replace(KINDS[0], size=s, relief=None) for s in SIZES)], ids=str)
def test_it_gives_the_cpus_bits(job, gpu, cpu):
    same(job.finish(gpu), job.finish(cpu))


def test_selfcheck_finds_nothing(gpu, cpu):
    assert [str(o) for o in (*compare(gpu, cpu), *compare_resizing(gpu, cpu)) if o.differing] == []


@pytest.mark.parametrize("kind", [0, 5, 8])
@pytest.mark.parametrize(("size", "wanted", "region"), RESIZES, ids=str)
def test_it_resizes_with_the_cpus_bits(kind, size, wanted, region, gpu, cpu):
    frame = picture(kind, size)
    assert_conforms(frame, geometry(size, wanted, region), Color(depth=32), gpu, cpu)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_still_of_the_hosts_has_the_cpus_samples(dtype, gpu, cpu):
    rgb = np.random.default_rng(3).random((333, 611, 3))
    rgb = rgb.astype(dtype) if dtype == np.float32 else (rgb * np.iinfo(dtype).max).astype(dtype)
    ours, theirs = (grainkit.finish_array(rgb, seed=3, backend=b) for b in (gpu, cpu))
    np.testing.assert_array_equal(ours, theirs)


def test_a_clip_decoded_on_the_card_is_the_cpus(gpu, cpu, tmp_path):
    """The one proof of --hwaccel: decoding H.264 is exact, so the finished planes are."""
    source = clip(tmp_path / "c.mp4", width=256, height=144, frames=5, codec="libx264")
    recipe, made = grainkit.load_recipe("video"), {}
    for name, backend, hwaccel in (("cpu", cpu, ""), ("gpu", gpu, "cuda")):
        try:
            given = grainkit.open_source(source, hwaccel=hwaccel)
        except InputError as error:
            pytest.skip(str(error))
        with given, grainkit.Finisher(recipe, backend) as finisher:
            made[name] = [frame.planes for frame in finisher.stream(given)]
    assert len(made["gpu"]) == 5
    for ours, theirs in zip(made["gpu"], made["cpu"], strict=True):
        same(ours, theirs)


@pytest.mark.parametrize("size", [(1080, 1920), (2160, 3840), (4320, 7680)])
def test_large_frames_under_way_at_once(size, gpu, cpu):
    job = replace(KINDS[0], size=size, relief=(100, 100, 500, 700))
    begun = [gpu.begin(replace(job.frame(), index=i), job.tables(), job.texture()) for i in range(8)]
    for number, pending in enumerate(begun):
        theirs = cpu.finish(replace(job.frame(), index=number), job.tables(), job.texture())
        same(pending.result().planes, theirs.planes)


def test_a_plane_beyond_two_gibibytes(gpu, cpu):
    """Offsets into it need more than 31 bits."""
    import cupy

    height, width = 40, 60_000_000
    if cupy.cuda.runtime.memGetInfo()[0] < 3 * height * width:
        pytest.skip("the card has too little memory free")
    job = replace(KINDS[0], size=(height, 130), relief=None, grey=True)
    narrow = job.frame()
    wide = cupy.zeros((height, width), np.uint8)[:, :130]
    wide[:] = cupy.asarray(narrow.planes[0])
    done = gpu.finish(narrow.with_planes((wide,)), job.tables())
    same((done.planes[0].get(),), cpu.finish(narrow, job.tables()).planes)


def test_memory_on_the_card_is_constant(gpu):
    import cupy

    job = replace(KINDS[0], size=(1080, 1920), relief=(0, 0, 400, 400))
    frame, tables, texture = job.frame(), job.tables(), job.texture()
    for _ in range(5):
        gpu.finish(frame, tables, texture)
    free = cupy.cuda.runtime.memGetInfo()[0]
    for _ in range(50):
        gpu.begin(frame, tables, texture)
    gpu.finish(frame, tables, texture)
    assert cupy.cuda.runtime.memGetInfo()[0] == free


def test_tensors_of_torch_stay_on_the_card(gpu, cpu):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("torch has no CUDA here")
    job = replace(KINDS[8], relief=None)
    frame = job.frame()
    held = tuple(torch.from_numpy(p).cuda() for p in frame.planes)
    done = gpu.finish(frame.with_planes(held), job.tables())
    same([torch.from_dlpack(p).cpu().numpy() for p in done.planes], cpu.finish(frame, job.tables()).planes)


def test_a_backend_opened_by_auto_is_the_card(gpu):
    backend = open_backend("auto")
    assert backend.name == "cuda"
    backend.close()
