"""What every kernel costs on every architecture: measured, and as the table in docs/cuda.md.

python -m tests.cudacheck.budgets     measures, and writes the table
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from grainkit.backends.cuda_launch import OPTIONS
from grainkit.backends.cuda_pass import variant
from grainkit.backends.kernel_source import flatten
from tests.cudacheck import nvrtc
from tests.cudacheck.pictures import KINDS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cuda.md"
BEGIN, END = "<!-- budgets -->\n", "<!-- end of budgets -->\n"
#: Kernel and -D options: the pass in three kinds (the others are the same code at other widths), and R'G'B'.
KERNELS = [
    *dict.fromkeys(variant(plane, KINDS[i].tables()) for i in (0, 5, 8) for plane in ("luma", "chroma")),
    ("from_rgb", ("-DSOURCE_BITS=8",)),
    ("to_rgb", ("-DTARGET_BITS=8",)),
    *(("weigh", (f"-DSOURCE_BITS={bits}",)) for bits in (8, 16, 32)),
    ("premultiply", ("-DSOURCE_BITS=8",)),
    ("straight", ()),
    ("extent", ("-DSOURCE_BITS=8",)),
    ("part", ("-DSAMPLE_BITS=16", "-DWOVEN=2")),
]
Budget = dict[tuple[str, tuple[str, ...], int], nvrtc.Facts]


def built(kernel: tuple[str, tuple[str, ...]], arch: int) -> nvrtc.Built:
    """One kernel compiled as the backend asks CuPy to."""
    name, defines = kernel
    return nvrtc.compile_kernel(flatten(name), (*OPTIONS, *defines), arch)


def measured() -> Budget:
    """Facts of every kernel on every architecture."""
    wanted = [(kernel, arch) for kernel in KERNELS for arch in nvrtc.ARCHITECTURES]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda w: nvrtc.facts(built(*w)), wanted)
        return {(*kernel, arch): facts for (kernel, arch), facts in zip(wanted, found, strict=True)}


def table(budget: Budget, version: str) -> str:
    """The budget as Markdown: a row per kernel, registers per architecture."""
    lines = [
        f"NVRTC {version}. Spills, stack, local memory and float64 instructions: none anywhere.",
        "",
        "| kernel | built with | 16-byte loads, stores | registers on sm_"
        + ", ".join(map(str, nvrtc.ARCHITECTURES))
        + " |",
        "|---|---|---|---|",
    ]
    for name, defines in KERNELS:
        facts = [budget[name, defines, arch] for arch in nvrtc.ARCHITECTURES]
        wide = " or ".join(dict.fromkeys(f"{f.wide_loads}, {f.wide_stores}" for f in facts))
        registers = ", ".join(str(f.registers) for f in facts)
        lines.append(f"| `{name}` | {' '.join(d[2:] for d in defines)} | {wide} | {registers} |")
    return "\n".join(lines) + "\n"


def documented() -> str:
    """The table that docs/cuda.md holds."""
    return DOCUMENT.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    DOCUMENT.write_text(head + BEGIN + table(measured(), nvrtc.version()) + END + tail, encoding="utf-8")


if __name__ == "__main__":
    main()
