"""What NVRTC and ptxas say of the kernels, with no device: they compile, without warnings, within budget."""

from __future__ import annotations

import re

import pytest

from grainkit.backends.cuda_launch import OPTIONS
from grainkit.backends.cuda_pass import variant
from grainkit.backends.kernel_source import flatten
from tests.cudacheck import budgets, nvrtc
from tests.cudacheck.faults import planted
from tests.cudacheck.pictures import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(nvrtc.missing()), reason=nvrtc.missing())]


@pytest.fixture(scope="module")
def measured():
    return budgets.measured()


def test_no_kernel_spills_or_touches_local_memory_or_doubles_on_any_architecture(measured):
    assert {arch for *_, arch in measured} == {75, 80, 86, 89, 90, 100, 120}
    for which, facts in measured.items():
        assert (facts.spills, facts.stack, facts.local, facts.double) == (0, 0, 0, 0), which
        # Two blocks of 256 threads must fit into the 65536 registers of a multiprocessor.
        assert facts.registers <= 128, which


def test_the_table_in_the_docs_is_what_was_measured(measured):
    found = re.search(r"NVRTC (\d+\.\d+)", budgets.documented())
    assert found is not None
    if found[1] != nvrtc.version():
        pytest.skip(f"the table is NVRTC {found[1]}'s, here is {nvrtc.version()}; python -m tests.cudacheck.budgets")
    assert budgets.documented() == budgets.table(measured, nvrtc.version())


EVERY_KERNEL = [
    *dict.fromkeys(variant(plane, job.tables()) for job in KINDS for plane in ("luma", "chroma")),
    *(
        (name, (f"-DSOURCE_BITS={bits}",))
        for name in ("from_rgb", "weigh", "extent", "premultiply")
        for bits in (8, 16, 32)
    ),
    ("straight", ()),
    *(("part", (f"-DSAMPLE_BITS={bits}", f"-DWOVEN={count}")) for bits in (8, 16) for count in (1, 2)),
    *(("to_rgb", (f"-DTARGET_BITS={bits}",)) for bits in (8, 16, 32)),
]


@pytest.mark.parametrize(("name", "defines"), EVERY_KERNEL, ids=lambda v: v if isinstance(v, str) else " ".join(v))
def test_every_kernel_compiles_without_a_warning(name, defines):
    ptx = nvrtc.compile_kernel(flatten(name), (*OPTIONS, *defines), 86).ptx
    assert not re.search(r"\bfma\.", ptx)
    assert ".f64" not in ptx
    # Without .rn ptxas may fuse a product and a sum by itself.
    assert not re.search(r"\b(mul|add|sub)\.(ftz\.)?f32", ptx)


def test_contraction_left_on_is_caught():
    name, defines = variant("luma", KINDS[8].tables())
    options = tuple(o for o in OPTIONS if o != "--fmad=false")
    assert re.search(r"\bfma\.", nvrtc.compile_kernel(flatten(name), (*options, *defines), 86).ptx)


def test_a_float64_scalar_is_caught():
    name, defines = variant("luma", KINDS[10].tables())
    built = nvrtc.compile_kernel(planted(flatten(name), "float64 scalar"), (*OPTIONS, *defines), 86)
    assert ".f64" in built.ptx
    assert nvrtc.facts(built).double > 0


def test_a_warning_is_an_error():
    code = flatten("luma").replace("const bool touched =", "const int unused = 1;\n        const bool touched =")
    with pytest.raises(nvrtc.CompileError, match="unused"):
        nvrtc.compile_kernel(code, (*OPTIONS, *variant("luma", KINDS[0].tables())[1]), 86)
