"""The structs that kernels take are the same in Python and in the sources, as both compilers lay them out."""

from __future__ import annotations

import re
from typing import get_type_hints

import numpy as np
import pytest

from grainkit.backends import kernel_arguments as told
from grainkit.backends.cuda_launch import OPTIONS
from grainkit.backends.kernel_source import flatten
from tests.cudacheck import host, nvrtc
from tests.cudacheck.stand_in import fields

#: Kernel, -D options, its arguments, and what stands in their field `tone`.
STRUCTS = [
    ("luma", ("-DSOURCE_BITS=8", "-DTARGET_BITS=16"), told.LumaArguments, told.LumaTone),
    ("luma", ("-DSOURCE_BITS=32", "-DTARGET_BITS=8"), told.LumaArguments, told.FloatLumaTone),
    ("chroma", ("-DSOURCE_BITS=16", "-DTARGET_BITS=8", "-DACROSS=2", "-DDOWN=2"), told.ChromaArguments,
     told.ChromaTone),
    ("chroma", ("-DSOURCE_BITS=32", "-DTARGET_BITS=32", "-DACROSS=1", "-DDOWN=1"), told.ChromaArguments,
     told.FloatChromaTone),
    ("from_rgb", ("-DSOURCE_BITS=8",), told.FromRgbArguments, None),
    ("to_rgb", ("-DTARGET_BITS=16",), told.ToRgbArguments, None),
    ("weigh", ("-DSOURCE_BITS=8",), told.WeighArguments, None),
    ("premultiply", ("-DSOURCE_BITS=16",), told.PremultiplyArguments, None),
    ("straight", (), told.StraightArguments, None),
    ("extent", ("-DSOURCE_BITS=32",), told.ExtentArguments, None),
    ("part", ("-DSAMPLE_BITS=8", "-DWOVEN=2"), told.PartArguments, None),
]  # fmt: skip
WORDS = {"i4": "int", "u4": "unsigned int", "i8": "long long", "f4": "float"}


def zeros(kind, tone):
    """Arguments that are all zero."""
    hints = get_type_hints(kind, include_extras=True)
    kinds = {name: tone if name == "tone" else hint for name, hint in hints.items()}
    return kind(*(zeros(k, None) if hasattr(k, "_fields") else 0 for k in kinds.values()))


def bindings(dtype: np.dtype, path: str, names: list[str]) -> list[str]:
    """A declaration that takes each struct apart, which compiles for the right number of fields only."""
    parts = ", ".join(f"{'_'.join(names)}{number}" for number in range(len(dtype.fields)))
    lines = [f"[[maybe_unused]] const auto& [{parts}] = {path};"]
    for name, (inner, *_) in dtype.fields.items():
        if inner.fields:
            lines += bindings(inner, f"{path}.{name}", [*names, name])
    return lines


def checked(name: str, dtype: np.dtype) -> str:
    """Source that compiles where the kernel's struct is laid out like this."""
    lines = [
        "template <class T> T taken(void (*)(T));",
        "template <class A, class B> struct Same { enum { value = 0 }; };",
        "template <class A> struct Same<A, A> { enum { value = 1 }; };",
        "template <class A> struct Points { enum { value = 0 }; };",
        "template <class A> struct Points<A*> { enum { value = 1 }; };",
        f"typedef decltype(taken({name})) Taken;",
        f'static_assert(sizeof(Taken) == {dtype.itemsize}, "size");',
    ]
    for path, (offset, kind) in fields(dtype).items():
        word = WORDS.get(f"{kind.kind}{kind.itemsize}")
        one = f"decltype(((Taken*)nullptr)->{path})"
        lines.append(f'static_assert(__builtin_offsetof(Taken, {path}) == {offset}, "offset of {path}");')
        same = f"Same<{one}, {word}>" if word else f"Points<{one}>"
        lines.append(f'static_assert({same}::value, "type of {path}");')
    body = "\n".join(bindings(dtype, "taken", ["part"]))
    return "\n".join([*lines, f"__device__ void take_apart(const Taken& taken) {{ {body} }}"])


@pytest.mark.parametrize(("name", "defines", "kind", "tone"), STRUCTS, ids=lambda v: v if isinstance(v, str) else "")
def test_nvrtc_lays_them_out_as_numpy_does(name, defines, kind, tone):
    if nvrtc.missing():
        pytest.skip(nvrtc.missing())
    code = f"{flatten(name)}\n{checked(name, told.layout(zeros(kind, tone)))}"
    nvrtc.compile_kernel(code, (*OPTIONS, *defines), 86)


@pytest.mark.parametrize(("name", "defines", "kind", "tone"), STRUCTS, ids=lambda v: v if isinstance(v, str) else "")
def test_gcc_lays_them_out_as_numpy_does(name, defines, kind, tone):
    if host.missing():
        pytest.skip(host.missing())
    dtype = told.layout(zeros(kind, tone))
    theirs = host.fields(flatten(name), name, defines, tuple(fields(dtype)))
    assert theirs.size == dtype.itemsize
    for path, (offset, plain) in fields(dtype).items():
        at, word = theirs.fields[path]
        assert (at, "u8" if "*" in word else word) == (offset, f"{plain.kind}{plain.itemsize}"), path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("int width, height, blocks;", "int height, width, blocks;", "offset of width"),
        ("int width, height, blocks;", "int width, height; u32 blocks;", "type of blocks"),
        ("int width, height, blocks;", "int width, height, blocks, more;", "binding"),
        ("float* pairs;", "float* pairs; int more;", "size"),
        ("float* pairs;", "long long pairs;", "type of pairs"),
    ],
)
def test_a_difference_is_caught(old, new, said):
    if nvrtc.missing():
        pytest.skip(nvrtc.missing())
    code = flatten("extent")
    assert old in code
    dtype = told.layout(zeros(told.ExtentArguments, None))
    with pytest.raises(nvrtc.CompileError, match=said):
        nvrtc.compile_kernel(f"{code.replace(old, new)}\n{checked('extent', dtype)}", (*OPTIONS, "-DSOURCE_BITS=8"), 86)


def test_every_kernel_there_is_has_its_struct():
    sources = host.HEADER.parents[2] / "kernels"
    assert {name for name, *_ in STRUCTS} == {path.stem for path in sources.glob("*.cu")}
    for name, _, kind, _ in STRUCTS:
        assert re.search(rf"\b{name}\(const {kind.__name__} a\)", (sources / f"{name}.cu").read_text())


def test_values_that_do_not_fit_are_refused():
    arguments = zeros(told.ExtentArguments, None)
    dtype = told.layout(arguments)
    assert told.packed(arguments._replace(blocks=-3), dtype)["blocks"] == -3
    with pytest.raises(OverflowError):
        told.packed(arguments._replace(blocks=1 << 31), dtype)
