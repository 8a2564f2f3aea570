"""HDR10's static metadata: the display that a picture was graded on, and how bright it gets.

SMPTE ST 2086 (mastering display colour volume) and CTA-861.3 (MaxCLL, MaxFALL). They are declarations about the grade,
carried as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

Point = tuple[Fraction, Fraction]

#: AVMasteringDisplayMetadata: x and y of red, green, blue and white, luminance from and to, each a rational of two
#: 32-bit numbers; then whether the points and whether the luminances are given. AVContentLightMetadata: two numbers.
_MASTERING, _LIGHT = struct.Struct("=20i2i"), struct.Struct("=2I")
#: ST 2086 counts chromaticities in 0.00002 and luminance in 0.0001 cd/m2, as x264 and x265 take them.
_CHROMATICITY, _LUMINANCE = 50_000, 10_000


@dataclass(frozen=True)
class Hdr10:
    """What an HDR10 source declares.

    primaries: CIE 1931 (x, y) of red, green, blue and white of the mastering display, () where not given.
    luminance: the darkest and the brightest of that display, cd/m2, () where not given.
    light: (MaxCLL, MaxFALL), cd/m2, () where not given; 0 in it is unknown.
    """

    primaries: tuple[Point, ...] = ()
    luminance: tuple[Fraction, ...] = ()
    light: tuple[int, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """What is declared, in words."""
        mastering = ("mastering display",) if self.primaries or self.luminance else ()
        return mastering + (("MaxCLL and MaxFALL",) if self.light else ())


def read_hdr10(mastering: bytes, light: bytes) -> Hdr10 | None:
    """What FFmpeg's side data of a picture says, b'' where there is none; None where nothing is declared."""
    primaries: tuple[Point, ...] = ()
    luminance: tuple[Fraction, ...] = ()
    if len(mastering) >= _MASTERING.size:
        *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(mastering)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        values = [Fraction(above, below) if below else Fraction(0) for above, below in pairs]
        if has_primaries:
            primaries = tuple(zip(values[0:8:2], values[1:8:2], strict=True))
        if has_luminance:
            luminance = (values[8], values[9])
    levels: tuple[int, ...] = _LIGHT.unpack_from(light) if len(light) >= _LIGHT.size else ()
    found = Hdr10(primaries, luminance, levels if any(levels) else ())
    return found if found.parts else None


#: Encoders that write it into their streams: the option that holds their own parameters, and what those are called.
_ENCODERS = {
    "libx265": ("x265-params", "master-display", "max-cll"),
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light"),
}


def encoder_parameters(hdr10: Hdr10, codec: str) -> tuple[str, dict[str, str]]:
    """(the encoder's option, parameters for it) that declare as much as this encoder can; ('', {}) where none."""
    if codec not in _ENCODERS:
        return "", {}
    option, mastering, light = _ENCODERS[codec]
    parameters = {}
    if hdr10.primaries and hdr10.luminance:
        parameters[mastering] = _display(hdr10, exact=codec != "libsvtav1")
    if hdr10.light:
        parameters[light] = "{},{}".format(*hdr10.light)
    return option, parameters


def hdr10_lost(hdr10: Hdr10, codec: str) -> str:
    """The note on what a delivery leaves behind, '' for nothing. codec: the encoder, or what else is delivered."""
    if codec not in _ENCODERS:
        return f"HDR10 {' and '.join(hdr10.parts)} left out: {codec} holds none"
    if bool(hdr10.primaries) != bool(hdr10.luminance):
        have, lacks = ("primaries", "luminance") if hdr10.primaries else ("luminance", "primaries")
        return f"HDR10 mastering display left out: its {have} are given without its {lacks}, which {codec} cannot write"
    return ""


def with_parameters(options: Mapping[str, str], option: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Encoder options with parameters put before those that `option` has; what it says itself stands."""
    given = options.get(option, "")
    named = {part.partition("=")[0] for part in given.split(":")}
    added = [f"{name}={value}" for name, value in parameters.items() if name not in named]
    joined = ":".join([*added, *filter(None, [given])])
    return {**options, option: joined} if joined else dict(options)


def _display(hdr10: Hdr10, *, exact: bool) -> str:
    """The mastering display as encoders take it, in ST 2086's counts (exact) or in plain numbers."""

    def number(value: Fraction, per_unit: int) -> str:
        return str(round(value * per_unit)) if exact else f"{float(value):.5f}"

    red, green, blue, white = (f"({number(x, _CHROMATICITY)},{number(y, _CHROMATICITY)})" for x, y in hdr10.primaries)
    least, most = (number(level, _LUMINANCE) for level in hdr10.luminance)
    return f"G{green}B{blue}R{red}WP{white}L({most},{least})"
