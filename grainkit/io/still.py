"""A decoded still, and what is done to one of any format: turned upright, and brought in line with what it says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType

from grainkit.io import exif as exif_block
from grainkit.io.base import Pixels, StillMetadata
from grainkit.io.metadata import CREDENTIALS_LOST, finished_before, read_packet
from grainkit.io.orientation import Orientation
from grainkit.picture.color import SRGB_STILL, Color
from grainkit.picture.frame import Plane

#: EXIF orientation to how it is undone.
ORIENTATIONS = MappingProxyType(
    {
        1: Orientation(),
        2: Orientation(flip_x=True),
        3: Orientation(flip_x=True, flip_y=True),
        4: Orientation(flip_y=True),
        5: Orientation(transposed=True),
        6: Orientation(transposed=True, flip_x=True),
        7: Orientation(transposed=True, flip_x=True, flip_y=True),
        8: Orientation(transposed=True, flip_y=True),
    }
)
_UNDECLARED = ("primaries", "transfer")


@dataclass(frozen=True, eq=False)
class Still:
    """A decoded still, upright.

    rgb: (h, w, 3) or grey (h, w), uint8, uint16 or float32. alpha: (h, w) of the same type, or None.
    container: what the bytes are, by the name of a `StillFormat`.
    """

    rgb: Pixels
    alpha: Plane | None
    color: Color
    container: str
    metadata: StillMetadata = field(default_factory=StillMetadata)
    notes: tuple[str, ...] = ()

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name for samples of this kind."""
        depth = {"u1": 0, "u2": 1, "f4": 2}[self.rgb.dtype.str[1:]]
        names = {
            (3, False): ("rgb24", "rgb48le", "gbrpf32le"),
            (3, True): ("rgba", "rgba64le", "gbrapf32le"),
            (2, False): ("gray", "gray16le", "grayf32le"),
            (2, True): ("ya8", "ya16le", "yaf32le"),
        }
        return names[self.rgb.ndim, self.alpha is not None][depth]


def depth_of(samples: Pixels) -> int:
    """Bits per sample; 32 is float."""
    return 8 * samples.dtype.itemsize


def still_color(depth: int, *, declared: bool) -> Color:
    """sRGB, assumed where the file declares no colours."""
    return replace(SRGB_STILL, depth=depth, assumed=() if declared else _UNDECLARED)


def finished(still: Still, orientation: int | None, credentials: bool) -> Still:
    """Upright, with what it says of itself brought in line, and notes on what its file had beside the picture.

    orientation: of the container's own tag or its EXIF; None lets the XMP say. credentials: whether it carries C2PA.
    """
    metadata, notes = still.metadata, list(still.notes)
    exif = metadata.exif
    if exif is not None:
        if exif_block.has_thumbnail(exif):
            notes.append("its EXIF thumbnail, which would show another picture, is left out")
        exif = exif_block.upright(exif)
    packet = read_packet(metadata.xmp)
    metadata = replace(metadata, exif=exif, xmp=packet.upright)
    if packet.motion:
        notes.append("its motion photo's clip is left out")
    if credentials or packet.credentials:
        notes.append(CREDENTIALS_LOST)
    if packet.finished_by:
        notes.append(finished_before(packet.finished_by))
    by, number = ("EXIF", orientation) if orientation is not None else ("XMP", packet.orientation or 1)
    if number == 1:
        return replace(still, metadata=metadata, notes=tuple(notes))
    turn = ORIENTATIONS[number]
    if turn.transposed and metadata.dpi:
        metadata = replace(metadata, dpi=(metadata.dpi[1], metadata.dpi[0]))
    return replace(
        still,
        rgb=turn.apply(still.rgb),
        alpha=None if still.alpha is None else turn.apply(still.alpha),
        metadata=metadata,
        notes=(*notes, f"{by} orientation {number} baked in"),
    )
