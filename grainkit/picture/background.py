"""What lies behind a picture: transparency composited over a colour, and the bars that bring it to an exact size.

Compositing is done in the signal's code values, as browsers do it, before anything else: what is analysed, finished
and sent through a codec is what will be seen. Bars are added last, when effects are done: they are flat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from grainkit.picture.color import Color
from grainkit.picture.colour_names import COLOUR_NAMES
from grainkit.picture.frame import Frame, Plane
from grainkit.picture.resample import alpha_at_chroma, alpha_top, chroma_shape, levels, normalised
from grainkit.picture.rgb import RGB, PlanesOfRgb, full_scale
from grainkit.picture.transfer import beside_white


@dataclass(frozen=True)
class Canvas:
    """A colour with a picture on it. size: (width, height), px. left, top: where the picture begins, whole chroma
    samples. background: a colour as `delivery.background` has it."""

    size: tuple[int, int]
    left: int
    top: int
    background: str

    def bars(self, picture: tuple[int, int]) -> str:
        """What is around a picture of (width, height), in words."""
        right, below = self.size[0] - self.left - picture[0], self.size[1] - self.top - picture[1]
        sides = {"left": self.left, "right": right, "above": self.top, "below": below}
        return ", ".join(f"{px} px {side}" for side, px in sides.items() if px) or "none"


def background_signal(background: str, color: Color) -> tuple[float, float, float]:
    """R', G', B' 0..1 of a background in a picture of this colour. Its primaries are taken as they are."""
    code = COLOUR_NAMES.get(background, background).removeprefix("#")
    signal = beside_white(color.transfer, [int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)])
    return float(signal[0]), float(signal[1]), float(signal[2])


def composited(frame: Frame, background: str) -> Frame:
    """The frame over an opaque background, without alpha. Opaque pixels keep their bits; the rest is rounded.

    A grey picture stays grey: the background's luma is what lies behind it.
    """
    if frame.alpha is None:
        return frame
    color = frame.color
    alpha = normalised(frame.alpha, 0.0, alpha_top(frame.alpha, color))
    if isinstance(frame.planes, PlanesOfRgb):
        rgb = _over_rgb(frame.planes.rgb, alpha, _behind(frame.planes.rgb, background, color))
        return replace(frame, planes=PlanesOfRgb(rgb, color), rgb=None if frame.rgb is None else rgb, alpha=None)
    at_chroma = alpha_at_chroma(alpha, color) if len(frame.planes) > 1 else alpha
    codes = _codes(background, color)
    planes = tuple(map(_over, frame.planes, (alpha, at_chroma, at_chroma), codes))
    return replace(frame, planes=planes, alpha=None)


def padded(frame: Frame, canvas: Canvas | None, alpha_of: Color | None = None) -> Frame:
    """A finished frame on its canvas; as it is where that is None.

    alpha_of: the colour of the source, where alpha still has its scale.
    """
    if canvas is None:
        return frame
    color = frame.color

    def laid(samples: Plane, code: float | npt.NDArray[np.generic], across: int = 1, down: int = 1) -> Plane:
        columns, rows = chroma_shape(*canvas.size, (across, down))
        out: Plane = np.empty((rows, columns, *samples.shape[2:]), samples.dtype)
        out[:] = code
        top, left = canvas.top // down, canvas.left // across
        out[top : top + samples.shape[0], left : left + samples.shape[1]] = samples
        return out

    alpha = None if frame.alpha is None else laid(frame.alpha, alpha_top(frame.alpha, alpha_of or color))
    if frame.rgb is not None:
        samples = laid(frame.rgb, _behind(frame.rgb, canvas.background, color))
        return replace(frame, planes=PlanesOfRgb(samples, color), rgb=samples, alpha=alpha)
    factors = ((1, 1), color.subsampling, color.subsampling)
    codes = _codes(canvas.background, color)
    planes = tuple(laid(p, _stored(c, p), *f) for p, c, f in zip(frame.planes, codes, factors, strict=False))
    return replace(frame, planes=planes, alpha=alpha)


def _codes(background: str, color: Color) -> tuple[float, float, float]:
    """Y', Cb, Cr of a background, at the scale that planes of this colour have."""
    red, green, blue = background_signal(background, color)
    kr, kg, kb = color.luma_weights()
    y = kr * red + kg * green + kb * blue
    values = (y, (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr))
    made = [zero + value * unit for value, (zero, unit) in zip(values, levels(color), strict=True)]
    return made[0], made[1], made[2]


def _behind(samples: RGB, background: str, color: Color) -> npt.NDArray[np.generic]:
    """Codes of a background in R'G'B' samples of this type: three, or of grey pictures one."""
    signal = np.array(background_signal(background, color))
    if samples.ndim == 2:
        signal = np.array([signal @ color.luma_weights()])
    scaled = signal * full_scale(samples.dtype)
    return np.asarray(scaled if samples.dtype == np.float32 else np.rint(scaled), samples.dtype)


def _over_rgb(samples: RGB, alpha: npt.NDArray[np.float32], codes: npt.NDArray[np.generic]) -> RGB:
    if samples.ndim == 2:
        return _over(samples, alpha, float(codes[0]))
    return np.ascontiguousarray(np.stack([_over(samples[..., c], alpha, float(codes[c])) for c in range(3)], axis=2))


def _over(plane: Plane, alpha: npt.NDArray[np.float32], code: float) -> Plane:
    """Samples over one colour: integers rounded to the nearest."""
    behind = np.float32(code)
    # This way round an opaque sample comes out as it is, whatever float32 makes of the rest.
    mixed = np.where(alpha == 1, plane.astype(np.float32), behind + (plane.astype(np.float32) - behind) * alpha)
    out: Plane = np.empty(plane.shape, plane.dtype)
    out[:] = mixed if plane.dtype == np.float32 else np.rint(mixed)
    return out


def _stored(code: float, plane: Plane) -> float:
    return code if plane.dtype == np.float32 else float(np.rint(code))
