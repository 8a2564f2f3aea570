"""The CUDA sources as text: found, and made whole."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_INCLUDE = re.compile(r'\s*#include\s+"([\w.]+)"')


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
