"""What skin texture does, measured: contrast per band before and after, skew, tone, spill, light, cost.

    python -m benchmarks.quality [PICTURE ...] [--clip FILE] [--crops FOLDER]

Without pictures it measures the drawn portrait. For each picture: px per mm of the largest face; contrast of
ln Y in four bands on skin before and after, in %; plasticity (dB that the two finest bands lie below a
photograph's; 0 is photographic, above 3 waxy); skew of the two finest bands; CIEDE2000 between both pictures
low-passed at 4 mm, mean and 95th percentile; share of px outside the matte changed by more than a code;
relief under a frontal lamp relative to the picture's own. --clip: CPU time of the analysis per frame.
--crops: before and after at 200 %, as PNG files.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from skimage.color import deltaE_ciede2000, rgb2lab

import grainkit as gk
from grainkit.analysis.faces import find_faces
from grainkit.analysis.light import estimate_light
from grainkit.analysis.matte import skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.uv import uv_fields
from grainkit.effects.skin_texture import SkinTexture
from grainkit.texture.atlas import load_atlas, texel_for
from grainkit.texture.layer import (
    KEEP_MM,
    Skin,
    bands_of,
    deviation,
    linear,
    luminance,
    masked_blur,
    measure,
    skin_layer,
    target,
)
from grainkit.texture.sample import sample
from grainkit.texture.stage import TextureStage
from samples.compare import side_by_side
from samples.draw import portrait

F32 = npt.NDArray[np.float32]
ONLY = ("highlight_guard.strength=0", "cinema_grain.strength=0", "skin_texture.strength=1", "delivery.fit=keep")


@dataclass(frozen=True)
class Measured:
    """One picture's figures; see the module's description."""

    px_per_mm: float
    before: tuple[float, ...]
    after: tuple[float, ...]
    plastic_before: float
    plastic_after: float
    skew: tuple[float, float]
    tone: tuple[float, float]
    spill: float
    frontal: float


def picture(path: Path) -> F32:
    """A still as float32 R'G'B' 0..1."""
    with gk.open_source(path) as source:
        rgb = next(iter(source)).rgb
    assert rgb is not None
    top = {"u1": 255.0, "u2": 65535.0, "f4": 1.0}[rgb.dtype.str[1:]]
    return np.ascontiguousarray(rgb[..., :3] / np.float32(top), np.float32)


def measured(rgb: F32) -> Measured | None:
    """Figures of a picture textured at strength 1, or None where it shows no face."""
    networks = FaceNetworks()
    faces = find_faces(networks, rgb)
    if not faces:
        return None
    face = max(faces, key=lambda f: f.width)
    height, width = rgb.shape[:2]
    colour = skin_colour(rgb, face)
    if colour is None:
        return None
    matte = skin_matte(rgb, face, colour, cv2.resize(networks.person(rgb), (width, height)))
    after = gk.finish_array(rgb, preset="social", settings=ONLY, seed=1)
    sure = (matte > 0.6).astype(np.float32)
    core = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(core, face.hull().astype(np.int32), 1)
    inner = cv2.erode(sure * core, np.ones((9, 9)))
    had, has = (_bands(p, sure) for p in (rgb, after))
    want = target(face.px_per_mm)
    contrasts = [tuple(deviation(b, inner) for b in bands) for bands in (had, has)]
    plastic = [float(np.mean([20 * np.log10(want[k] / max(c[k], 1e-6)) for k in (0, 1)])) for c in contrasts]
    sigma = 4 * face.px_per_mm
    low = [np.stack([masked_blur(p[..., c], sure, sigma) for c in range(3)], -1) for p in (rgb, after)]
    moved = deltaE_ciede2000(*(rgb2lab(np.clip(p, 0, 1)) for p in low))[sure > 0]
    outside = np.abs(after - rgb).max(-1)[cv2.dilate(matte, np.ones((5, 5))) < 0.01] * 255 > 1
    skews = [_skew(b[inner > 0]) for b in has[:2]]
    return Measured(
        face.px_per_mm, contrasts[0], contrasts[1], plastic[0], plastic[1], (skews[0], skews[1]),
        (float(moved.mean()), float(np.percentile(moved, 95))), float(outside.mean()), _frontal(rgb, matte, networks),
    )  # fmt: skip


def _bands(rgb: F32, mask: F32) -> list[F32]:
    return bands_of(np.log(luminance(linear(rgb)) + np.float32(0.004)), mask)


def _skew(values: F32) -> float:
    values = np.clip(values, *np.percentile(values, [0.2, 99.8]))
    z = (values - values.mean()) / values.std()
    return float((z**3).mean())


def _frontal(rgb: F32, matte: F32, networks: FaceNetworks) -> float:
    """Deviation of the layer under a lamp at the camera, relative to that under the picture's own light."""
    face = max(find_faces(networks, rgb), key=lambda f: f.width)
    uv, normals = uv_fields(face, *rgb.shape[:2])
    planes = sample(load_atlas(1, "adult", texel_for(face.px_per_mm)), uv, matte > 0, -0.5)
    skin = Skin(rgb, matte, np.zeros_like(matte), normals, planes, uv)
    sure = (matte > 0.5).astype(np.float32)
    light = estimate_light(masked_blur(luminance(linear(rgb)), sure, KEEP_MM * face.px_per_mm), normals, matte)
    parameters = SkinTexture(strength=1.0)
    own = measure(skin, light, face.px_per_mm, parameters)
    lamps = [replace(own, light=replace(light, direction=d)) for d in (light.direction, (0.0, 0.0, 1.0))]
    side, front = (deviation(skin_layer(skin, s, parameters).gain, sure) for s in lamps)
    return front / max(side, 1e-9)


def clip_cost(path: Path, frames: int = 12) -> float:
    """CPU milliseconds of the analysis per frame, after the first two."""
    with gk.open_source(path) as source:
        pictures = list(islice(iter(source), frames))
    stage = TextureStage(SkinTexture(strength=1.0), 1, moving=True)
    for frame in pictures[:2]:
        stage.term(frame)
    began = time.process_time()
    for frame in pictures[2:]:
        stage.term(frame)
    return (time.process_time() - began) * 1000 / max(len(pictures) - 2, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--crops", type=Path)
    options = parser.parse_args()
    named = [(p.name, picture(p)) for p in options.pictures] or [("samples/portrait", portrait())]
    print(f"{'':26}{'px/mm':>6}{'bands before, %':>24}{'after, %':>24}{'plastic, dB':>15}{'skew':>14}"
          f"{'dE low-pass':>14}{'spill':>8}{'frontal':>9}")  # fmt: skip
    for name, rgb in named:
        m = measured(rgb)
        if m is None:
            print(f"{name[:25]:26} no face")
            continue
        before, after = (" ".join(f"{100 * v:5.2f}" for v in bands) for bands in (m.before, m.after))
        plastic = f"{m.plastic_before:+.1f} -> {m.plastic_after:+.1f}"
        print(f"{name[:25]:26}{m.px_per_mm:6.2f}{before:>24}{after:>24}{plastic:>15}"
              f"{f'{m.skew[0]:+.2f} {m.skew[1]:+.2f}':>14}{f'{m.tone[0]:.3f} {m.tone[1]:.3f}':>14}"
              f"{100 * m.spill:7.3f}%{m.frontal:9.2f}")  # fmt: skip
        if options.crops is not None:
            options.crops.mkdir(parents=True, exist_ok=True)
            face = max(find_faces(FaceNetworks(), rgb), key=lambda f: f.width)
            x, y = (int(v) for v in face.points[205, :2])
            after8, before8 = (
                np.clip(p * 255 + 0.5, 0, 255).astype(np.uint8)
                for p in (gk.finish_array(rgb, preset="social", settings=ONLY, seed=1), rgb)
            )
            pair = side_by_side(before8, after8, max(0, x - 150), max(0, y - 150))
            cv2.imwrite(str(options.crops / f"{Path(name).stem}.png"), pair[..., ::-1])
    if options.clip is not None:
        print(f"analysis of {options.clip.name}: {clip_cost(options.clip):.0f} ms of CPU time per frame")


if __name__ == "__main__":
    main()
