"""Every kernel of a backend run on this machine, and compared bit for bit with the CPU's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from grainkit.backends.base import Backend
from grainkit.backends.pass_term import PassTerm
from grainkit.backends.slots import tables_of
from grainkit.backends.tables import PassTables
from grainkit.effects.base import Context, filled
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.resample import Geometry

#: Width and height: several tiles of the kernels, and odd edges.
SIZE = (613, 333)
DEPTHS = ((8, 8), (8, 10), (10, 8), (10, 10), (16, 16), (32, 32), (32, 8), (32, 16))
#: Depths of pictures that are resized.
RESIZED = (8, 16, 32)
SAMPLINGS = {(2, 2): "4:2:0", (2, 1): "4:2:2", (1, 1): "4:4:4"}


@dataclass(frozen=True)
class Case:
    """One way of storing a picture, before and after the pass. graded: with a luma curve and less colour in shadows."""

    source: Color
    target: Color
    graded: bool = False

    def __str__(self) -> str:
        depths = ["float" if c.is_float else f"{c.depth} bit" for c in (self.source, self.target)]
        graded = ", graded" if self.graded else ""
        return f"{SAMPLINGS[self.source.subsampling]} {' to '.join(dict.fromkeys(depths))}{graded}"


CASES = (
    *(
        Case(Color(depth=source, subsampling=sampling), Color(depth=target, subsampling=sampling))
        for source, target in DEPTHS
        for sampling in SAMPLINGS
    ),
    *(Case(Color(depth=depth), Color(depth=depth), graded=True) for depth in (8, 10, 16, 32)),
)


@dataclass(frozen=True)
class Outcome:
    """What came of one case: how many samples were compared, how many differ, and by how much at most (codes).

    what: was done instead of the pass.
    """

    case: Case
    samples: int
    differing: int
    largest: float
    what: str = ""

    def __str__(self) -> str:
        return f"{self.case} {self.what}".rstrip()


def compare(backend: Backend, reference: Backend, cases: Iterable[Case] = CASES) -> Iterator[Outcome]:
    """All effects on a drawn picture per case, with relief over a part of it, on both backends."""
    for case in cases:
        frame, texture = _picture(case.source), _relief(case.source)
        tables = _tables(case)
        pairs = zip(*(b.finish(frame, tables, texture).planes for b in (backend, reference)), strict=True)
        apart = [np.abs(a.astype(np.float64) - b.astype(np.float64)) for a, b in pairs]
        yield Outcome(
            case, sum(d.size for d in apart), sum(int(np.count_nonzero(d)) for d in apart),
            max(float(d.max()) for d in apart) * (255.0 if case.target.is_float else 1.0),
        )  # fmt: skip


def compare_resizing(backend: Backend, reference: Backend) -> Iterator[Outcome]:
    """A drawn picture of every sample type made smaller and larger on both backends, and smaller with alpha."""
    for depth in RESIZED:
        case = Case(Color(depth=depth), Color(depth=32))
        opaque = _picture(case.source)
        for scale, what in ((0.67, ""), (1.31, ""), (0.67, " with alpha")):
            frame = replace(opaque, alpha=opaque.planes[0][::-1, ::-1].copy()) if what else opaque
            size = int(SIZE[0] * scale), int(SIZE[1] * scale)
            shape = Geometry(SIZE, size, -1.5, 0.0, float(SIZE[0]), float(SIZE[1]))
            ours, theirs = (b.conform(frame, shape, case.target).planes for b in (backend, reference))
            apart = [np.abs(a[:].astype(np.float64) - b.astype(np.float64)) for a, b in zip(ours, theirs, strict=True)]
            yield Outcome(
                case, sum(d.size for d in apart), sum(int(np.count_nonzero(d)) for d in apart),
                max(float(d.max()) for d in apart) * 255.0, f"resized to {size[0]}x{size[1]}{what}",
            )  # fmt: skip


def _tables(case: Case) -> PassTables:
    context = Context(source=case.source, target=case.target, width=1080, height=1080, seed=7)
    slots, _ = filled((HighlightGuard(knee=0.7, ceiling=0.9), CinemaGrain(strength=4.0, chroma=1.0)), context)
    if case.graded:
        slots = slots.with_luma_curve(lambda y: 0.05 + y * (1.4 - 0.5 * y)).with_chroma_by_luma(np.sqrt)
    return tables_of(slots, source=case.source, target=case.target)


def _picture(color: Color) -> Frame:
    """Every code there is, as ramps and as noise; float planes go a little beyond the range."""
    rng = np.random.default_rng(1)
    across, down = color.subsampling
    width, height = SIZE
    planes: list[Plane] = []
    for plane, (h, w) in enumerate([(height, width), *[(-(-height // down), -(-width // across))] * 2]):
        values = np.where(rng.random((h, w)) < 0.5, np.linspace(0.0, 1.0, w), rng.random((h, w)))
        if color.is_float:
            planes.append(np.asarray(1.2 * values - 0.1 - (0.5 if plane else 0.0), np.float32))
        else:
            codes = np.rint(values * ((1 << color.depth) - 1))
            planes.append(codes.astype(np.uint8) if color.depth == 8 else codes.astype(np.uint16))
    return Frame(tuple(planes), replace(color), index=5)


def _relief(color: Color) -> PassTerm:
    rng = np.random.default_rng(2)
    across, down = color.subsampling
    height, width = SIZE[1] // 2, SIZE[0] // 2
    chroma = (-(-height // down), -(-width // across))
    luma, cb, cr = (rng.integers(-3000, 3000, shape).astype(np.int16) for shape in ((height, width), chroma, chroma))
    return PassTerm(40, 60, luma, cb, cr)
