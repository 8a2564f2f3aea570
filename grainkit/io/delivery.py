"""What a sink must write: the frozen values of a recipe's `delivery:` block, and what each may be.

The classes are plain values and check nothing when made; a recipe checks them against the
declarations here as it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grainkit.io.still_formats import still_names
from grainkit.params import param
from grainkit.picture.colour_names import COLOUR_NAMES

#: How a picture is brought to the delivery's box.
FITS = ("fit", "cover", "keep", "pad")

#: Clip containers; `sequence` is numbered stills.
CLIP_CONTAINERS = ("mp4", "mov", "mkv", "webm", "nut", "sequence")

_COMPRESSIONS = (*"0123456789", "none", "deflate")


@dataclass(frozen=True)
class StillDelivery:
    """How a still, or each frame of a sequence, is written."""

    container: str = param("png", "File format.", choices=still_names())
    depth: int = param(8, "Bits per sample, as the container allows; 32 is float.", low=8, high=32, unit="bits")
    quality: int = param(95, "Quality of a jpeg or webp.", low=1, high=100, unit="points")
    subsampling: str = param("4:4:4", "Chroma of a jpeg.", choices=("4:4:4", "4:2:2", "4:2:0"))
    compression: str = param("1", "png: zlib level 0 to 9; tiff: none or deflate.", choices=_COMPRESSIONS)
    max_bytes: int = param(
        0,
        "A jpeg or webp above this is written again at lower quality, not below 70; 0 is no limit.",
        low=0,
        high=2**31,
        unit="bytes",
    )
    icc: str = param(
        "keep", "srgb embeds an sRGB profile where the source has none and is sRGB.", choices=("keep", "srgb")
    )
    sharpen: float = param(
        0.0, "Output sharpening of luma for paper, before grain; skin is spared. Needs the dpi.",
        low=0.0, high=3.0, unit="x",
    )  # fmt: skip
    viewing_mm: float = param(
        0.0, "Distance that a print is seen from, which sharpening is sized by; 0 is its diagonal, 250 mm at least.",
        low=0.0, high=20000.0, unit="mm",
        source="radius of the sharpening: 0.0004 px per px of viewing distance, the usual one for print",
    )  # fmt: skip


@dataclass(frozen=True)
class ClipDelivery:
    """How a clip is written."""

    container: str = param("mp4", "File format; sequence is numbered stills, as `still` says.", choices=CLIP_CONTAINERS)
    codec: str = param(
        "libx264", "What encodes it; '' where the container is sequence.",
        form="the name of an encoder of FFmpeg's, such as libx264",
    )  # fmt: skip
    pixel_format: str = param(
        "yuv420p", "How samples are stored; '' keeps the source's.",
        form="the name of a pixel format of FFmpeg's, such as yuv422p10le",
    )  # fmt: skip
    profile: str = param(
        "", "Profile of the stream; '' leaves it to the encoder.", form="a profile that the encoder knows, such as high"
    )  # fmt: skip
    options: Mapping[str, str] = field(default_factory=dict, metadata={"strings": "Encoder options, all text."})
    audio: str = param("copy", "What happens to sound.", choices=("copy", "none"))
    closed_gop_seconds: float = param(
        0.0, "Longest distance between key frames; 0 leaves it to the encoder.", low=0.0, high=60.0, unit="s"
    )


@dataclass(frozen=True)
class Delivery:
    """Size and files of a delivery. `still` or `clip` is None where that kind is not delivered."""

    width: int = param(0, "Width of the box; 0 leaves it free.", low=0, high=65536, unit="px")
    height: int = param(0, "Height of the box; 0 leaves it free.", low=0, high=65536, unit="px")
    width_mm: float = param(
        0.0, "Width on paper, which with the dpi replaces the box in px; the picture is enlarged to it, last.",
        low=0.0, high=20000.0, unit="mm",
    )  # fmt: skip
    height_mm: float = param(0.0, "Height on paper, likewise.", low=0.0, high=20000.0, unit="mm")
    fit: str = param(
        "fit",
        "fit keeps the whole picture inside the box, pad also fills what is left of it with bars of the background, "
        "cover fills it and crops the middle, keep leaves the size alone.",
        choices=FITS,
    )
    background: str = param(
        "white",
        "Colour, in sRGB, of the bars of fit = pad, and what transparency is composited over where a file holds none.",
        choices=tuple(COLOUR_NAMES), pattern="#[0-9a-fA-F]{6}", form="a colour as #rrggbb",
    )  # fmt: skip
    upscale: bool = param(False, "May the picture grow? Enlarging an error makes a big error.")
    turn: bool = param(False, "May the box turn by 90 degrees to match the orientation of the picture?")
    dpi: float = param(
        0.0,
        "Dots per inch written into stills and used by sizes in mm; 0 keeps the source's.",
        low=0.0,
        high=4800.0,
        unit="dpi",
    )
    still: StillDelivery | None = field(default_factory=StillDelivery, metadata={"part": StillDelivery})
    clip: ClipDelivery | None = field(default_factory=ClipDelivery, metadata={"part": ClipDelivery})
