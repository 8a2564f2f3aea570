"""Resizing, R'G'B' and what analysis looks at, on the stand-in: the CPU's bits, and no more comes down than need be."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import grainkit
from grainkit.analysis.cuts import described
from grainkit.analysis.picture import luma_of, luma_shrunk, rgb_of
from grainkit.backends.card_planes import SHARED, CardPlane, tiling
from grainkit.backends.cuda import CudaBackend
from grainkit.errors import BackendUnavailable, GrainkitError, InputError
from grainkit.finishing.planning import make_plan
from grainkit.picture.color import SRGB_STILL, Color, Siting
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry
from grainkit.picture.rgb import PlanesOfRgb
from grainkit.picture.taps import covers, lanczos, weighed
from grainkit.recipe.overrides import override
from tests.cudacheck.faults import faulty
from tests.cudacheck.host import HostKernel
from tests.cudacheck.pictures import KINDS, awkward
from tests.cudacheck.stand_in import Race, stand_in
from tests.cudacheck.test_backend import mutated
from tests.drawn import clip

#: Size of the source (height, width), and what of it becomes what: size, then left, top, right, bottom.
RESIZES = [
    ((67, 261), (100, 31), (0.0, 0.0, 261.0, 67.0)),
    ((67, 261), (300, 111), (-2.5, 1.0, 255.25, 67.0)),
    ((40, 150), (1, 1), (0.0, 0.0, 150.0, 40.0)),
    ((1, 1), (4, 3), (0.0, 0.0, 1.0, 1.0)),
    ((3, 2), (2, 3), (0.0, 0.0, 2.0, 3.0)),
    ((33, 131), (131, 33), (0.0, 0.0, 131.0, 33.0)),
    ((9, 600), (590, 8), (4.0, 0.0, 600.0, 9.0)),
]


def picture(kind: int, size: tuple[int, int]) -> Frame:
    color = replace(KINDS[kind].source, siting=Siting.LEFT)
    return Frame(awkward(color, size), color, index=3)


def geometry(size, wanted, region) -> Geometry:
    return Geometry(size[::-1], wanted, *region)


def assert_conforms(frame, shape, working, cuda, cpu) -> None:
    ours, theirs = (backend.conform(frame, shape, working) for backend in (cuda, cpu))
    assert ours.color == theirs.color
    for a, b in zip(ours.planes, theirs.planes, strict=True):
        np.testing.assert_array_equal(a[:], b)


@pytest.mark.parametrize("order", [0, 1, 77])
@pytest.mark.parametrize("kind", [0, 5, 8], ids=["8-bit 4:2:0", "10-bit 4:2:2", "float 4:4:4"])
def test_every_size_comes_out_as_on_the_cpu(kind, order, card, install, cpu):
    install(stand_in(lambda code, name, options: HostKernel(code, name, options, order=order)))
    cuda = CudaBackend()
    for size, wanted, region in RESIZES if order == 0 else RESIZES[:2]:
        frame = picture(kind, size)
        for working in (replace(frame.color, depth=32), Color(depth=32, siting=Siting.CENTER)):
            assert_conforms(frame, geometry(size, wanted, region), working, cuda, cpu)


def test_what_is_no_number_stays_where_it_is_and_ends_of_the_range_hold(card, cpu):
    frame = picture(8, (33, 131))
    frame.planes[0][5, 7], frame.planes[1][8, 9] = np.nan, np.inf
    for plane in frame.planes[2:]:
        plane[:] = np.nan
    cuda, size = CudaBackend(), geometry((33, 131), (70, 20), (0.0, 0.0, 131.0, 33.0))
    ours, theirs = (b.conform(frame, size, frame.color) for b in (cuda, cpu))
    for a, b in zip(ours.planes, theirs.planes, strict=True):
        np.testing.assert_array_equal(a[:], b)


@pytest.mark.parametrize("scale", [0.9, 3.0, 40.0, 300.0])
def test_a_block_takes_a_smaller_tile_where_its_source_would_not_fit(scale, card, cpu):
    width = 4 if scale == 300.0 else 300
    taps = lanczos(width, 0.0, width * scale, int(width * scale))
    for run in (4, 8, 16):
        tile_w, tile_h, line = tiling(taps, run)
        assert 4 * tile_h * line <= SHARED
        assert line % run == 0
        for left in range(0, width, tile_w):
            right = min(left + tile_w, width) - 1
            low = taps.first[left] // run * run
            assert taps.first[right] + taps.weights.shape[1] - low <= line
    size = (3, int(width * scale))
    frame = picture(0, size)
    shape = geometry(size, (width, 3), (0.0, 0.0, float(size[1]), 3.0))
    assert_conforms(frame, shape, replace(frame.color, depth=32), CudaBackend(), cpu)


def test_a_picture_that_shrinks_to_nothing_is_refused():
    with pytest.raises(BackendUnavailable, match="--backend cpu"):
        tiling(lanczos(1, 0.0, 20000.0, 20000), 16)


def test_crops_and_planes_that_stay_as_they_are_do_not_leave_the_host(card, cpu):
    cuda = CudaBackend()
    frame = picture(0, (40, 150))
    cut = cuda.conform(frame, Geometry((150, 40), (60, 20), 4.0, 2.0, 64.0, 22.0), frame.color)
    np.testing.assert_array_equal(cut.planes[0], frame.planes[0][2:22, 4:64])
    real = picture(8, (40, 150))
    same = cuda.conform(real, Geometry.same(150, 40), real.color)
    assert [a is b for a, b in zip(same.planes, real.planes, strict=True)] == [True] * 3
    assert card.log == []


def test_alpha_and_matte_are_resized_beside_them(card, cpu):
    rng = np.random.default_rng(1)
    frame = replace(
        picture(0, (40, 150)), alpha=rng.integers(0, 256, (40, 150), np.uint8),
        matte=rng.random((40, 150)).astype(np.float32),
    )  # fmt: skip
    shape = geometry((40, 150), (75, 20), (0.0, 0.0, 150.0, 40.0))
    ours, theirs = (b.conform(frame, shape, Color(depth=32)) for b in (CudaBackend(), cpu))
    np.testing.assert_array_equal(ours.alpha, theirs.alpha)
    np.testing.assert_array_equal(ours.matte, theirs.matte)


def see_through(size: tuple[int, int], opaque: float, dtype: type) -> np.ndarray:
    """Alpha with a solid part, an empty part and every value between."""
    shares = np.random.default_rng(2).random(size)
    shares[: size[0] // 3], shares[-(size[0] // 3) :, : size[1] // 2] = 1.0, 0.0
    return (shares * opaque).astype(dtype)


@pytest.mark.parametrize("kind", [0, 5, 8], ids=["8-bit 4:2:0", "10-bit 4:2:2", "float 4:4:4"])
@pytest.mark.parametrize("number", [0, 1, 3, 6])
def test_pictures_with_alpha_come_out_as_on_the_cpu(kind, number, card, cpu):
    size, wanted, region = RESIZES[number]
    frame = picture(kind, size)
    dtype, top = frame.planes[0].dtype.type, 1.0 if frame.color.is_float else (1 << frame.color.depth) - 1
    frame = replace(frame, alpha=see_through(size, top, dtype))
    cuda = CudaBackend()
    for working in (replace(frame.color, depth=32), Color(depth=32, siting=Siting.CENTER)):
        card.log.clear()
        assert_conforms(frame, geometry(size, wanted, region), working, cuda, cpu)
        assert card.log.count("straight") == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_rgb_with_alpha_is_resized_on_the_card_as_on_the_cpu(dtype, card, cpu):
    top = 1.0 if dtype == np.float32 else np.iinfo(dtype).max
    rgb = (np.random.default_rng(3).random((50, 70, 3)) * top).astype(dtype)
    color = replace(SRGB_STILL, depth=8 * rgb.dtype.itemsize)
    frame = Frame(PlanesOfRgb(rgb, color), color, rgb=rgb, alpha=see_through((50, 70), top, dtype))
    shape = geometry((50, 70), (41, 29), (0.0, 0.0, 70.0, 50.0))
    assert_conforms(frame, shape, replace(color, depth=32), CudaBackend(), cpu)
    assert card.log.count("premultiply") == 3


def test_the_analysis_sees_the_cpus_small_pictures_and_only_those_come_down(card, cpu):
    frame = picture(0, (270, 480))
    shape = geometry((270, 480), (360, 202), (0.0, 0.0, 480.0, 270.0))
    held, ours = (b.conform(frame, shape, Color(depth=32)) for b in (CudaBackend(), cpu))
    card.downloaded[0] = 0
    looks = [
        lambda f: luma_shrunk(f, 0.4, 10, 20, 50, 60),
        lambda f: rgb_of(f, size=(36, 64)),
        lambda f: rgb_of(f, (20, 30, 101, 99), (25, 24)),
        lambda f: luma_of(f, (20, 30, 64, 33)),
        lambda f: luma_of(f, (20, 30, 20, 33), (40, 66)),
        lambda f: np.concatenate([part.ravel() for part in described(f)]),
    ]
    for number, look in enumerate(looks):
        np.testing.assert_array_equal(look(held), look(ours), err_msg=str(number))
    # 50 x 60, 3 x 36 x 64, 3 x 25 x 24, 64 x 33 and 20 x 33 float32; cuts look at whole pictures this small.
    whole = sum(p.nbytes for p in ours.planes)
    assert card.downloaded[0] == 4 * (50 * 60 + 3 * 36 * 64 + 3 * 25 * 24 + 64 * 33 + 20 * 33) + whole


def finished(source, recipe, name, output):
    with grainkit.open_source(source) as given:
        plan = make_plan(given.info, recipe, output)
        with grainkit.Finisher(recipe, name, plan=plan) as finisher:
            return list(finisher.stream(given))


@pytest.mark.parametrize("texture", ["0", "1"])
def test_a_clip_that_is_resized_is_finished_without_a_plane_coming_down_between(texture, card, tmp_path):
    source = clip(tmp_path / "c.nut", frames=5, pixel_format="yuv420p")
    settings = ["delivery.width=48", "delivery.height=36", f"skin_texture.strength={texture}"]
    recipe = override(grainkit.load_recipe("social/reel"), settings)
    theirs = finished(source, recipe, "cpu", tmp_path / "a.mp4")
    card.log.clear()
    ours = finished(source, recipe, "cuda", tmp_path / "b.mp4")
    assert len(ours) == 5
    for a, b in zip(ours, theirs, strict=True):
        assert (a.pts, a.color, a.planes[0].shape) == (b.pts, b.color, (36, 48))
        for x, y in zip(a.planes, b.planes, strict=True):
            np.testing.assert_array_equal(x, y)
    if texture == "0":
        assert card.log.count("down") == 5
    assert card.log.count("weigh") >= 15


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("width", [None, 40])
def test_a_still_of_a_file_is_converted_on_the_card(width, depth, card, tmp_path):
    rng = np.random.default_rng(3)
    path = tmp_path / "p.png"
    Image.fromarray(rng.integers(0, 256, (50, 70, 3), np.uint8)).save(path)
    settings = ["skin_texture.strength=0", "delivery.still.container=png", f"delivery.still.depth={depth}"]
    size = ["delivery.width=40", "delivery.height=28"] if width else ["delivery.fit=keep"]
    recipe = override(grainkit.load_recipe("social"), [*settings, *size])
    (theirs,) = finished(path, recipe, "cpu", tmp_path / "a.png")
    card.log.clear()
    (ours,) = finished(path, recipe, "cuda", tmp_path / "b.png")
    np.testing.assert_array_equal(ours.rgb, theirs.rgb)
    work = [what for what in card.log if what not in ("up", "copy", "free")]
    resized = ["extent", "extent", "weigh"] * 3 if width else []
    assert work == ["from_rgb", *resized, "luma", "chroma", "to_rgb", "down"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_samples_that_nothing_touches_go_back_to_the_bits_they_came_with(dtype, card):
    rng = np.random.default_rng(5)
    rgb = rng.random((9, 31, 3)) if dtype == np.float32 else rng.integers(0, np.iinfo(dtype).max, (9, 31, 3))
    off = ("highlight_guard.strength=0", "cinema_grain.strength=0", "skin_texture.strength=0")
    rgb = rgb.astype(dtype)
    np.testing.assert_array_equal(grainkit.finish_array(rgb, backend="cuda", settings=off), rgb)
    assert "to_rgb" in card.log


def test_planes_of_the_callers_are_resized_where_they_are(card, cpu):
    frame = picture(0, (40, 150))
    held = frame.with_planes(tuple(card.asarray(p) for p in frame.planes))
    shape, working = geometry((40, 150), (75, 20), (0.0, 0.0, 150.0, 40.0)), Color(depth=32)
    cuda = CudaBackend()
    ours = cuda.conform(held, shape, working)
    assert "down" not in card.log
    for a, b in zip(ours.planes, cpu.conform(frame, shape, working).planes, strict=True):
        np.testing.assert_array_equal(a[:], b)
    with pytest.raises(InputError, match="cut their planes"):
        cuda.conform(held, Geometry((150, 40), (60, 20), 4.0, 2.0, 64.0, 22.0), frame.color)


def many(backend, count=7):
    """Frames resized and begun, some never, before the first result is asked for."""
    shape, working, found = geometry((40, 150), (75, 20), (0.0, 0.0, 150.0, 40.0)), Color(depth=32), []
    job = replace(KINDS[8], source=working, target=Color(), relief=(2, 2, 10, 20))
    tables, base = job.tables(), picture(0, (40, 150))
    for number in range(count):
        frame = replace(base, planes=tuple(np.roll(p, number, axis=1) for p in base.planes), index=number)
        ready = backend.conform(frame, shape, working)
        assert number or ready.planes[0][0, :].size == 75  # the analysis looks at it
        if number != 2:
            found.append(backend.begin(ready, tables, job.texture() if number % 2 else None))
    return [p for pending in found for p in pending.result().planes]


def test_memory_on_the_card_stays_within_the_limit(card):
    backend = CudaBackend()
    many(backend)
    after = card.most_used
    many(backend, 20)
    assert card.most_used == after
    backend.close()
    small = CudaBackend(device_memory=80_000)
    many(small)
    assert len(small._ways._lanes) == 1
    with pytest.raises(GrainkitError, match=r"150x40 takes .* raise --device-memory"):
        many(CudaBackend(device_memory=1000))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("IN_FLIGHT = ", "IN_FLIGHT = "),
        ("        self._cupy.cuda.get_current_stream().synchronize()  # weights", "        # weights"),
        ("        self.sent.synchronize()  # what", "        # what"),
        ("        lane.free()", "        pass"),
        ("with lane.stream:\n                memory", "if True:\n                memory"),
        ("        self.done.record(self.stream)\n", ""),
        ("bounded=not place.is_identity", "bounded=False"),
    ],
    ids=["none", "weights", "sent", "lane overwritten", "wrong stream", "done not recorded", "not bounded"],
)
def test_a_mistake_in_the_backend_is_caught(old, new, card, cpu):
    backend = mutated(old, new)()
    try:
        same = all(np.array_equal(a, b) for a, b in zip(many(backend), many(cpu), strict=True))
    except Race:
        same = False
    assert same == (old == new)


@pytest.mark.parametrize(
    "fault", ["tap too few", "tile one short", "wrong weights", "missing barrier of weigh", "missing barrier of extent"]
)
def test_a_planted_fault_is_caught(fault, card, install, cpu):
    install(stand_in(faulty(HostKernel, fault)))
    frame = picture(0, (67, 261))
    # A step whose ringing is held within its ends, which no single thread sees.
    frame.planes[0][:], frame.planes[0][:, 131:] = 60, 200
    with pytest.raises(AssertionError, match="Mismatched elements"):
        assert_conforms(frame, geometry(*RESIZES[0]), Color(depth=32), CudaBackend(), cpu)


def test_small_versions_are_made_of_whole_planes(card):
    """The kernel alone, on rows that begin anywhere."""
    cuda = CudaBackend()
    rng = np.random.default_rng(7)
    plane = rng.integers(0, 1024, (50, 300)).astype(np.uint16)
    down, across = covers(9, 1, 0.21, 50), covers(40, 3, 0.17, 297)
    held = CardPlane(card.asarray(plane)[:, 3:], cuda._resizer.weigher, nullcontext())
    np.testing.assert_array_equal(weighed(held, down, across), weighed(plane[:, 3:], down, across))


def test_planes_of_rgb_are_made_when_they_are_looked_at():
    rgb = np.zeros((4, 6, 3), np.uint8)
    planes = PlanesOfRgb(rgb, SRGB_STILL)
    frame = Frame(planes, SRGB_STILL, rgb=rgb)
    assert (len(planes), frame.width, frame.height) == (3, 6, 4)
    assert planes._made is None
    assert planes[0].shape == (4, 6)
    assert len(planes[1:]) == 2
