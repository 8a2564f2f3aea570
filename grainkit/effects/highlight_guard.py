"""Highlight protection: a shoulder that leaves the codec room above white, with hue held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grainkit.params import Parameters, param


@dataclass(frozen=True)
class HighlightGuard(Parameters):
    """Rolls luma off above a knee to a ceiling and brings chroma along at the same hue."""

    name: ClassVar[str] = "highlight_guard"

    strength: float = param(1.0, "How much of the shoulder is applied; 0 is an exact identity.", low=0.0, high=1.0, unit="x")
    knee: float = param(0.90, "Where the shoulder begins; nothing darker changes.", low=0.5, high=0.99, unit="of white")
    ceiling: float = param(0.98, "What white becomes.", low=0.8, high=1.0, unit="of white")
