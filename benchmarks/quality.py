"""What skin texture does, measured: contrast per band before and after, skew, tone, spill, light, cost.

    python -m benchmarks.quality [PICTURE ...] [--photo PICTURE:AGE ...] [--clip FILE] [--crops FOLDER]

Without pictures it measures the drawn portrait. For each picture: px per mm of the largest face; contrast of
ln Y in four bands on skin before and after, in %; plasticity (dB that the two finest bands lie below a
photograph's; 0 is photographic, above 3 waxy); skew of the two finest bands; CIEDE2000 between both pictures
low-passed at 4 mm, mean and 95th percentile; share of px outside the matte changed by more than a code;
relief under a frontal lamp relative to the picture's own, and correlation of the layer with that under the
mirrored lamp. Then, of a flat sheet of skin in each zone: the largest autocorrelation of the layer 3 to 25 mm
away, over that of noise of the same smoothed spectrum. --photo: skin of a photograph waxed with a bilateral
filter and textured again, with the original's contrast, and how far that lies above the average of its age: texture
is filled up to the average, and a photograph above it cannot be known from its waxed copy. --clip: CPU time of
the analysis per frame.
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
from grainkit.analysis.face import Face
from grainkit.analysis.faces import find_faces
from grainkit.analysis.lattice import Lattice
from grainkit.analysis.light import Light, estimate_light
from grainkit.analysis.matte import skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.uv import uv_and_normals
from grainkit.effects.skin_texture.atlas import load_atlas, texel_for
from grainkit.effects.skin_texture.blocks import BLOCK, masked_blur, means, padded
from grainkit.effects.skin_texture.clip_skin import ClipSkin
from grainkit.effects.skin_texture.energy import bands_of, deviation, energy_of, linear, local_energy, luminance
from grainkit.effects.skin_texture.layer import KEEP_MM, Skin, SkinStatistics, ageing, measure, skin_layer, target
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.sample import Material, sample
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
    mirrored: float


def picture(path: Path) -> F32:
    """A still as float32 R'G'B' 0..1."""
    with gk.open_source(path) as source:
        rgb = next(iter(source)).rgb
    assert rgb is not None
    top = {"u1": 255.0, "u2": 65535.0, "f4": 1.0}[rgb.dtype.str[1:]]
    return np.ascontiguousarray(rgb[..., :3] / np.float32(top), np.float32)


@dataclass(frozen=True, eq=False)
class FoundSkin:
    """The largest face of a picture and its skin, (h, w) each: 0..1; where it is for sure; that within the face."""

    face: Face
    matte: F32
    sure: F32
    inner: F32


def skin_in(rgb: F32) -> FoundSkin | None:
    """The skin of a picture (h, w, 3) float32 0..1, or None where it shows no face."""
    networks = FaceNetworks()
    faces = find_faces(networks, rgb)
    if not faces:
        return None
    face = max(faces, key=lambda f: f.width)
    colour = skin_colour(rgb, face)
    if colour is None:
        return None
    matte = skin_matte(rgb, face, colour, cv2.resize(networks.person(rgb), rgb.shape[1::-1]))
    sure = (matte > 0.6).astype(np.float32)
    core = np.zeros(matte.shape, np.uint8)
    cv2.fillConvexPoly(core, face.hull().astype(np.int32), 1)
    return FoundSkin(face, matte, sure, cv2.erode(sure * core, np.ones((9, 9))))


def measured(rgb: F32) -> Measured | None:
    """Figures of a picture textured at strength 1, or None where it shows no face."""
    found = skin_in(rgb)
    if found is None:
        return None
    face, matte = found.face, found.matte
    after = gk.finish_array(rgb, preset="social", settings=ONLY, seed=1)
    sure, inner = found.sure, found.inner
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
        (float(moved.mean()), float(np.percentile(moved, 95))), float(outside.mean()), *_lamps(rgb, face, matte),
    )  # fmt: skip


def _bands(rgb: F32, mask: F32) -> list[F32]:
    return bands_of(np.log(luminance(linear(rgb)) + np.float32(0.004)), mask)


def _skew(values: F32) -> float:
    values = np.clip(values, *np.percentile(values, [0.2, 99.8]))
    z = (values - values.mean()) / values.std()
    return float((z**3).mean())


def _lamps(rgb: F32, face: Face, matte: F32) -> tuple[float, float]:
    """The layer under a lamp at the camera: its deviation relative to that under the picture's own light;
    and under the lamp mirrored about the camera's axis: its correlation with the picture's own."""
    rgb, matte = padded(rgb), padded(matte)
    uv, field = uv_and_normals(face, *matte.shape)
    normals = field.on(matte.shape[0] // BLOCK, matte.shape[1] // BLOCK, BLOCK)
    material = sample(load_atlas(1, "adult", texel_for(face.px_per_mm)), uv, matte > 0, -0.5)
    skin = Skin(luminance(rgb), means(rgb), matte, normals, uv)
    sure, small = (matte > 0.5).astype(np.float32), means(matte)
    low = masked_blur(means(luminance(linear(rgb))), means(sure), KEEP_MM * face.px_per_mm / BLOCK)
    light = estimate_light(low, normals, small)
    own = measure(skin, material, light, face.px_per_mm, SkinTexture(strength=1.0))
    x, y, z = light.direction
    layers = [
        _gain(skin, material, replace(own, light=replace(light, direction=direction)))
        for direction in ((x, y, z), (0.0, 0.0, 1.0), (-x, -y, z))
    ]
    side, front = (deviation(layer, sure) for layer in layers[:2])
    return front / max(side, 1e-9), float(np.corrcoef(layers[0][sure > 0], layers[2][sure > 0])[0, 1])


def _gain(skin: Skin, material: Material, statistics: SkinStatistics) -> F32:
    energy = local_energy(energy_of(skin.luma, skin.matte), statistics.px_per_mm)
    return skin_layer(skin, material, energy, statistics, SkinTexture(strength=1.0)).gain


def lattice(age: str = "adult", px_per_mm: float = 4.0, side: int = 240) -> dict[str, float]:
    """Per zone: peak of the layer's autocorrelation 3..25 mm away over the median peak of surrogate noise."""
    atlas, parameters = load_atlas(1, age, texel_for(px_per_mm)), SkinTexture(strength=1.0, age=age)
    light = Light((-0.6, -0.2, 0.775), 0.3, 0.1)
    ones = np.ones((side, side), np.float32)
    grey, normals = (np.zeros((side // BLOCK, side // BLOCK, 3), np.float32) for _ in range(2))
    grey[:], normals[..., 2] = 0.6, 1.0
    run = (np.arange(side, dtype=np.float32) - side / 2) / np.float32(px_per_mm)
    found = {}
    for zone, place in {
        "forehead": (0, -80),
        "cheek": (64, 30),
        "chin": (0, 74),
        "neck": (0, 140),
        "below": (0, 178),
    }.items():
        uv = np.ascontiguousarray(np.stack(np.meshgrid(run, run), -1) + np.array(place, np.float32), np.float32)
        skin = Skin(0.6 * ones, grey, ones, normals, Lattice(uv, 0.0, 0.0, 1.0))
        material = sample(atlas, skin.uv, ones > 0, -0.5)
        layer = _gain(skin, material, measure(skin, material, light, px_per_mm, parameters))
        found[zone] = _peak(layer, px_per_mm) / float(np.median([_peak(p, px_per_mm) for p in _surrogates(layer)]))
    return found


def _peak(plane: F32, px_per_mm: float) -> float:
    power = np.abs(np.fft.fft2(plane - plane.mean())) ** 2
    correlation = np.fft.fftshift(np.fft.ifft2(power).real)
    rows, columns = plane.shape
    y, x = np.indices(plane.shape)
    away = np.hypot(y - rows // 2, x - columns // 2) / px_per_mm
    return float(np.abs(correlation[(away > 3) & (away < 25)]).max() / correlation.max())


def _surrogates(plane: F32, count: int = 7) -> list[F32]:
    """Noise with the plane's spectrum smoothed over neighbouring frequencies: any peak of a lattice is spread out.

    (Random phases alone would keep the autocorrelation as it is.)
    """
    power = np.fft.fftshift(np.abs(np.fft.fft2(plane - plane.mean())) ** 2)
    smooth = np.fft.ifftshift(cv2.GaussianBlur(power, (0, 0), 5.0))
    noises = (np.random.default_rng(n).standard_normal(plane.shape) for n in range(count))
    return [np.asarray(np.fft.ifft2(np.sqrt(smooth) * np.fft.fft2(n)).real, np.float32) for n in noises]


def retextured(rgb: F32, age: str) -> tuple[list[float], ...] | None:
    """Contrast per band of a photograph's skin: as it is, waxed, and textured again; and that of the average
    photograph of this age. None where it shows no face."""
    found = skin_in(rgb)
    if found is None:
        return None
    face, matte = found.face, found.matte
    smooth = rgb
    for _ in range(3):
        smooth = cv2.bilateralFilter(smooth, 0, 0.06, max(2.0, 1.2 * face.px_per_mm))
    waxed = rgb + (smooth - rgb) * matte[..., None]
    again = gk.finish_array(waxed, preset="social", settings=(*ONLY, f"skin_texture.age={age}"), seed=1)
    before, wax, after = ([deviation(b, found.inner) for b in _bands(p, found.sure)] for p in (rgb, waxed, again))
    return before, wax, after, (target(face.px_per_mm) * ageing(age)).tolist()


def clip_cost(path: Path, frames: int = 12) -> float:
    """CPU milliseconds of the analysis per frame, after the first two."""
    with gk.open_source(path) as source:
        pictures = list(islice(iter(source), frames))
    stage = ClipSkin(SkinTexture(strength=1.0), 1)
    for frame in pictures[:2]:
        stage.textured(frame)
    began = time.process_time()
    for frame in pictures[2:]:
        stage.textured(frame)
    return (time.process_time() - began) * 1000 / max(len(pictures) - 2, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--photo", action="append", default=[], metavar="PICTURE:AGE")
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--crops", type=Path)
    options = parser.parse_args()
    named = [(p.name, picture(p)) for p in options.pictures] or [("samples/portrait", portrait())]
    print(f"{'':26}{'px/mm':>6}{'bands before, %':>24}{'after, %':>24}{'plastic, dB':>15}{'skew':>14}"
          f"{'dE low-pass':>14}{'spill':>8}{'frontal':>9}{'mirrored':>9}")  # fmt: skip
    for name, rgb in named:
        m = measured(rgb)
        if m is None:
            print(f"{name[:25]:26} no face")
            continue
        before, after = (" ".join(f"{100 * v:5.2f}" for v in bands) for bands in (m.before, m.after))
        plastic = f"{m.plastic_before:+.1f} -> {m.plastic_after:+.1f}"
        print(f"{name[:25]:26}{m.px_per_mm:6.2f}{before:>24}{after:>24}{plastic:>15}"
              f"{f'{m.skew[0]:+.2f} {m.skew[1]:+.2f}':>14}{f'{m.tone[0]:.3f} {m.tone[1]:.3f}':>14}"
              f"{100 * m.spill:7.3f}%{m.frontal:9.2f}{m.mirrored:9.2f}")  # fmt: skip
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
    print("lattice, x surrogate: " + ", ".join(f"{zone} {value:.2f}" for zone, value in lattice().items()))
    for given in options.photo:
        path, _, age = given.rpartition(":")
        bands = retextured(picture(Path(path)), age)
        if bands is None:
            print(f"{Path(path).name[:25]:26} no face")
            continue
        shown = [" ".join(f"{100 * v:5.2f}" for v in b) for b in bands]
        off = " ".join(f"{20 * np.log10(a / b):+.1f}" for a, b in zip(bands[2][:3], bands[0][:3], strict=True))
        above = " ".join(f"{20 * np.log10(a / w):+.1f}" for a, w in zip(bands[0][:3], bands[3][:3], strict=True))
        print(f"{Path(path).name[:25]:26}photograph {shown[0]} ({above} dB to the average), waxed {shown[1]}, "
              f"again {shown[2]}: {off} dB to the photograph")  # fmt: skip
    if options.clip is not None:
        print(f"analysis of {options.clip.name}: {clip_cost(options.clip):.0f} ms of CPU time per frame")


if __name__ == "__main__":
    main()
