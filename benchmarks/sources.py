"""What a generator's stills lack, measured: the basis of the values in grainkit/sources.

    python -m benchmarks.sources PICTURE ...

For each picture: px per mm of its largest face; plasticity of the skin (dB that the two finest bands lie
below a photograph's; 0 is photographic, above 3 waxy) as it is, and with skin texture alone at several
strengths; how far eyes and brows are as sharp as a lens leaves them (1 is); the deviation that the source's
own noise and compression put into the finest band, %; share of the picture whose luma is at 250 of 255 and
above, and share whose largest channel is clipped at 254; the same two on skin.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import grainkit as gk
from benchmarks.quality import ONLY, picture, skin_in
from grainkit.analysis.face import BROWS, EYES
from grainkit.analysis.matte import filled
from grainkit.analysis.source_noise import source_noise
from grainkit.effects.skin_texture.energy import SHARP_RATIO, bands_of, deviation, linear, luminance
from grainkit.effects.skin_texture.layer import target

F32 = npt.NDArray[np.float32]
STRENGTHS = (0.7, 0.85, 1.0, 1.15)
#: Codes of 255 from which a highlight is at the ceiling of the social presets, and clipped.
BRIGHT, CLIPPED = 250, 254


@dataclass(frozen=True)
class Lacking:
    """One picture's figures; see the module's description."""

    px_per_mm: float
    plastic: tuple[float, ...]
    sharp: float
    noise: float
    highlights: tuple[float, float]
    on_skin: tuple[float, float]


def lacking(rgb: F32) -> Lacking | None:
    """What a picture (h, w, 3) float32 0..1 lacks, or None where it shows no face."""
    found = skin_in(rgb)
    if found is None:
        return None
    face, matte, sure, inner = found.face, found.matte, found.sure, found.inner
    treated = [
        gk.finish_array(rgb, preset="social", settings=(*ONLY, f"skin_texture.strength={s}"), seed=1) for s in STRENGTHS
    ]
    sharp = np.zeros(matte.shape, np.float32)
    for group in (*EYES, *BROWS):
        sharp = np.maximum(sharp, filled(matte.shape, face.points[list(group), :2]))
    bright = np.log(luminance(linear(rgb)) + np.float32(0.004))
    fine = bands_of(bright)
    lashes = (sharp > 0.5).astype(np.float32)
    return Lacking(
        face.px_per_mm, tuple(_plastic(p, sure, inner, face.px_per_mm) for p in (rgb, *treated)),
        deviation(fine[0], lashes) / max(deviation(fine[1], lashes), 1e-4) / SHARP_RATIO,
        100 * source_noise(fine, bright, matte)[0],
        _highlights(rgb, np.ones(matte.shape, np.bool_)), _highlights(rgb, matte > 0.5),
    )  # fmt: skip


def _plastic(rgb: F32, sure: F32, inner: F32, px_per_mm: float) -> float:
    bands = bands_of(np.log(luminance(linear(rgb)) + np.float32(0.004)), sure)
    want = target(px_per_mm)
    return float(np.mean([20 * np.log10(want[k] / max(deviation(bands[k], inner), 1e-6)) for k in (0, 1)]))


def _highlights(rgb: F32, where: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Shares in % of the chosen px."""
    luma, top = luminance(rgb)[where] * 255, rgb.max(-1)[where] * 255
    return float(100 * (luma >= BRIGHT).mean()), float(100 * (top >= CLIPPED).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="+", type=Path)
    options = parser.parse_args()
    strengths = "".join(f"{f'at {s:g}':>9}" for s in STRENGTHS)
    print(f"{'':30}{'px/mm':>6}{'plastic':>9}{strengths}{'sharp':>7}{'noise':>7}{'250, 254':>15}{'on skin':>15}")
    for path in options.pictures:
        found = lacking(picture(path))
        if found is None:
            print(f"{path.name[:29]:30} no face")
            continue
        plastic = "".join(f"{v:+9.1f}" for v in found.plastic)
        shares = "".join(f"{f'{a:.2f} {b:.2f} %':>15}" for a, b in (found.highlights, found.on_skin))
        print(f"{path.name[:29]:30}{found.px_per_mm:6.2f}{plastic}{found.sharp:7.2f}{found.noise:7.2f}{shares}")


if __name__ == "__main__":
    main()
