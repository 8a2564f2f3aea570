"""What encoders with loss are held to: a size in bytes, and sides no longer than their format has."""

from __future__ import annotations

from collections.abc import Callable

from grainkit.errors import OutputError
from grainkit.io.base import Pixels
from grainkit.io.still_format import StillSettings

#: `max_bytes` never brings quality below this, in steps of _QUALITY_STEP.
_LEAST_QUALITY, _QUALITY_STEP = 70, 3


def within(settings: StillSettings, name: str, attempt: Callable[[int], bytes]) -> bytes:
    """The first attempt, from the wished quality down, that max_bytes allows; OutputError where it allows none.

    name: the format's, in messages.
    """
    quality = settings.quality
    data = attempt(quality)
    while settings.max_bytes and len(data) > settings.max_bytes:
        if quality <= _LEAST_QUALITY:
            raise OutputError(
                f"the {name} has {len(data):,} bytes at quality {quality}, more than the "
                f"{settings.max_bytes:,} allowed; deliver it smaller, or raise delivery.still.max_bytes"
            )
        quality = max(_LEAST_QUALITY, quality - _QUALITY_STEP)
        data = attempt(quality)
    return data


def refuse_wide(name: str, rgb: Pixels, limit: int) -> None:
    """OutputError where a side is longer than a file of that format can have."""
    if max(rgb.shape[:2]) > limit:
        raise OutputError(
            f"a {name} is at most {limit} px wide and high, not {rgb.shape[1]}x{rgb.shape[0]}; deliver PNG or TIFF"
        )
