"""What a sink must write: the frozen values of a recipe's `delivery:` block."""

from __future__ import annotations

from dataclasses import dataclass, field
from collections.abc import Mapping

#: How a picture is brought to the delivery's box.
FITS = ("fit", "cover", "keep")


@dataclass(frozen=True)
class StillDelivery:
    """How a still, or each frame of a sequence, is written.

    container: png, jpeg, tiff, webp or exr.
    depth: bits per sample, 8 or 16 (png, tiff), 8 (jpeg, webp), 32 (exr, tiff float).
    quality: 1..100, jpeg and webp.
    subsampling: chroma of a jpeg: 4:4:4, 4:2:2 or 4:2:0.
    compression: png zlib level 0..9, or tiff: none, deflate.
    max_bytes: a jpeg or webp above this is written again at lower quality, not below 70; 0 is no limit.
    """

    container: str = "png"
    depth: int = 8
    quality: int = 95
    subsampling: str = "4:4:4"
    compression: str = "1"
    max_bytes: int = 0


@dataclass(frozen=True)
class ClipDelivery:
    """How a clip is written.

    container: mp4, mov, mkv, webm, nut; `sequence` writes numbered stills as the `still:` block says.
    codec: a PyAV encoder name. pixel_format: an FFmpeg planar format name; '' keeps the source's.
    options: encoder options, all strings. profile: encoder profile, '' for none.
    audio: copy, or none.
    closed_gop_seconds: longest distance between key frames; 0 leaves it to the encoder.
    """

    container: str = "mp4"
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    profile: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    audio: str = "copy"
    closed_gop_seconds: float = 0.0


@dataclass(frozen=True)
class Delivery:
    """Size and files of a delivery.

    width, height: the box in px; 0 leaves that side free (both 0: the source's own size).
    fit: `fit` keeps the whole picture inside the box, `cover` fills it and crops the middle,
        `keep` leaves the size alone.
    upscale: may the picture grow? Off by default: enlarging an error makes a big error.
    dpi: dots per inch written into stills and used by sizes in mm; 0 keeps the source's.
    still, clip: how each kind is written, or None where the preset does not deliver that kind.
    """

    width: int = 0
    height: int = 0
    fit: str = "fit"
    upscale: bool = False
    dpi: float = 0.0
    still: StillDelivery | None = field(default_factory=StillDelivery)
    clip: ClipDelivery | None = field(default_factory=ClipDelivery)
