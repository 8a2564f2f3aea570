"""What the viewer's codec does to a delivery, what must be left of it afterwards, and what may change for that.

Facts of a preset: printed with it, and what measuring a delivery is measured against.
"""

from __future__ import annotations

from dataclasses import dataclass

from grainkit.params import param


@dataclass(frozen=True)
class Proxy:
    """An encode that stands in for what a platform makes of an upload.

    `quality` belongs to jpeg; a video codec has either `crf` or `kbps`. Fields that are not used are 0.
    Its box turns with the picture where the delivery's does.
    """

    codec: str = param("jpeg", "What encodes it.", choices=("jpeg", "x264", "x265", "vp9", "av1"))
    quality: int = param(0, "Quality of a jpeg.", low=0, high=100, unit="points")
    crf: int = param(0, "Constant rate factor of a video encode.", low=0, high=63, unit="CRF")
    kbps: int = param(0, "Mean bit rate of a video encode.", low=0, high=1_000_000, unit="kb/s")
    width: int = param(0, "Width of the box it is shrunk to first; 0 leaves it free.", low=0, high=65536, unit="px")
    height: int = param(0, "Height of the box it is shrunk to first; 0 leaves it free.", low=0, high=65536, unit="px")
    subsampling: str = param("4:2:0", "Chroma of the encode.", choices=("4:4:4", "4:2:2", "4:2:0"))


def suits(proxy: Proxy, kind: str) -> bool:
    """Whether a platform does this to a `still` or to a `clip`."""
    return (proxy.codec == "jpeg") == (kind == "still")


def label(proxy: Proxy) -> str:
    """The proxy in a few words: 'jpeg q75 4:2:0', 'x264 600 kb/s in 720x1280', 'av1 crf 35'."""
    if proxy.codec == "jpeg":
        return f"jpeg q{proxy.quality} {proxy.subsampling}"
    box = f" in {proxy.width or 'any'}x{proxy.height or 'any'}" if proxy.width or proxy.height else ""
    return f"{proxy.codec} {f'{proxy.kbps} kb/s' if proxy.kbps else f'crf {proxy.crf}'}{box}"


@dataclass(frozen=True)
class Targets:
    """Limits that a delivery keeps after the worst of its proxies."""

    highlights_share: float = param(
        0.003, "Largest share of highlight pixels decoded at or above 254.", low=0.0, high=1.0, unit="of pixels"
    )
    p999: float = param(
        255.0, "Largest 99.9th percentile of the brightest channel.", low=0.0, high=300.0, unit="codes of 255"
    )
    hue_degrees: float = param(3.0, "Largest mean hue error in highlights.", low=0.0, high=180.0, unit="degrees")
    luma_given_up: float = param(
        2.5, "Largest mean loss of luma in highlights.", low=0.0, high=255.0, unit="codes of 255"
    )
    cambi: float = param(
        2.0, "Largest banding index on smooth areas.", low=0.0, high=24.0, unit="CAMBI",
        source="Tandon et al., CAMBI: Contrast-aware Multiscale Banding Index, PCS 2021; 5 is slightly annoying",
    )  # fmt: skip
    dead: float = param(
        0.05, "Largest share of skin blocks that lose over half their texture.", low=0.0, high=1.0, unit="of blocks"
    )
    rho: float = param(0.6, "Smallest share of a texture's pattern that survives.", low=0.0, high=1.0, unit="x")
    pulse: float = param(0.05, "Largest deviation of kept texture over frames.", low=0.0, high=1.0, unit="of the mean")
    flicker: float = param(
        1.3, "Largest flicker round contours, of the untreated picture's.", low=1.0, high=100.0, unit="x"
    )
    bits: float = param(
        0.35, "Largest growth of a clip's bit rate at equal quality factor.", low=0.0, high=10.0, unit="x"
    )
    bytes: float = param(0.7, "Largest growth of a still's file at equal quality.", low=0.0, high=10.0, unit="x")


@dataclass(frozen=True)
class Adapt:
    """Whether a recipe measures itself after its proxies first, and how far it may then be changed."""

    still: bool = param(False, "Are stills adapted unless told otherwise?")
    clip: bool = param(False, "Are clips adapted unless told otherwise?")
    rounds: int = param(4, "Most times that the sample is encoded.", low=1, high=4, unit="rounds")
    weaker: float = param(0.6, "Least strength of grain, of the recipe's own.", low=0.0, high=1.0, unit="x")
    stronger: float = param(2.0, "Most strength of grain, of the recipe's own.", low=1.0, high=8.0, unit="x")
    coarser: float = param(1.5, "Largest grain, of the recipe's own size.", low=1.0, high=4.0, unit="x")
    lower: float = param(0.06, "How far the highlights' knee and ceiling may fall.", low=0.0, high=0.2, unit="of white")
    locked: float = param(
        0.0, "Most strength of locked grain that a clip may get in place of animated grain which its proxies lose; 0 "
        "keeps the carrier.", low=0.0, high=8.0, unit="codes of 255",
        source="looked at at 200 %: 1.5 and 2 codes pass for the skin's own grain, at 3 skin looks mottled",
    )  # fmt: skip
