"""What the numbers of a picture mean, and the exact maths between R'G'B' and Y'CbCr.

Everything here is explicit: no library converts colour behind our back (libswscale's default
matrix is BT.601). Code points are those of ITU-T H.273, which container formats and FFmpeg share.

Normalised values: Y', R', G', B' are 0..1 from reference black to reference white, Cb and Cr are
-0.5..0.5. Integer code values follow BT.2100 table 9: limited range at depth n is
Y = (219 y + 16) 2^(n-8), C = (224 c + 128) 2^(n-8); full range is Y = y (2^n - 1),
C = c (2^n - 1) + 2^(n-1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]


class Matrix(IntEnum):
    """H.273 MatrixCoefficients that grainkit can work in."""

    BT709 = 1
    UNSPECIFIED = 2
    FCC = 4
    BT470BG = 5
    SMPTE170M = 6
    SMPTE240M = 7
    BT2020_NCL = 9


class Primaries(IntEnum):
    """H.273 ColourPrimaries (grainkit carries them; it never converts between them)."""

    BT709 = 1
    UNSPECIFIED = 2
    BT470M = 4
    BT470BG = 5
    SMPTE170M = 6
    SMPTE240M = 7
    FILM = 8
    BT2020 = 9
    SMPTE428 = 10
    SMPTE431 = 11
    SMPTE432 = 12
    EBU3213 = 22


class Transfer(IntEnum):
    """H.273 TransferCharacteristics (carried; PQ and HLG switch highlight protection off)."""

    BT709 = 1
    UNSPECIFIED = 2
    GAMMA22 = 4
    GAMMA28 = 5
    SMPTE170M = 6
    SMPTE240M = 7
    LINEAR = 8
    LOG = 9
    LOG_SQRT = 10
    IEC61966_2_4 = 11
    BT1361 = 12
    SRGB = 13
    BT2020_10 = 14
    BT2020_12 = 15
    PQ = 16
    SMPTE428 = 17
    HLG = 18


class Range(Enum):
    """Whether code 16/235 (limited) or 0/255 (full) is black/white, on the 8-bit scale."""

    LIMITED = "limited"
    FULL = "full"


class Siting(IntEnum):
    """Where a subsampled chroma sample sits; values are FFmpeg's AVChromaLocation."""

    UNSPECIFIED = 0
    LEFT = 1
    CENTER = 2
    TOPLEFT = 3
    TOP = 4
    BOTTOMLEFT = 5
    BOTTOM = 6


#: Luma weights (Kr, Kb) per matrix: BT.709-6 item 3.2, BT.601-7, SMPTE 240M, BT.2020-2, FCC 73.682.
LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    Matrix.BT709: (0.2126, 0.0722),
    Matrix.FCC: (0.30, 0.11),
    Matrix.BT470BG: (0.299, 0.114),
    Matrix.SMPTE170M: (0.299, 0.114),
    Matrix.SMPTE240M: (0.212, 0.087),
    Matrix.BT2020_NCL: (0.2627, 0.0593),
}


@dataclass(frozen=True)
class Color:
    """What a frame's numbers mean.

    matrix, primaries, transfer: H.273 code points. `matrix` is never UNSPECIFIED: readers settle it.
    range: limited or full. Float planes are always normalised, whatever this says about the source.
    siting: where subsampled chroma sits (LEFT for MPEG-2 and later video, CENTER for JPEG).
    depth: bits per sample, 8..16, or 32 for float. Of R'G'B' it is the samples' own; planes made of them are float32
        at any depth, which `levels` knows and `is_float` does not.
    subsampling: luma samples per chroma sample (horizontal, vertical): (2, 2), (2, 1) or (1, 1).
    is_rgb: the source is R'G'B'; its planes are a 4:4:4 float view of it and go back to R'G'B'.
    assumed: names of the fields above that the file left out and convention filled in.
    """

    matrix: Matrix = Matrix.BT709
    primaries: Primaries = Primaries.BT709
    transfer: Transfer = Transfer.BT709
    range: Range = Range.LIMITED
    siting: Siting = Siting.LEFT
    depth: int = 8
    subsampling: tuple[int, int] = (2, 2)
    is_rgb: bool = False
    assumed: tuple[str, ...] = ()

    @property
    def is_hdr(self) -> bool:
        """True for PQ and HLG."""
        return self.transfer in (Transfer.PQ, Transfer.HLG)

    @property
    def is_float(self) -> bool:
        """True where the source's own samples are float."""
        return self.depth == 32

    def levels(self) -> tuple[tuple[float, float], ...]:
        """For planes Y', Cb and Cr of a frame of this colour: (number of 0, how much more 1 is), as they are stored.

        (0, 1) where planes are normalised float32: those of float sources, and those made of R'G'B' of any depth.
        """
        if self.is_float or self.is_rgb:
            return ((0.0, 1.0),) * 3
        black, white = luma_codes(self.depth, self.range)
        grey, unit = chroma_codes(self.depth, self.range)
        return ((black, white - black), (grey, unit), (grey, unit))

    def luma_weights(self) -> tuple[float, float, float]:
        """(Kr, Kg, Kb) of the matrix; they sum to 1."""
        kr, kb = LUMA_WEIGHTS[self.matrix]
        return kr, 1.0 - kr - kb, kb


#: What people call the standards that H.273 numbers.
_NAMES = {
    "BT709": "BT.709", "BT470BG": "BT.601 (PAL)", "SMPTE170M": "BT.601 (NTSC)", "SMPTE240M": "SMPTE 240M",
    "BT2020": "BT.2020", "BT2020_NCL": "BT.2020", "SRGB": "sRGB",
}  # fmt: skip
_SITES = {Siting.LEFT: "on the left of their pixels", Siting.CENTER: "in the middle of their pixels"}


def assumed_words(color: Color) -> str:
    """What the file leaves out of its colours and convention filled in, as a sentence; '' where it leaves nothing."""
    values = {"matrix": color.matrix, "primaries": color.primaries, "transfer": color.transfer}
    standards = dict.fromkeys(_NAMES.get(v.name, v.name) for key, v in values.items() if key in color.assumed)
    taken = [*standards]
    if "range" in color.assumed:
        taken.append(f"{color.range.value} range")
    if "siting" in color.assumed:
        taken.append(f"colour samples {_SITES.get(color.siting, color.siting.name.lower())}")
    if not taken:
        return ""
    what = "its colours" if standards else "all about its colours"
    return f"the file does not say {what}; taken for {', '.join(taken)}, as is usual"


#: Stills and image sequences that say nothing: sRGB, full range.
SRGB_STILL = Color(
    transfer=Transfer.SRGB, range=Range.FULL, siting=Siting.CENTER, depth=8, subsampling=(1, 1), is_rgb=True
)


def luma_codes(depth: int, range_: Range) -> tuple[float, float]:
    """Code values of reference black and reference white for luma (and for R'G'B') at integer `depth`."""
    if range_ is Range.FULL:
        return 0.0, float((1 << depth) - 1)
    scale = float(1 << (depth - 8))
    return 16.0 * scale, 235.0 * scale


def chroma_codes(depth: int, range_: Range) -> tuple[float, float]:
    """(code of zero chroma, codes per unit of Cb or Cr) at integer `depth`."""
    if range_ is Range.FULL:
        return float(1 << (depth - 1)), float((1 << depth) - 1)
    scale = float(1 << (depth - 8))
    return 128.0 * scale, 224.0 * scale


def ycc_matrix(kr: float, kb: float) -> npt.NDArray[np.float64]:
    """3x3 float64 matrix taking (R', G', B') to (Y', Cb, Cr) for luma weights Kr and Kb."""
    kg = 1.0 - kr - kb
    return np.array(
        [
            [kr, kg, kb],
            [-kr / (2 * (1 - kb)), -kg / (2 * (1 - kb)), 0.5],
            [0.5, -kg / (2 * (1 - kr)), -kb / (2 * (1 - kr))],
        ]
    )
