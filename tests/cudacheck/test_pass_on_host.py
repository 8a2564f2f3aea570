"""The sources in kernels/, built by g++ and run on the CPU, against the CPU backend: the same bits."""

from __future__ import annotations

import os
import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from grainkit.backends.cuda import CudaBackend
from grainkit.backends.cuda_pass import variant
from grainkit.backends.kernel_source import flatten
from tests.cudacheck import host
from tests.cudacheck.faults import faulty
from tests.cudacheck.host import HostKernel
from tests.cudacheck.pictures import KINDS, SIZES, Job, endings, slotted
from tests.cudacheck.stand_in import stand_in


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """The kernels of all kinds, side by side: each takes a compiler of its own."""
    if host.missing():
        return
    wanted = dict.fromkeys(variant(plane, job.tables()) for job in KINDS for plane in ("luma", "chroma"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda kernel: host.build(flatten(kernel[0]), *kernel), wanted))


def assert_same(job: Job, cuda, cpu) -> None:
    for name, ours, theirs in zip(["Y", "Cb", "Cr"], job.finish(cuda), job.finish(cpu), strict=False):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs, err_msg=f"{name} of {job}")


@pytest.mark.parametrize("job", KINDS, ids=str)
def test_every_kind_of_plane_comes_out_as_on_the_cpu(job, card, cpu):
    cuda = CudaBackend()
    assert_same(job, cuda, cpu)
    cuda.close()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", [0, 5, 8], ids=["8-bit 4:2:0", "10-bit 4:2:2", "float 4:4:4"])
def test_every_size_comes_out_as_on_the_cpu(kind, size, card, cpu):
    assert_same(replace(KINDS[kind], size=size, relief=(0, 0, 64, 40)), CudaBackend(), cpu)


@pytest.mark.parametrize("job", endings(), ids=str)
def test_parameters_at_their_ends_come_out_as_on_the_cpu(job, card, cpu):
    assert_same(job, CudaBackend(), cpu)


@pytest.mark.parametrize("job", slotted(), ids=str)
def test_slots_come_out_as_on_the_cpu(job, card, cpu):
    assert_same(job, CudaBackend(), cpu)


@pytest.mark.parametrize("order", [1, 77])
@pytest.mark.parametrize("kind", [0, 8])
def test_the_order_of_a_blocks_threads_does_not_matter(order, kind, install, cpu, card):
    install(stand_in(lambda code, name, options: HostKernel(code, name, options, order=order)))
    assert_same(replace(KINDS[kind], size=(40, 150)), CudaBackend(), cpu)


def test_infinities_and_no_numbers_come_out_as_on_the_cpu(card, cpu):
    job = replace(KINDS[8], size=(5, 40), relief=None)
    frame = job.frame()
    for plane in frame.planes:
        plane[2, :3] = np.nan, np.inf, -np.inf
    ours, theirs = (b.finish(frame, job.tables()).planes for b in (CudaBackend(), cpu))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_denormals_are_the_one_difference_and_stay_below_any_code(card, cpu):
    """CuPy always compiles with -ftz=true: what is smaller than the smallest normal number becomes 0."""
    job = replace(KINDS[8], size=(3, 40), relief=None)
    planes = [p.copy() for p in job.frame().planes]
    planes[0][1, :4] = 1e-40, -1e-41, 1e-39, -1e-38
    frame = replace(job.frame(), planes=tuple(planes))
    ours, theirs = (b.finish(frame, job.tables()).planes for b in (CudaBackend(), cpu))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=np.finfo(np.float32).tiny)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("wrong halo", "Mismatched elements"),
        ("short halo", "Mismatched elements"),
        ("swapped argument", "Mismatched elements"),
        ("missing barrier", "Mismatched elements"),
        ("early return", "threads left before the barrier"),
        ("float64 scalar", "f4 for f8"),
    ],
)
def test_a_planted_fault_is_caught(fault, said, card, install, cpu):
    install(stand_in(faulty(HostKernel, fault)))
    job = replace(KINDS[10 if fault == "float64 scalar" else 0], size=(40, 150), relief=None, grey=True)
    with pytest.raises((AssertionError, RuntimeError), match=said):
        assert_same(job, CudaBackend(), cpu)


def test_products_and_sums_fused_are_caught(card, install, cpu):
    """What --fmad=true, NVRTC's default, would do to the pictures."""
    if platform.machine() != "x86_64":
        pytest.skip("this processor is not told how to fuse")
    install(stand_in(lambda code, name, options: HostKernel(code, name, options, "fused")))
    with pytest.raises(AssertionError, match="Mismatched elements"):
        assert_same(replace(KINDS[8], size=(40, 150)), CudaBackend(), cpu)
