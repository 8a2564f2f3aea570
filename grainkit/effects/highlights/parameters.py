"""Highlight protection: a shoulder that leaves the codec room above white, with hue held.

A codec overshoots: highlights clipped at 255 decode far above it, and hue breaks where only some
channels clip (CODEC.md B2). So luma rolls off above a knee to a ceiling, and chroma is scaled by
the slope of the same shoulder between luma Y and the largest channel M:

    Y1 = roll(Y),  q = (roll(M) - roll(Y)) / (M - Y),  R'G'B'1 = Y1 + q (R'G'B' - Y)

Luma follows the curve, the largest channel follows the same curve (so never exceeds the ceiling),
and the differences between channels keep their proportions: hue holds. roll is concave with slope
at most 1, so q <= 1 and nothing goes negative. Below the knee roll is the identity and q is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from grainkit.backends.shoulder import Shoulder
from grainkit.backends.slots import Slots
from grainkit.effects.base import Context, Effect, Moment
from grainkit.errors import RecipeError
from grainkit.params import param


@dataclass(frozen=True)
class HighlightGuard(Effect):
    """Rolls luma off above a knee to a ceiling and brings chroma along at the same hue."""

    name: ClassVar[str] = "highlight_guard"
    moment: ClassVar[Moment] = Moment.WORKING

    strength: float = param(
        1.0, "How much of the shoulder is applied; 0 is an exact identity.", low=0.0, high=1.0, unit="x"
    )
    knee: float = param(0.90, "Where the shoulder begins; nothing darker changes.", low=0.5, high=0.99, unit="of white")
    ceiling: float = param(
        0.98, "What white becomes.", low=0.6, high=1.0, unit="of white",
        source="codecs overshoot the top by 11 to 20 codes at the 99.9th percentile (measured)",
    )  # fmt: skip
    patches: int = param(
        0, "Rounds in which a still is put through the preset's proxies, and what then decodes above white is pulled "
        "down locally.", low=0, high=4, unit="rounds",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ceiling <= self.knee:
            raise RecipeError(
                f"highlight_guard.ceiling = {self.ceiling:g} must be above highlight_guard.knee = {self.knee:g}"
            )

    @property
    def shoulder(self) -> Shoulder:
        """The curve that these parameters ask for."""
        return Shoulder.of(self.knee, self.ceiling, self.strength)

    def fill(self, slots: Slots, context: Context) -> Slots:
        """The shoulder; none for HDR, since the knee is a notion of SDR (DESIGN 2)."""
        return slots if context.source.is_hdr else replace(slots, shoulder=self.shoulder)
