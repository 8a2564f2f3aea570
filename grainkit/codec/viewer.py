"""What becomes of a finished frame on its way: the platform's downscale to 8-bit 4:2:0, and the viewer's 4:4:4."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from grainkit.io.base import SourceInfo
from grainkit.io.box import fitted
from grainkit.io.delivery import Delivery
from grainkit.picture.color import Color, Range, Siting, chroma_codes, luma_codes
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.resample import Geometry, conform
from grainkit.recipe.targets import Proxy

F32 = npt.NDArray[np.float32]


def platform_geometry(width: int, height: int, proxy: Proxy, *, turn: bool) -> Geometry:
    """How a platform fits a delivery of this size into the proxy's box; nothing is ever enlarged.

    turn: the box turns with the picture. Sides come out even, as 4:2:0 needs.
    """
    info = SourceInfo("delivery", None, "clip", width, height, Color())
    box = Delivery(width=proxy.width, height=proxy.height, turn=turn)
    return fitted(info, box, (2, 2))[0]


def as_platform(frame: Frame, geometry: Geometry) -> Frame:
    """A delivered frame as the platform hands it to its encoder: resized, 8-bit 4:2:0, limited range, rounded."""
    color = replace(frame.color, depth=8, subsampling=(2, 2), range=Range.LIMITED, siting=Siting.LEFT, is_rgb=False)
    if frame.color == color and geometry.is_identity:
        return frame
    ready = conform(frame, geometry, replace(color, depth=32))
    black, white = luma_codes(8, Range.LIMITED)
    grey, unit = chroma_codes(8, Range.LIMITED)
    luma, *chroma = ready.planes
    if not chroma:
        chroma = [np.zeros((-(-luma.shape[0] // 2), -(-luma.shape[1] // 2)), np.float32)] * 2
    planes = (_codes(luma, black, white - black), *(_codes(plane, grey, unit) for plane in chroma))
    return replace(frame, planes=planes, color=color, alpha=None, rgb=None)


def _codes(plane: Plane, zero: float, unit: float) -> npt.NDArray[np.uint8]:
    codes: npt.NDArray[np.uint8] = np.clip(np.rint(plane * np.float32(unit) + np.float32(zero)), 0, 255).astype(
        np.uint8
    )
    return codes


def as_seen(frame: Frame, geometry: Geometry | None = None) -> Frame:
    """Float 4:4:4 planes of a frame, as a player that clips nothing would show it.

    geometry: brings it to another size first.
    """
    color = replace(frame.color, depth=32, subsampling=(1, 1), siting=Siting.CENTER, is_rgb=False)
    seen = conform(frame, geometry or Geometry.same(frame.width, frame.height), color)
    if len(seen.planes) == 1:
        grey = np.zeros_like(seen.planes[0])
        seen = replace(seen, planes=(seen.planes[0], grey, grey))
    return replace(seen, alpha=None, rgb=None)


def brightest(frame: Frame) -> F32:
    """Largest of R', G', B' of float 4:4:4 planes, not clipped."""
    rgb = np.stack(unclamped_rgb(frame))
    return np.asarray(rgb.max(0))


def unclamped_rgb(frame: Frame) -> tuple[F32, F32, F32]:
    """R', G', B' (h, w) float32 of float 4:4:4 planes; what lies outside 0..1 is kept."""
    y, cb, cr = (np.asarray(plane, np.float32) for plane in frame.planes)
    kr, kg, kb = (np.float32(weight) for weight in frame.color.luma_weights())
    two = np.float32(2)
    r = y + cr * (two - two * kr)
    b = y + cb * (two - two * kb)
    return r, np.asarray((y - kr * r - kb * b) / kg, np.float32), b
