"""The whole CUDA backend through the stand-in for CuPy: streams, buffers, arguments, memory, errors."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import grainkit
from grainkit.backends import cuda as cuda_module
from grainkit.backends import open_backend
from grainkit.backends.cuda import CudaBackend
from grainkit.errors import BackendUnavailable, GrainkitError, InputError
from grainkit.recipe.overrides import override
from tests.cudacheck import host
from tests.cudacheck.host import HostKernel
from tests.cudacheck.pictures import KINDS
from tests.cudacheck.stand_in import CUDADriverError, CUDARuntimeError, OutOfMemoryError, Race, stand_in
from tests.drawn import clip

JOB = replace(KINDS[0], size=(40, 150), relief=(4, 6, 20, 100))


def frames(count=6, job=JOB):
    """Frames that all differ."""
    base = job.frame()
    return [base.with_planes(tuple(np.roll(p, i, axis=1) for p in base.planes)) for i in range(count)]


def pipelined(backend, given, textures, tables):
    """Frames begun before the first result is asked for: one more than the CUDA backend has slots."""
    begun, done = [], []
    for number, (frame, texture) in enumerate(zip(given, textures, strict=True)):
        begun.append(backend.begin(replace(frame, index=number), tables, texture))
        if len(begun) > cuda_module.IN_FLIGHT:
            done.append(begun.pop(0).result())
    return [f.planes for f in (*done, *(b.result() for b in begun))]


def compare(backend, cpu, job=JOB):
    given, tables = frames(job=job), job.tables()
    textures = [job.texture() if i % 3 else None for i in range(len(given))]
    theirs = pipelined(cpu, given, textures, tables)
    try:
        ours = pipelined(backend, given, textures, tables)
    except Race:
        return False
    return all(np.array_equal(a, b) for f, g in zip(ours, theirs, strict=True) for a, b in zip(f, g, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("eager", [False, True])
def test_frames_under_way_at_once_come_out_as_on_the_cpu(eager, card, install, cpu):
    install(stand_in(HostKernel, eager=eager))
    assert compare(CudaBackend(), cpu)


def test_rows_that_fill_their_memory_are_copied_out_of_it(card, cpu):
    """512 and 256 bytes are whole rows in the buffers: a view would do for a moment, and then hold the next frame."""
    assert compare(CudaBackend(), cpu, replace(JOB, size=(40, 512)))


#: The backend's own modules, those that are imported before those that import them.
MODULES = ("cuda_card", "cuda_memory", "cuda_launch", "card_planes", "cuda_pass", "cuda_rgb", "cuda_resize", "cuda")


def mutated(old: str, new: str) -> type[CudaBackend]:
    """The backend's class with a mistake in it: its modules once more, one of them changed."""
    folder = Path(cuda_module.__file__).parent
    sources = {f"grainkit.backends.{name}": (folder / f"{name}.py").read_text() for name in MODULES}
    changed = [name for name, source in sources.items() if old in source]
    assert len(changed) == 1, "the source has changed, and the fault with it must"
    sources[changed[0]] = sources[changed[0]].replace(old, new, 1)
    held = {name: sys.modules[name] for name in sources}
    try:
        for name, source in sources.items():
            sys.modules[name] = module = ModuleType(name)
            exec(compile(source, "mutant.py", "exec"), module.__dict__)
    finally:
        sys.modules.update(held)
    backend: type[CudaBackend] = module.CudaBackend
    return backend


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("                self._way.done.synchronize()\n", "                pass\n"),
        ("        slot.done.record(slot.stream)\n", ""),
        ("            self._cupy.cuda.get_current_stream().synchronize()  # tables", "            # tables"),
        ("        slot.free()", "        pass"),
        ("        with slot.stream:\n            job.run(", "        if True:\n            job.run("),
    ],
    ids=["no wait for the event", "event not recorded", "tables not waited for", "slot overwritten", "wrong stream"],
)
def test_a_synchronisation_taken_out_is_caught(old, new, card, cpu):
    assert not compare(mutated(old, new)(), cpu)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("low=low << bits,", "low=high << bits,"),
        ("cb_target=rows_of(target[1])", "cb_target=rows_of(target[2])"),
        ("blocks = (-(-arguments.width // TILE_W),", "blocks = (max(arguments.width // TILE_W, 1),"),
    ],
    ids=["low and high", "Cb and Cr", "grid one short"],
)  # fmt: skip
def test_a_swapped_argument_or_short_grid_is_caught(old, new, card, cpu):
    assert not compare(mutated(old, new)(), cpu)


def test_a_mutant_that_is_none_passes(card, cpu):
    assert compare(mutated("IN_FLIGHT = ", "IN_FLIGHT = ")(), cpu)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("THREADS, TILE_W, TILE_H, DRAWN = 256", "THREADS, TILE_W, TILE_H, DRAWN = 512", "512.* threads, at most 256"),
        ("self.function.max_dynamic_shared_size_bytes = shared", "pass", "bytes"),
        ('("--fmad=false", "-std=c++17")', '("-std=c++17",)', "must not be fused"),
        ("code = flatten(name)", "code = '#include \"noise.cuh\"\\n' + flatten(name)", "does not see"),
    ],
)
def test_a_launch_that_is_wrong_in_itself_is_refused(old, new, said, card):
    # Grain so coarse that a block needs more shared memory than it has without asking.
    coarse = replace(JOB, grain=replace(JOB.grain, size=4.0), side=4320)
    with pytest.raises(AssertionError, match=said):
        coarse.finish(mutated(old, new)())


def test_memory_on_the_card_does_not_grow_and_stays_within_the_limit(card):
    backend, tables = CudaBackend(), JOB.tables()
    for round_ in range(3):
        for frame in frames(5):
            backend.begin(frame, tables, JOB.texture())
        if round_ == 0:
            after_one = card.most_used
    assert card.most_used == after_one
    backend.close()
    assert card.used[0] == 0

    small = CudaBackend(device_memory=60_000)
    JOB.finish(small)
    assert len(small._ways._slots) == 1
    with pytest.raises(GrainkitError, match=r"raise --device-memory, or use --backend cpu"):
        JOB.finish(CudaBackend(device_memory=1000))


def test_kernels_are_compiled_once(card):
    backend = CudaBackend()
    made = []
    real = card.RawModule
    card.RawModule = lambda **told: made.append(told) or real(**told)
    for _ in range(3):
        JOB.finish(backend)
    assert len(made) == 2


def test_a_change_of_geometry_or_job_midway_keeps_what_was_begun(card, cpu):
    backend, other = CudaBackend(), replace(JOB, size=(33, 70), relief=None, index=9)
    begun = backend.begin(JOB.frame(), JOB.tables(), JOB.texture())
    changed = other.finish(backend)
    for ours, theirs in zip((*begun.result().planes, *changed), (*JOB.finish(cpu), *other.finish(cpu)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


class Tensor:
    """Another library's array on the card: only what array libraries share."""

    def __init__(self, array):
        self._array, self.shape = array, array.shape

    def __dlpack_device__(self):
        return 2, 0

    def __dlpack__(self, stream=None):
        return self._array


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [lambda a: a, Tensor], ids=["CuPy", "DLPack"])
@pytest.mark.parametrize("kind", [0, 8])
def test_planes_on_the_card_stay_there(wrap, kind, card, cpu):
    job = replace(KINDS[kind], size=(33, 131), relief=(2, 2, 20, 20))
    # Rows that begin anywhere: the middle of a wider array.
    frame = job.frame()
    held = [card.asarray(np.pad(p, ((0, 0), (3, 2))))[:, 3:-2] for p in frame.planes]
    backend = CudaBackend()
    card.log.clear()
    done = backend.finish(frame.with_planes(tuple(wrap(p) for p in held)), job.tables(), job.texture())
    assert "down" not in card.log
    assert all(isinstance(p, card.ndarray) for p in done.planes)
    for ours, theirs in zip(done.planes, job.finish(cpu), strict=True):
        np.testing.assert_array_equal(ours.get(), theirs)


def test_each_backend_knows_what_is_its_own(card, cpu):
    cuda, plane = CudaBackend(), np.zeros((4, 4), np.uint8)
    there = card.asarray(plane)
    assert [cuda.owns(a) for a in (there, Tensor(there), plane, [1])] == [True, True, False, False]
    assert [cpu.owns(a) for a in (there, Tensor(there), plane, [1])] == [False, False, True, False]
    np.testing.assert_array_equal(cuda.to_host(cuda.as_array(there)), plane)
    assert cpu.to_host(cpu.as_array(plane)) is plane


def test_a_picture_on_the_card_is_refused_by_the_cpu(card):
    said = "the frame is on a GPU and the backend is cpu; use backend='cuda'"
    with pytest.raises(InputError, match=said):
        grainkit.finish_array(card.asarray(np.zeros((20, 30, 3), np.uint8)), backend="cpu", preset="social")


def test_a_clip_finished_on_the_stand_in_is_the_cpus(card, tmp_path):
    source = clip(tmp_path / "c.nut", frames=5, pixel_format="yuv420p")
    made = {}
    for name in ("cpu", "cuda"):
        with grainkit.open_source(source) as given, grainkit.Finisher(grainkit.load_recipe("video"), name) as finisher:
            assert finisher.backend.name == name
            made[name] = list(finisher.stream(given))
    assert [f.index for f in made["cuda"]] == list(range(5))
    for ours, theirs in zip(made["cuda"], made["cpu"], strict=True):
        assert (ours.pts, ours.color) == (theirs.pts, theirs.color)
        for a, b in zip(ours.planes, theirs.planes, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_still_finished_on_the_stand_in_is_the_cpus(card):
    rng = np.random.default_rng(2)
    rgb = rng.integers(0, 256, (50, 70, 3), np.uint8)
    ours, theirs = (grainkit.finish_array(rgb, seed=3, backend=b) for b in ("cuda", "cpu"))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("settings", [(), ("highlight_guard.strength=0", "cinema_grain.strength=0")])
@pytest.mark.parametrize("index", [None, 0])
def test_a_picture_on_the_card_stays_there_and_comes_out_as_on_the_cpu(dtype, settings, index, card):
    """But for the copy that a still's digest is taken of; a frame of a clip needs none."""
    rng = np.random.default_rng(4)
    rgb = rng.random((37, 131, 3)) if dtype == np.float32 else rng.integers(0, np.iinfo(dtype).max, (37, 131, 3))
    rgb = rgb.astype(dtype)
    told = {"preset": "social", "settings": (*settings, "skin_texture.strength=0"), "seed": 3, "index": index}
    held = Tensor(card.asarray(rgb))
    card.log.clear()
    ours = grainkit.finish_array(held, backend="cuda", **told)
    assert card.log.count("down") == (index is None)
    theirs = grainkit.finish_array(rgb, backend="cpu", **told)
    np.testing.assert_array_equal(ours.get(), theirs)
    if settings:
        np.testing.assert_array_equal(theirs, rgb)


def test_a_plane_beyond_two_gibibytes(card, cpu):
    """Offsets into it need more than 31 bits. Its rows lie far apart, so that few pages are touched."""
    job = replace(KINDS[0], size=(40, 130), relief=None, grey=True)
    frame = job.frame()
    wide = card.empty((40, 60_000_000), np.uint8)[:, :130]
    wide._array[:] = frame.planes[0]
    done = CudaBackend().finish(frame.with_planes((wide,)), job.tables())
    np.testing.assert_array_equal(done.planes[0].get(), job.finish(cpu)[0])


def test_a_picture_on_the_card_gets_texture_where_a_copy_of_it_shows_skin(card):
    rgb = np.random.default_rng(4).integers(0, 256, (40, 50, 3), np.uint8)
    ours = grainkit.finish_array(card.asarray(rgb), backend="cuda", preset="social")
    np.testing.assert_array_equal(ours.get(), grainkit.finish_array(rgb, backend="cpu", preset="social"))


def test_frames_on_the_card_stream_through_the_finisher(card, tmp_path):
    source = clip(tmp_path / "c.nut", frames=4, pixel_format="yuv420p")
    recipe = override(grainkit.load_recipe("video"), ["skin_texture.strength=0"])  # else the analysis sees a copy
    with grainkit.open_source(source) as given, grainkit.Finisher(recipe, "cpu") as finisher:
        info, frames_ = given.info, list(given)
        theirs = list(finisher.frames(frames_, info))
    held = [f.with_planes(tuple(card.asarray(p) for p in f.planes)) for f in frames_]
    with grainkit.Finisher(recipe, "cuda") as finisher:
        card.log.clear()
        ours = list(finisher.frames(held, info))
        assert "down" not in card.log
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a.planes, b.planes, strict=True):
            np.testing.assert_array_equal(x.get(), y)


def test_an_array_on_the_card_is_not_for_the_cpu(card):
    with pytest.raises(InputError, match="use backend='cuda'"):
        grainkit.finish_array(card.asarray(np.zeros((4, 4, 3), np.uint8)), backend="cpu")


def test_auto_takes_the_card_where_there_is_one(card):
    backend = open_backend("auto")
    assert backend.name == "cuda"
    assert "Stand-in, compute capability 8.6" in backend.describe()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemoryError("Out of memory allocating 1 bytes"), "the GPU is out of memory"),
        (CUDARuntimeError("cudaErrorMemoryAllocation: out of memory"), "the GPU is out of memory"),
        (CUDARuntimeError("cudaErrorIllegalAddress: an illegal memory access"), "the GPU stopped working"),
        (CUDADriverError("CUDA_ERROR_DEVICE_LOST"), "the GPU stopped working"),
    ],
)
def test_what_goes_wrong_on_the_card_is_one_line_with_a_remedy(error, said, card):
    backend = CudaBackend()

    def failing(*_, **__):
        raise error

    card.empty = failing
    with pytest.raises(GrainkitError, match=said) as raised:
        JOB.finish(backend)
    assert "--backend cpu" in str(raised.value)
    assert "\n" not in str(raised.value)


def no_driver():
    raise CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient\nfor CUDA runtime version")


def no_library():
    raise RuntimeError('Failure finding "libnvrtc.so.13"')


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda c: setattr(c.cuda.runtime, "getDeviceCount", no_driver), "no NVIDIA driver that works"),
        (lambda c: setattr(c.cuda.runtime, "getDeviceCount", lambda: 0), "no NVIDIA GPU"),
        (lambda c: setattr(c.cuda.nvrtc, "getVersion", no_library), r"NVRTC.*pip install 'grainkit\[cuda13\]'"),
        (lambda c: setattr(c.cuda, "Device", lambda: SimpleNamespace(compute_capability="61")), "6.1.*7.5 or newer"),
    ],
)
def test_what_is_missing_is_said_in_one_line_and_auto_goes_on(break_it, said, install):
    break_it(install(stand_in(HostKernel)))
    with pytest.raises(BackendUnavailable, match=said) as raised:
        open_backend("cuda")
    assert "\n" not in str(raised.value)
    assert "--backend cpu" in str(raised.value)
    backend = open_backend("auto")
    assert backend.name == "cpu"
    assert backend.chosen_because == str(raised.value)
    backend.close()


def test_without_cupy_the_remedy_is_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendUnavailable, match=r"CuPy.*pip install 'grainkit\[cuda13\]'.*--backend cpu"):
        open_backend("cuda")


def test_grain_too_coarse_for_the_cards_shared_memory_is_refused(install):
    if host.missing():
        pytest.skip(host.missing())
    install(stand_in(HostKernel, most_shared=64 * 1024))
    coarse = replace(JOB, grain=replace(JOB.grain, size=4.0), side=8000)
    with pytest.raises(BackendUnavailable, match=r"cinema_grain\.size smaller"):
        coarse.finish(CudaBackend())


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 4), (2, 20, 30, 3)])
def test_other_shapes_on_the_card_are_refused(shape, card):
    with pytest.raises(InputError, match="of arrays on a GPU finish_array takes"):
        grainkit.finish_array(card.asarray(np.zeros(shape, np.uint8)), backend="cuda", preset="social")
