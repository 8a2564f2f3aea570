"""A delivery through the encode that stands in for a platform."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grainkit.codec.jpeg import JFIF, decoded, encoded, round_trip
from grainkit.codec.viewer import unclamped_rgb
from grainkit.io.delivery import ClipDelivery, StillDelivery
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import planes_from_rgb
from grainkit.recipe.targets import Proxy

if TYPE_CHECKING:
    # Imported where clips are encoded, so that a still never loads FFmpeg.
    from grainkit.codec.encoder import Encoded, Streams

RGB8 = npt.NDArray[np.uint8]


def clip_through(
    proxy: Proxy, windows: Sequence[Sequence[Frame]], rate: Fraction, threads: Executor, first: int = 0,
    tried: Streams | None = None,
) -> Encoded:  # fmt: skip
    """Windows of frames as the platform hands them to its encoder, after it.

    first: where to begin looking for the quality that gives the proxy's rate; 0 leaves it to the codec.
    tried: what the same windows were encoded to before by the same codec; see `at_rate`.
    """
    from grainkit.codec.encoder import ENCODERS, at_quality, at_rate

    encoder = ENCODERS[proxy.codec]
    if proxy.kbps:
        return at_rate(encoder, windows, rate, proxy.kbps, threads, first, tried)
    return at_quality(encoder, windows, rate, proxy.crf, threads)


def still_through(proxy: Proxy, rgb: RGB8) -> tuple[Frame, int]:
    """The decoded picture (float 4:4:4, JPEG's matrix, nothing clipped) and the bytes of the file.

    rgb: (h, w, 3) as uploaded, of the size that the platform shows.
    """
    return round_trip(rgb, proxy.quality, proxy.subsampling)


def uploaded(rgb: npt.NDArray[np.generic], delivery: StillDelivery) -> RGB8:
    """What a platform reads out of a delivered still: 8 bits, after the delivery's own JPEG.

    rgb: (h, w, 3) or grey (h, w) samples, uint8, uint16 or float32 (1.0 is white).
    """
    if rgb.ndim == 2:
        rgb = np.repeat(rgb[..., None], 3, axis=2)
    if rgb.dtype != np.uint8:
        top = 65535.0 if rgb.dtype == np.uint16 else 1.0
        rgb = np.clip(np.rint(rgb.astype(np.float32) * np.float32(255 / top)), 0, 255).astype(np.uint8)
    codes = np.ascontiguousarray(rgb, np.uint8)
    if delivery.container != "jpeg":
        return codes
    return decoded(encoded(codes, delivery.quality, delivery.subsampling))


@dataclass(frozen=True, eq=False)
class Sent:
    """A finished still as a platform has it.

    treated: as uploaded, comparable with `decoded`: for each proxy, what a viewer's decoder holds. sizes: bytes of
    each proxy's file.
    """

    treated: Frame
    decoded: tuple[Frame, ...]
    sizes: tuple[int, ...]

    @staticmethod
    def of(done: Frame, delivery: StillDelivery, proxies: Sequence[Proxy]) -> Sent:
        """done: with its `rgb`."""
        assert done.rgb is not None
        rgb = uploaded(done.rgb, delivery)
        through = [still_through(proxy, rgb) for proxy in proxies]
        return Sent(in_jpeg_matrix(rgb), tuple(frame for frame, _ in through), tuple(size for _, size in through))


def delivered(
    delivery: ClipDelivery | None, windows: Sequence[Sequence[Frame]], rate: Fraction, threads: Executor
) -> Sequence[tuple[Frame, ...]]:
    """What a platform reads out of a delivered clip: its frames after the delivery's own encode.

    Encodes that have no constant quality factor, more than 8 bits or more chroma are as good as none, and left out.
    """
    from grainkit.codec.encoder import ENCODERS, at_quality

    whole = [tuple(window) for window in windows]
    crf = "" if delivery is None else delivery.options.get("crf", "")
    own = None if delivery is None else next((e for e in ENCODERS.values() if e.name == delivery.codec), None)
    color = whole[0][0].color
    if delivery is None or own is None or not crf.isdigit() or (color.depth, color.subsampling) != (8, (2, 2)):
        return whole
    asked = {key: value for key, value in delivery.options.items() if key != "crf"}
    merged = {**asked, **{k: f"{v}:{asked[k]}" if k in asked else v for k, v in own.options if k.endswith("-params")}}
    return at_quality(replace(own, options=tuple(merged.items())), whole, rate, int(crf), threads).windows


def in_jpeg_matrix(picture: Frame | RGB8) -> Frame:
    """Float 4:4:4 planes, or (h, w, 3) samples, in the matrix of a decoded JPEG, so that they compare."""
    if isinstance(picture, Frame):
        rgb: npt.NDArray[np.float32] | RGB8 = np.stack(unclamped_rgb(picture), axis=2)
        return replace(picture, planes=planes_from_rgb(rgb, JFIF), color=JFIF, alpha=None, rgb=None)
    return Frame(planes_from_rgb(picture, JFIF), JFIF)
