"""How much of skin texture is left after a platform's codec.

    python -m benchmarks.texture_codec CLIP [--frames N] [--strength S]

The clip is brought to 720p and encoded with x264 at several rates, as it is and with skin texture. Of the texture
(high-passed luma that it adds, where it adds any): its deviation in 8-bit codes, and rho, the share of the pattern
found in the difference of both decoded clips (regression on what was added; 1 is all of it).
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import grainkit as gk
from grainkit.codec.proxies import clip_through, label
from grainkit.codec.viewer import as_platform, platform_geometry
from grainkit.effects.skin_texture import SkinTexture
from grainkit.frame import Frame
from grainkit.targets import Proxy
from grainkit.texture.stage import TextureStage
from grainkit.texture.term import LUMA_ONE

F32 = npt.NDArray[np.float32]

RATES = (600, 1500, 4000)
#: Patterns are looked at above this Gaussian sigma, px at 720p.
FINE = 4.0


def both(path: Path, frames: int, strength: float) -> tuple[list[Frame], list[Frame]]:
    """The clip's first frames as they are, and with texture on their luma."""
    with gk.open_source(path) as source:
        plain = list(islice(iter(source), frames))
    stage = TextureStage(SkinTexture(strength=strength), 1, moving=True)
    made = []
    for frame in plain:
        luma = frame.planes[0].astype(np.float32)
        term = stage.term(frame)
        if term is not None:
            height, width = term.luma.shape
            part = luma[term.top : term.top + height, term.left : term.left + width]
            part += (part - 16) * (term.luma / np.float32(LUMA_ONE))
        # Rounded with noise, as the pass does, or the codes themselves would be a pattern.
        dither = np.random.default_rng(frame.index).random(luma.shape, np.float32)
        made.append(replace(frame, planes=(np.floor(luma + dither).clip(0, 255).astype(np.uint8), *frame.planes[1:])))
    return plain, made


def fine(plane: npt.NDArray[np.number]) -> F32:
    luma = plane.astype(np.float32)
    return np.asarray(luma - cv2.GaussianBlur(luma, (0, 0), FINE), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--strength", type=float, default=1.0)
    options = parser.parse_args()
    plain, made = both(options.clip, options.frames, options.strength)
    if plain[0].color.depth != 8:
        raise SystemExit("the clip has to have 8 bits")
    with ThreadPoolExecutor(1) as threads:
        for kbps in RATES:
            proxy = Proxy(codec="x264", kbps=kbps, width=720, height=1280)
            geometry = platform_geometry(plain[0].width, plain[0].height, proxy, turn=True)
            small = [[as_platform(frame, geometry) for frame in clip] for clip in (plain, made)]
            encoded = [clip_through(proxy, [clip], Fraction(25), threads) for clip in small]
            shares, codes = [], []
            for before, after, seen, textured in zip(*small, *(e.windows[0] for e in encoded), strict=True):
                added = fine(after.planes[0]) - fine(before.planes[0])
                place = cv2.GaussianBlur(np.abs(added), (0, 0), 2 * FINE) > 0.3
                if place.sum() < 500:
                    continue
                left = fine(textured.planes[0]) - fine(seen.planes[0])
                shares.append(float((added * left)[place].sum() / (added * added)[place].sum()))
                codes.append(float(added[place].std()))
            if not shares:
                raise SystemExit("no texture was added; is there a face?")
            print(f"{label(proxy):24} texture of {np.mean(codes):.2f} codes, rho {np.mean(shares):.2f}", flush=True)


if __name__ == "__main__":
    main()
