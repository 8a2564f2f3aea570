"""Jobs that every way of running the kernels is held to: colours, sizes, parameters' ends, awkward values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from grainkit.backends.base import Backend
from grainkit.backends.pass_term import PassTerm
from grainkit.backends.slots import OfLuma, tables_of
from grainkit.backends.tables import PassTables
from grainkit.effects.base import Context, filled
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.picture.color import Color, Range
from grainkit.picture.frame import Frame, Plane
from tests.passes import dtype_of, faded, lifted


@dataclass(frozen=True)
class Job:
    """One frame and what is done to it.

    side: what grain is sized for, the short side in px. relief: rectangle (top, left, height, width) or None.
    curve, factor: the slots luma_curve and chroma_by_luma.
    """

    source: Color
    target: Color
    size: tuple[int, int]
    grain: CinemaGrain = field(default_factory=lambda: CinemaGrain(strength=5.0, chroma=1.0))
    guard: HighlightGuard = field(default_factory=lambda: HighlightGuard(knee=0.7, ceiling=0.9))
    side: int = 1080
    index: int = 3
    relief: tuple[int, int, int, int] | None = None
    grey: bool = False
    curve: OfLuma | None = None
    factor: OfLuma | None = None

    def tables(self) -> PassTables:
        context = Context(source=self.source, target=self.target, width=self.side, height=self.side, seed=11)
        slots, _ = filled((self.guard, self.grain), context)
        if self.curve is not None:
            slots = slots.with_luma_curve(self.curve)
        if self.factor is not None:
            slots = slots.with_chroma_by_luma(self.factor)
        return tables_of(slots, source=self.source, target=self.target)

    def frame(self) -> Frame:
        planes = awkward(self.source, self.size)
        return Frame(planes[:1] if self.grey else planes, self.source, index=self.index)

    def texture(self) -> PassTerm | None:
        if self.relief is None:
            return None
        top, left, height, width = self.relief
        across, down = self.source.subsampling
        rng = np.random.default_rng(5)
        chroma = (-(-height // down), -(-width // across))
        terms = [rng.integers(-6000, 6000, shape).astype(np.int16) for shape in ((height, width), chroma, chroma)]
        return PassTerm(top, left, *terms)

    def finish(self, backend: Backend) -> tuple[Plane, ...]:
        return backend.finish(self.frame(), self.tables(), self.texture()).planes

    def __str__(self) -> str:
        colors = [f"{c.depth}{c.range.value[0]}" for c in (self.source, self.target)]
        across, down = self.source.subsampling
        return f"{'-'.join(colors)}-{across}{down}-{self.size[1]}x{self.size[0]}"


def awkward(color: Color, size: tuple[int, int]) -> tuple[Plane, ...]:
    """Smooth ramps, then noise over every code there is; float planes go beyond the range, without denormals."""
    rng = np.random.default_rng(size[0] * 1000 + size[1])
    across, down = color.subsampling
    height, width = size
    planes: list[Any] = []
    for number, shape in enumerate([size, *[(-(-height // down), -(-width // across))] * 2]):
        ramp = np.linspace(0.0, 1.0, shape[1])[None, :] * np.linspace(0.5, 1.0, shape[0])[:, None]
        values = np.where(rng.random(shape) < 0.5, ramp, rng.random(shape))
        if color.is_float:
            values = 1.5 * values - 0.25 - (0.5 if number else 0.0)
            planes.append(np.where(np.abs(values) < 1e-30, 0.0, values).astype(np.float32))
        else:
            planes.append(np.rint(values * ((1 << color.depth) - 1)).astype(dtype_of(color)))
    if color.is_float:
        planes[0].reshape(-1)[:5] = np.array([0.0, -0.0, 1.0, 65504.0, -2.0], np.float32)[: planes[0].size]
    return tuple(planes)


def _color(depth: int, subsampling: tuple[int, int] = (2, 2), range_: Range = Range.LIMITED) -> Color:
    return Color(depth=depth, subsampling=subsampling, range=range_)


def _job(source: int, target: int, subsampling: tuple[int, int], size: tuple[int, int], **more: Any) -> Job:
    color = _color(source, subsampling)
    return Job(color, replace(color, depth=target), size, **more)


#: Every combination of sample types and samplings that is built, each at a size with two tiles and odd edges.
KINDS = [
    _job(8, 8, (2, 2), (67, 261), relief=(20, 30, 30, 250)),
    _job(8, 10, (2, 2), (67, 259), relief=(0, 0, 67, 259)),
    _job(8, 8, (2, 1), (45, 150)),
    _job(8, 8, (1, 1), (45, 150)),
    _job(10, 8, (2, 2), (67, 131), relief=(2, 4, 10, 10)),
    _job(10, 10, (2, 1), (45, 263), relief=(30, 100, 40, 170)),
    _job(12, 12, (1, 1), (45, 150)),
    _job(16, 16, (2, 2), (45, 150)),
    _job(32, 32, (1, 1), (67, 150), relief=(10, 10, 40, 130)),
    _job(32, 32, (2, 2), (35, 131)),
    _job(32, 8, (2, 2), (35, 131)),
    _job(32, 16, (1, 1), (35, 131), relief=(10, 10, 40, 130)),
]


def slotted() -> list[Job]:
    """Jobs with the slots of luma filled, one by one and all together, with and without a shoulder."""
    eight, ten, sixteen, real, mixed = (replace(KINDS[kind], size=(40, 150), relief=None) for kind in (0, 5, 7, 8, 10))
    textured = [replace(KINDS[kind], curve=lifted, factor=faded) for kind in (0, 4, 5, 8, 11)]
    vivid = [replace(job, factor=lambda y: np.full_like(y, 40.0)) for job in (eight, sixteen, mixed)]
    return (
        textured
        + vivid
        + [
            changed
            for job in (eight, ten, sixteen, real, mixed)
            for changed in (
                replace(job, curve=lifted),
                replace(job, factor=faded),
                replace(job, curve=lifted, guard=OFF_GUARD),
                replace(job, factor=faded, guard=OFF_GUARD, grain=OFF_GRAIN),
            )
        ]
    )


SIZES = [(1, 1), (1, 40), (40, 1), (2, 3), (3, 2), (31, 127), (32, 128), (33, 129), (64, 256), (5, 16), (65, 17)]

OFF_GRAIN, OFF_GUARD = CinemaGrain(strength=0.0), HighlightGuard(strength=0.0)


def endings() -> list[Job]:
    """Parameters at their ends, alone and together, on the two commonest kinds."""
    eight, real = _job(8, 8, (2, 2), (40, 150)), _job(32, 32, (1, 1), (40, 150))
    return [
        changed
        for job in (eight, real)
        for changed in (
            replace(job, grain=OFF_GRAIN),
            replace(job, guard=OFF_GUARD),
            replace(job, grain=OFF_GRAIN, guard=OFF_GUARD, relief=(3, 5, 20, 50)),
            replace(job, grain=CinemaGrain(strength=24.0, chroma=1.0, curve="flat")),
            replace(job, grain=CinemaGrain(strength=1.0, chroma=0.0, size=0.3)),
            replace(job, grain=CinemaGrain(size=4.0), side=2160),
            replace(job, guard=HighlightGuard(strength=0.5, knee=0.5, ceiling=0.6)),
            replace(job, guard=HighlightGuard(strength=1.0, knee=0.99, ceiling=1.0)),
            replace(job, index=2**33 + 1),
            replace(job, grey=True),
        )
    ] + [
        replace(eight, target=replace(eight.source, range=Range.FULL)),
        replace(eight, source=replace(eight.source, range=Range.FULL)),
        replace(eight, source=replace(eight.source, range=Range.FULL), target=replace(eight.source, range=Range.FULL)),
    ]
