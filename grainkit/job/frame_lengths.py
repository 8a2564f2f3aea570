"""How unequally long the frames of a clip are shown, for deliveries that show all of them equally long."""

from __future__ import annotations

from fractions import Fraction

from grainkit.picture.frame import Frame

#: Clocks of milliseconds round equal frames by up to two ticks; a tenth is what nobody sees.
_TICKS, _SHARE = 2, Fraction(1, 10)


class FrameLengths:
    """Takes the frames of a delivery as they pass, and says at the end whether their times are lost."""

    def __init__(self) -> None:
        self._before: Fraction | None = None
        self._shortest = self._longest = self._tick = Fraction(0)

    def see(self, frame: Frame) -> None:
        if frame.pts is None or frame.time_base is None:
            return
        at, before = frame.pts * frame.time_base, self._before
        self._before, self._tick = at, frame.time_base
        if before is not None and at > before:
            self._shortest = min(self._shortest or at - before, at - before)
            self._longest = max(self._longest, at - before)

    def notes(self, holder: str) -> tuple[str, ...]:
        """Say whether times are lost. holder: what holds the frames without them, in words; '' where they are kept."""
        spread = self._longest - self._shortest
        if not holder or spread <= max(_TICKS * self._tick, _SHARE * self._shortest):
            return ()
        low, high = (round(1000 * float(each)) for each in (self._shortest, self._longest))
        return (f"its frames last from {low} to {high} ms, but {holder} shows all equally long",)
