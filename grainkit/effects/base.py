"""What every effect is built on: what it may know of the job it works for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from grainkit.picture.color import Color


@dataclass(frozen=True)
class Context:
    """All that an effect may know of a job: never a plan, a file or a codec.

    kind: what is delivered: still, clip, sequence or pipe.
    source, target: colours of the planes before and after the pass.
    width, height: of the planes that the effect works on, luma px.
    dpi: dots per inch of the delivery, 0 where unknown. rate: mean frames per second, None for a still.
    seed: the recipe's. picture_seed: the same for clips; a still's own, by its pixels.
    """

    kind: str
    source: Color
    target: Color
    width: int
    height: int
    dpi: float
    rate: Fraction | None
    seed: int
    picture_seed: int
