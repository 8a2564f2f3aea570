"""One still in, one still out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from warnings import catch_warnings, simplefilter

from PIL import Image

from grainkit.errors import GrainkitError
from grainkit.io.base import MAX_STILL, SourceInfo, StillMetadata
from grainkit.io.decode_still import Still, decode_still, read_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import NO_ALPHA, encode_still, lost_metadata
from grainkit.io.metadata import claimed_source_type
from grainkit.io.pending import Pending, output_errors
from grainkit.picture.frame import Frame
from grainkit.picture.grain_key import pixels_digest
from grainkit.picture.rgb import PlanesOfRgb

__all__ = [
    "NO_ALPHA",
    "Still",
    "StillSink",
    "StillSource",
    "decode_still",
    "encode_still",
    "frame_of",
    "lost_metadata",
    "read_still",
    "still_size",
]


def frame_of(still: Still) -> Frame:
    """Frame 0 of a still: float 4:4:4 planes (grey: one plane), with the samples and alpha they came from."""
    return Frame(PlanesOfRgb(still.rgb, still.color), still.color, alpha=still.alpha, rgb=still.rgb)


def still_size(path: Path) -> tuple[int, int] | None:
    """(width, height) as the file's first bytes say, before it is turned upright; None where they do not."""
    try:
        with catch_warnings():
            simplefilter("ignore")  # how large it is, whoever reads it says
            with Image.open(path) as picture:
                return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


class StillSource:
    """A still as a source of one frame. Raises InputError when made, for anything that is not one whole still."""

    def __init__(self, path: Path | str, *, max_pixels: int = MAX_STILL) -> None:
        self._still = still = read_still(Path(path), max_pixels)
        self.info = SourceInfo(
            name=str(path), path=Path(path), kind="still", width=still.rgb.shape[1], height=still.rgb.shape[0],
            color=still.color, frames=1, has_alpha=still.alpha is not None, pixel_format=still.pixel_format,
            still=still.metadata, digital_source_type=claimed_source_type(still.metadata.xmp), notes=still.notes,
            pixels=pixels_digest(still.rgb),
        )  # fmt: skip

    def __iter__(self) -> Iterator[Frame]:
        yield frame_of(self._still)

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class StillSink:
    """Writes one frame; see `encode_still` for what it must hold and for dpi, metadata and xmp."""

    notes: tuple[str, ...] = ()

    def __init__(
        self, destination: Path | str, *, delivery: StillDelivery, dpi: float = 0.0,
        metadata: StillMetadata | None = None, xmp: bytes | None = None,
    ) -> None:  # fmt: skip
        self._delivery, self._dpi, self._xmp = delivery, dpi, xmp
        self._metadata = metadata or StillMetadata()
        self._written = False
        self._pending = Pending(Path(destination))

    def write(self, frame: Frame) -> None:
        """Encode and store the one frame. GrainkitError for a second."""
        if self._written:
            raise GrainkitError(f"{self._pending.destination} is one still: it takes one frame")
        data = encode_still(frame, self._delivery, self._dpi, self._metadata, self._xmp)
        with output_errors(self._pending.destination):
            self._pending.path.write_bytes(data)
        self._written = True

    def commit(self) -> None:
        """Rename into place. GrainkitError where nothing was written."""
        if not self._written:
            raise GrainkitError(f"{self._pending.destination}: no frame was written")
        self._pending.commit()

    def abort(self) -> None:
        """Remove what is not committed."""
        self._pending.abort()
