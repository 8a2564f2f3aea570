"""Are numbered stills a series, each a picture of its own, or the frames of one clip?

Numbers do not say: generators number portraits as renderers number frames. So the preset is asked, then the sizes, then
the pictures: neighbouring frames show nearly the same, also where something moves fast, and two portraits before one
backdrop do not. What stays in doubt is a series, in which nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grainkit.analysis.likeness import thumbnail, unlikeness
from grainkit.errors import InputError
from grainkit.io.base import MAX_STILL
from grainkit.io.decode_still import read_still
from grainkit.io.reading import SEQUENCE, STILLS
from grainkit.io.sequence import Numbered
from grainkit.io.stills import still_size
from grainkit.recipe.recipe import Recipe

#: Unlikeness of neighbours up to which both pairs that are looked at are frames, and one where the other is not (a
#: cut). `python -m benchmarks.series_or_sequence` prints how often that is wrong.
ALIKE, VERY_ALIKE = 0.15, 0.05
#: Fewer stills than this may as well be variants of one picture, which are alike and lead nowhere: their ends must
#: then differ so much more than neighbours do.
FEW, FURTHER = 12, 1.5


@dataclass(frozen=True)
class Verdict:
    """kind: STILLS or SEQUENCE. because: why, as the end of a sentence that begins with the kind."""

    kind: str
    because: str


def judge(found: Numbered, recipe: Recipe, max_pixels: int | None = None) -> Verdict:
    """What these numbered stills are. At most four of them are decoded; of all, only the size is looked at."""
    delivery = recipe.delivery
    if delivery.clip is None:
        return Verdict(STILLS, f"{recipe.name} delivers stills only")
    sizes = {size for size in map(still_size, found.files) if size is not None}
    if len(sizes) > 1:
        return Verdict(STILLS, "their sizes differ")
    if delivery.still is None:
        return Verdict(SEQUENCE, f"{recipe.name} delivers clips only")
    if delivery.clip.container == "sequence":
        return Verdict(SEQUENCE, f"{recipe.name} delivers numbered frames")
    return _by_likeness(found.files, max_pixels or MAX_STILL)


def alike(*pairs: float) -> bool:
    """Whether neighbours are as alike as frames of a clip; pairs: their `unlikeness`."""
    return max(pairs) <= ALIKE or min(pairs) <= VERY_ALIKE


def _by_likeness(files: Sequence[Path], max_pixels: int) -> Verdict:
    count = len(files)
    if count < 3:
        return Verdict(STILLS, "two may be anything")
    # Of few, what lies between the first and the last counts too; of many, a clip's ends may be black.
    first, last = (0, count - 2) if count < FEW else (count // 3, 2 * count // 3)
    try:
        seen = {at: read_still(files[at], max_pixels).rgb for at in {first, first + 1, last, last + 1}}
    except InputError:
        return Verdict(STILLS, "not all of them can be read")
    if len({(rgb.shape, rgb.dtype) for rgb in seen.values()}) > 1:
        return Verdict(STILLS, "their sizes or depths differ")
    small = {at: thumbnail(rgb) for at, rgb in seen.items()}
    pairs = [unlikeness(small[at], small[at + 1]) for at in (first, last)]
    if not alike(*pairs):
        return Verdict(STILLS, "neighbours differ as portraits do")
    if count < FEW and unlikeness(small[first], small[last + 1]) <= FURTHER * min(pairs):
        return Verdict(STILLS, "so few that are so alike may be variants of one picture")
    return Verdict(SEQUENCE, "neighbours are alike as frames are")
