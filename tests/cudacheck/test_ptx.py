"""The PTX that NVRTC emits for every architecture, interpreted: the CPU backend's bits, no race, whole sectors."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from grainkit.backends.cuda import CudaBackend
from grainkit.backends.cuda_launch import OPTIONS
from grainkit.backends.cuda_pass import variant
from grainkit.backends.kernel_source import flatten
from grainkit.picture import rgb as convert
from grainkit.picture.color import SRGB_STILL, Color
from grainkit.picture.resample import Geometry
from grainkit.picture.taps import lanczos
from tests.cudacheck import host, nvrtc
from tests.cudacheck.faults import faulty
from tests.cudacheck.pictures import KINDS
from tests.cudacheck.ptx import PtxError, PtxKernel
from tests.cudacheck.stand_in import stand_in
from tests.cudacheck.test_resize import assert_conforms, picture, see_through
from tests.passes import faded, lifted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(nvrtc.missing() or host.missing()), reason=nvrtc.missing() or host.missing()),
]

#: 8-bit 4:2:0, 10-bit 4:2:2 and float 4:4:4, with relief, in two tiles and a bit.
JOBS = [replace(KINDS[kind], size=(33, 131), relief=(10, 10, 20, 121)) for kind in (0, 5, 8)]
#: With the slots of luma filled, in less than a tile.
SLOTTED = [replace(KINDS[kind], size=(9, 37), relief=(2, 4, 5, 20), curve=lifted, factor=faded) for kind in (0, 8)]
#: Architectures whose PTX differs; the others' is the same text. The pass, and what is around it.
DISTINCT, AROUND = (75, 100), (75, 100, 120)


def body(ptx: str) -> str:
    """PTX without the lines that name what it is for."""
    return "\n".join(line for line in ptx.splitlines() if not line.startswith(("//", ".version", ".target")))


class Executor:
    """Compiles with NVRTC and interprets; remembers what it ran."""

    def __init__(self, arch: int) -> None:
        self.arch, self.kernels = arch, []

    def __call__(self, code, name, options):
        ptx = nvrtc.compile_kernel(code, tuple(options), self.arch).ptx
        self.kernels.append(PtxKernel(ptx, (code, name, tuple(options))))
        return self.kernels[-1]

    def requests(self) -> Counter[str]:
        return sum((k.requests for k in self.kernels), Counter())


@pytest.mark.parametrize("job", JOBS, ids=str)
@pytest.mark.parametrize("arch", DISTINCT)
def test_it_gives_the_cpus_bits_without_a_race_and_fills_its_sectors(job, arch, install, cpu):
    executor = Executor(arch)
    install(stand_in(executor))
    for ours, theirs in zip(job.finish(CudaBackend()), job.finish(cpu), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    asked = executor.requests()
    wide = [k.removesuffix(" sectors") for k in asked if k.endswith("16 sectors")]
    assert sorted(wide)[:1] == ["ld16"]
    for size in wide:
        assert asked[f"{size} sectors"] == asked[f"{size} least"]


@pytest.mark.parametrize("job", SLOTTED, ids=str)
@pytest.mark.parametrize("arch", DISTINCT)
def test_slots_give_the_cpus_bits(job, arch, install, cpu):
    install(stand_in(Executor(arch)))
    for ours, theirs in zip(job.finish(CudaBackend()), job.finish(cpu), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("arch", AROUND)
def test_rgb_on_the_card_goes_and_comes_with_the_cpus_bits(dtype, arch, install):
    cupy = install(stand_in(Executor(arch)))
    rgb = np.random.default_rng(3).random((9, 131, 3))
    rgb = rgb.astype(dtype) if dtype == np.float32 else (rgb * np.iinfo(dtype).max).astype(dtype)
    color, cuda, held = SRGB_STILL, CudaBackend(), cupy.asarray(rgb)
    ours, theirs = cuda.planes_from_rgb(held, color), convert.planes_from_rgb(rgb, color)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.get(), b)
    # Every third row is touched; the others go back to the bits they came with.
    moved = [p.copy() for p in theirs]
    moved[0][::3] += np.float32(0.03)
    told = {"seed": 5, "frame": 7}
    back = cuda.rgb_from_planes(tuple(cupy.asarray(p) for p in moved), color, dtype, origin=held, **told)
    np.testing.assert_array_equal(back.get(), convert.rgb_from_planes(tuple(moved), color, dtype, origin=rgb, **told))


@pytest.mark.parametrize("kind", [0, 5, 8])
@pytest.mark.parametrize("arch", AROUND)
def test_a_resized_picture_has_the_cpus_bits(kind, arch, install, cpu):
    executor = Executor(arch)
    install(stand_in(executor))
    cuda, frame, working = CudaBackend(), picture(kind, (40, 140)), Color(depth=32)
    for wanted, region in (((70, 21), (0.0, 0.0, 140.0, 40.0)), ((150, 43), (1.5, -1.0, 120.0, 40.0))):
        assert_conforms(frame, Geometry((140, 40), wanted, *region), working, cuda, cpu)
    asked = executor.requests()
    # Chroma planes' rows and the weights' begin where they begin; what is loaded by sixteen bytes fills sectors.
    assert asked["ld16 sectors"] == asked["ld16 least"] > 0


@pytest.mark.parametrize("kind", [0, 8])
@pytest.mark.parametrize("arch", AROUND)
def test_a_resized_picture_with_alpha_has_the_cpus_bits(kind, arch, install, cpu):
    install(stand_in(Executor(arch)))
    frame = picture(kind, (40, 140))
    top = 1.0 if frame.color.is_float else 255
    frame = replace(frame, alpha=see_through((40, 140), top, frame.planes[0].dtype.type))
    assert_conforms(frame, Geometry((140, 40), (70, 21), 0.0, 0.0, 140.0, 40.0), Color(depth=32), CudaBackend(), cpu)


@pytest.mark.parametrize(
    "kernel",
    [
        *dict.fromkeys(variant(plane, job.tables()) for job in JOBS for plane in ("luma", "chroma")),
        *(
            (name, (f"-DSOURCE_BITS={bits}",))
            for name in ("weigh", "extent", "from_rgb", "premultiply")
            for bits in (8, 16, 32)
        ),
        ("straight", ()),
        *(("to_rgb", (f"-DTARGET_BITS={bits}",)) for bits in (8, 16, 32)),
        *(("part", (f"-DSAMPLE_BITS={bits}", f"-DWOVEN={count}")) for bits in (8, 16) for count in (1, 2)),
    ],
    ids=str,
)
def test_all_architectures_share_the_ptx_that_was_interpreted(kernel):
    name, defines = kernel
    texts = {a: body(nvrtc.compile_kernel(flatten(name), (*OPTIONS, *defines), a).ptx) for a in nvrtc.ARCHITECTURES}
    for arch, text in texts.items():
        seen = DISTINCT if name in ("luma", "chroma") else AROUND
        assert text == texts[max(d for d in seen if d <= arch)], arch


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing barrier", "race"),
        ("missing last barrier", "race"),
        ("right edge", "out of bounds|two threads write"),
        ("lower edge", "out of bounds"),
        ("early return", "left before a barrier"),
    ],
)
def test_a_planted_fault_is_caught(fault, said, install):
    cupy = install(stand_in(faulty(Executor(75), fault)))
    job = replace(JOBS[0], grey=True, relief=None)
    # Tight planes on the card: a sample too many is the next row's, or beyond the end.
    frame = job.frame().with_planes(tuple(cupy.asarray(p) for p in job.frame().planes[:1]))
    with pytest.raises(PtxError, match=said):
        CudaBackend().finish(frame, job.tables())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing barrier of weigh", "nobody wrote|race"),
        ("missing barrier of extent", "nobody wrote|race"),
        ("tile one too wide", "out of bounds|two threads write"),
    ],
)
def test_a_fault_planted_into_a_resize_is_caught(fault, said, install):
    cupy = install(stand_in(faulty(Executor(75), fault)))
    plane = cupy.asarray(picture(0, (20, 70)).planes[0])
    weigher = CudaBackend()._resizer.weigher
    down, across = lanczos(10, 0.0, 20.0, 20), lanczos(35, 0.0, 70.0, 70)
    with pytest.raises(PtxError, match=said):
        weigher.weighed(plane, down, across, level=(16.0, 219.0), bounded=True).get()


def test_an_instruction_that_is_not_known_is_an_error():
    ptx = ".visible .entry k(\n)\n{\n\t.reg .b32 %r<2>;\n\tpopc.b32 %r1, %r0;\n\tret;\n\n}\n"
    with pytest.raises(PtxError, match="unknown instruction: popc"):
        PtxKernel(ptx, ("", "k", ()))
