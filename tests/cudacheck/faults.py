"""Mistakes planted into the kernels' sources, to see that a step of the ladder catches each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.cudacheck.stand_in import Executor

_FILTERED = "filter_row(whites + i / width * pitch + radius + i % width, taps, radius);\n"
_MIXED = "enlarge(centre, blend(near[2], far[2])), coarse_weight);\n    }\n"
_TILE = "    const int left = (int)blockIdx.x * TILE_W, first = (int)blockIdx.y * TILE_H;\n"
_BARRIER = "__syncthreads();"

#: Name to (what stands in the source, what the mistake makes of it), at its first place.
FAULTS: dict[str, tuple[str, str]] = {
    "wrong halo": ("half_left = left / 2 - 1", "half_left = left / 2"),
    "short halo": ("round_up(offset + TILE_H + 2 * fine_ry, 4)", "round_up(offset + TILE_H + fine_ry, 4)"),
    "right edge": ("        if (x + i < width)\n", "        if (x + i <= width)\n"),
    "lower edge": ("if (x >= a.width || y >= a.height)", "if (x >= a.width || y > a.height)"),
    "missing barrier": (f"{_FILTERED}        {_BARRIER}", _FILTERED),
    "missing last barrier": (f"{_MIXED}    {_BARRIER}", _MIXED),
    "swapped argument": (
        "mix(odd, fine_weight, enlarge(centre, blend(near[2], far[2])), coarse_weight)",
        "mix(odd, coarse_weight, enlarge(centre, blend(near[2], far[2])), fine_weight)",
    ),
    "float64 scalar": ("float knee, curvature, strength;", "float knee, curvature; double strength;"),
    "tap too few": ("tap < a.across_taps", "tap < a.across_taps - 1"),
    "tile one short": ("min(left + a.tile_width, a.width)", "min(left + a.tile_width, a.width - 1)"),
    "tile one too wide": ("x < right; x += 32", "x <= right; x += 32"),
    "wrong weights": ("(long long)tap * a.width + x)", "(long long)tap * a.width + x + (x + 1 < a.width))"),
    "missing barrier of weigh": (
        f"        }}\n    {_BARRIER}\n\n    const float least",
        "        }\n\n    const float least",
    ),
    "missing barrier of extent": (f"most[me] = high;\n    {_BARRIER}", "most[me] = high;"),
    "early return": (_TILE, f"{_TILE}    if (left + (int)threadIdx.x >= a.width) return;\n"),
}

#: Those of them that are in the kernels of a resize.
RESIZING = ("tap too few", "tile one short", "tile one too wide", "wrong weights", "missing barrier of weigh",
            "missing barrier of extent")  # fmt: skip


def planted(code: str, fault: str) -> str:
    """The source with this mistake in it."""
    good, bad = FAULTS[fault]
    assert good in code, f"{fault}: the source has changed, and the fault with it must"
    return code.replace(good, bad, 1)


def faulty(executor: Callable[[str, str, Sequence[str]], Executor], fault: str) -> Callable[..., Executor]:
    """An executor that plants the mistake into every source where it can be made."""
    here = FAULTS[fault][0]
    return lambda code, name, options: executor(planted(code, fault) if here in code else code, name, options)
