"""SMPTE timecode arithmetic: where a part of a clip starts."""

from __future__ import annotations

import re
from fractions import Fraction

_TIMECODE = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.])(\d{2,3})")


def shift_timecode(timecode: str, frames: int, rate: Fraction) -> str:
    """`timecode` moved on by `frames`; unchanged where it cannot be read.

    A semicolon means drop-frame: at 29.97 the numbers 0 and 1 are skipped each minute but every tenth
    (at 59.94: 0 to 3), SMPTE 12M.
    """
    found = _TIMECODE.fullmatch(timecode)
    if found is None or frames == 0:
        return timecode
    hours, minutes, seconds, at = int(found[1]), int(found[2]), int(found[3]), int(found[5])
    base = round(rate)
    if base == 0:  # less than a frame in two seconds: the numbers after the last colon count nothing
        return timecode
    dropped = round(base / 15) if found[4] != ":" else 0
    total_minutes = 60 * hours + minutes
    count = base * (60 * total_minutes + seconds) + at - dropped * (total_minutes - total_minutes // 10)
    count += frames
    if dropped:
        per_minute, per_ten = 60 * base - dropped, 600 * base - 9 * dropped
        tens, rest = divmod(count, per_ten)
        count += dropped * 9 * tens + dropped * max(0, (rest - dropped) // per_minute)
    seconds, at = divmod(count, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours % 24:02}:{minutes:02}:{seconds:02}{found[4]}{at:02}"
