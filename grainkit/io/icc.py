"""ICC profiles of the colour spaces that code points name: three primaries, a white and one curve for all channels.

Little CMS, as Pillow has it, makes only sRGB's. Version 4 (ICC.1:2022): matrix columns adapted to D50 by Bradford's
transform, parametric curves where a transfer is one, and the code points themselves in a cicp tag, which readers of
HDR go by and the others pass over.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from grainkit.picture.color import Primaries, Transfer
from grainkit.picture.transfer import linear_of, power_of

F64 = npt.NDArray[np.float64]
XY = tuple[float, float]


@dataclass(frozen=True)
class Chromaticities:
    """CIE 1931 x, y of red, green, blue and white."""

    red: XY
    green: XY
    blue: XY
    white: XY

    def near(self, other: Chromaticities, within: float = 0.0015) -> bool:
        """Whether both are the same, as far as files that round them say."""
        pairs = zip(self.flat(), other.flat(), strict=True)
        return all(abs(a - b) <= within for a, b in pairs)

    def flat(self) -> tuple[float, ...]:
        """The eight numbers: red, green, blue, white."""
        return (*self.red, *self.green, *self.blue, *self.white)


_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_SMPTE_C = Chromaticities((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
#: ITU-T H.273, table 2.
CHROMATICITIES: Mapping[Primaries, Chromaticities] = MappingProxyType(
    {
        Primaries.BT709: Chromaticities((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
        Primaries.BT470M: Chromaticities((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
        Primaries.BT470BG: Chromaticities((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
        Primaries.SMPTE170M: _SMPTE_C,
        Primaries.SMPTE240M: _SMPTE_C,
        Primaries.FILM: Chromaticities((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
        Primaries.BT2020: Chromaticities((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
        Primaries.SMPTE428: Chromaticities((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3)),
        Primaries.SMPTE431: Chromaticities((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
        Primaries.SMPTE432: Chromaticities((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
        Primaries.EBU3213: Chromaticities((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
    }
)
#: Adobe RGB (1998), version 2005-05: its primaries, and its power.
ADOBE_RGB, ADOBE_POWER = Chromaticities((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65), 563 / 256
#: The profile connection space's white, as ICC.1 rounds it.
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
#: Entries of a curve that is no formula of ICC's.
_SAMPLES = 4096
_PRIMARIES = {Primaries.BT709: "BT.709", Primaries.BT2020: "BT.2020", Primaries.SMPTE432: "P3-D65",
              Primaries.SMPTE431: "DCI-P3", Primaries.SMPTE170M: "SMPTE-C"}  # fmt: skip
_TRANSFERS = {Transfer.SRGB: "sRGB curve", Transfer.LINEAR: "linear", Transfer.PQ: "PQ", Transfer.HLG: "HLG"}


@cache
def profile(primaries: Primaries, transfer: Transfer, *, grey: bool = False) -> bytes:
    """The profile of pictures that mean this; unspecified is BT.709 and sRGB. grey: for one channel."""
    primaries = Primaries.BT709 if primaries is Primaries.UNSPECIFIED else primaries
    transfer = Transfer.SRGB if transfer is Transfer.UNSPECIFIED else transfer
    power = power_of(transfer)
    if transfer is Transfer.SRGB:
        curve = _parametric(3, *_SRGB_CURVE)
    elif power:
        curve = _parametric(0, power)
    else:
        curve = _sampled(linear_of(transfer, np.linspace(0, 1, _SAMPLES)))
    name = _PRIMARIES.get(primaries, primaries.name)
    name = f"{name}, {_TRANSFERS.get(transfer, f'gamma {power:g}' if power else transfer.name)}"
    if (primaries, transfer) == (Primaries.SMPTE432, Transfer.SRGB):
        name = "Display P3"
    coded = b"" if grey else b"cicp" + bytes(4) + bytes((primaries, transfer, 0, 1))
    return _made(name, CHROMATICITIES[primaries], curve, grey, coded)


def profile_of_power(chromaticities: Chromaticities, power: float, *, grey: bool = False) -> bytes:
    """The profile of any primaries with a pure power; 0 is the sRGB curve. ValueError where they span no colours."""
    curve = _parametric(0, power) if power else _parametric(3, *_SRGB_CURVE)
    name = "Own primaries, " + (f"gamma {power:.4g}" if power else "sRGB curve")
    return _made(name, chromaticities, curve, grey, b"")


def code_points(icc: bytes | None) -> tuple[Primaries, Transfer] | None:
    """Primaries and transfer that a profile names: in a cicp tag, or as one of BT.2100's by its description."""
    tags = _tags(icc) if icc else {}
    body = tags.get(b"cicp", b"")
    if len(body) >= 12 and body[:4] == b"cicp" and body[8] in set(Primaries) and body[9] in set(Transfer):
        return Primaries(body[8]), Transfer(body[9])
    name = description(icc) if icc else ""
    if "2100" in name and ("PQ" in name or "HLG" in name):
        return Primaries.BT2020, Transfer.PQ if "PQ" in name else Transfer.HLG
    return None


def description(icc: bytes) -> str:
    """The profile's name, '' where it has none that can be read."""
    body = _tags(icc).get(b"desc", b"")
    if body[:4] == b"desc" and len(body) >= 12:
        return body[12 : 12 + struct.unpack_from(">I", body, 8)[0]].split(b"\0")[0].decode("latin-1")
    if body[:4] == b"mluc" and len(body) >= 28:
        length, at = struct.unpack_from(">II", body, 20)
        return body[at : at + length].decode("utf-16-be", "replace")
    return ""


def _tags(icc: bytes) -> dict[bytes, bytes]:
    """A profile's tags that lie within it."""
    if len(icc) < 132:
        return {}
    count = min(struct.unpack_from(">I", icc, 128)[0], (len(icc) - 132) // 12)
    found = {}
    for entry in range(count):
        name, at, size = struct.unpack_from(">4sII", icc, 132 + 12 * entry)
        if at + size <= len(icc):
            found[name] = icc[at : at + size]
    return found


def _made(name: str, chromaticities: Chromaticities, curve: bytes, grey: bool, coded: bytes) -> bytes:
    columns, adapted = _columns(chromaticities)
    tags = {b"desc": _text(name), b"cprt": _text("No copyright, use freely"), b"wtpt": _xyz(_D50)}
    tags[b"chad"] = b"sf32" + bytes(4) + b"".join(map(_fixed, adapted.ravel()))
    if grey:
        tags[b"kTRC"] = curve
    else:
        for letter, column in zip("rgb", columns.T, strict=True):
            tags[f"{letter}XYZ".encode()] = _xyz(column)
            tags[f"{letter}TRC".encode()] = curve
    if coded:
        tags[b"cicp"] = coded
    places: dict[bytes, int] = {}
    table, data, at = b"", b"", 132 + 12 * len(tags)
    for tag, body in tags.items():
        if body not in places:
            places[body] = at + len(data)
            data += body + bytes(-len(body) % 4)
        table += struct.pack(">4sII", tag, places[body], len(body))
    space = b"GRAY" if grey else b"RGB "
    day = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    head = struct.pack(">I4xI4s4s4s", at + len(data), 0x04400000, b"mntr", space, b"XYZ ") + day + b"acsp"
    head = head.ljust(68, b"\0") + b"".join(map(_fixed, _D50))
    rest = struct.pack(">I", len(tags)) + table + data
    # ICC.1:2022, 7.2.18: MD5 of the profile with flags, intent and this field zero, as they are.
    digest = hashlib.md5(head.ljust(128, b"\0") + rest, usedforsecurity=False).digest()
    return (head.ljust(84, b"\0") + digest).ljust(128, b"\0") + rest


def _columns(chromaticities: Chromaticities) -> tuple[F64, F64]:
    """(3, 3) XYZ under D50 of full red, green and blue, in columns; and (3, 3) what adapted the white to it.

    By SMPTE RP 177 and ICC.1:2022, annex E. ValueError where the primaries span no colours.
    """
    xyz = [(x, y, 1 - x - y) for x, y in (chromaticities.red, chromaticities.green, chromaticities.blue)]
    x, y = chromaticities.white
    if not 0 < y < 1 or not all(-1 < v < 2 for v in chromaticities.flat()):
        raise ValueError("its primaries are no colours")
    white = np.array([x / y, 1.0, (1 - x - y) / y])
    spanned = np.array(xyz).T
    if abs(np.linalg.det(spanned)) < 1e-4:
        raise ValueError("its primaries span no colours")
    own = spanned * np.linalg.solve(spanned, white)
    before, after = _BRADFORD @ white, _BRADFORD @ _D50
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(after / before) @ _BRADFORD
    return adapted @ own, adapted


def _parametric(kind: int, *numbers: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, numbers))


def _sampled(values: F64) -> bytes:
    codes = np.rint(np.clip(values, 0, 1) * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(codes)) + codes.tobytes()


def _xyz(values: F64) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _text(text: str) -> bytes:
    words = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(words), 28) + words


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(float(value) * 65536))
