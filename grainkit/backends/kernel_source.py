"""The CUDA sources as text: found, made whole, and asked for their own parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_INCLUDE = re.compile(r'\s*#include\s+"([\w.]+)"')


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: `kind` is pointer, or the C type of a scalar."""

    name: str
    kind: str


def directory() -> Traversable:
    """Where the .cu and .cuh files are: in the wheel beside the package's modules, in a checkout at its top."""
    packaged = files("grainkit") / "_kernels"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "kernels"


def flatten(name: str) -> str:
    """The source of kernels/NAME.cu with its own headers written into it, each once.

    CuPy's cache of compiled kernels sees the source but not what it includes, so there must be nothing
    left to include.
    """
    return "\n".join(_lines(f"{name}.cu", set()))


def _lines(file: str, seen: set[str]) -> list[str]:
    seen.add(file)
    lines = [f'#line 1 "{file}"']
    for number, line in enumerate((directory() / file).read_text(encoding="utf-8").splitlines(), start=1):
        include = _INCLUDE.match(line)
        if include is None:
            lines.append("" if line.strip() == "#pragma once" else line)
        elif include[1] not in seen:
            lines += [*_lines(include[1], seen), f'#line {number + 1} "{file}"']
        else:
            lines.append("")
    return lines


def parameters(code: str, kernel: str) -> tuple[Parameter, ...]:
    """What the kernel of this name takes, in order, read from the source itself."""
    found = re.search(rf'extern "C" __global__ void[^;{{]*?\b{kernel}\(([^)]*)\)\s*\{{', code)
    if found is None:
        raise ValueError(f"no kernel {kernel} in this source")
    made = []
    for text in found[1].split(","):
        words = text.replace("__restrict__", "").replace("const ", "").replace("*", " * ").split()
        made.append(Parameter(words[-1], "pointer" if "*" in words else " ".join(words[:-1])))
    return tuple(made)
