"""The atlas: skin relief, pores and pigment of one face, laid out in millimetres, baked once and kept.

Nothing in it sits on a lattice. Cells and pores are Poisson-disk point sets, furrows are oriented
strokes, the rest are band-limited fields; all are drawn from integer hashes of (index, stream, seed),
so one seed gives one skin on every machine and in every shot. Densities, depths and sizes are those of
ALGORITHMS.md 2.1, with the literature it names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.effects.skin_texture.atlas_canvas import Canvas
from grainkit.effects.skin_texture.atlas_map import EXTENT
from grainkit.effects.skin_texture.atlas_pigment import pigments
from grainkit.effects.skin_texture.atlas_relief import cell_points, cells, lines, nets, pores, roughness, vellus, warp
from grainkit.machine.caches import cache_folder

F32 = npt.NDArray[np.float32]
F16 = npt.NDArray[np.float16]

#: Texel sizes that are baked, mm. A face of s px/mm takes the finest that it can show.
TEXELS = (0.12, 0.16, 0.24)
#: Part of the name of a cached atlas; raise it when the same seed bakes another skin.
VERSION = 3
#: Planes of the relief and of the pigments of an atlas.
HEIGHT, CAVITY = range(2)
MELANIN, BLOOD = range(2)
LEVELS = 5


@dataclass(frozen=True, eq=False)
class Atlas:
    """Baked skin. relief: float32 (h, w, 2) each, half the size of the one before: height in µm, and openings of
    pores 0..1.3, below 0 where a vellus hair lies. tints: the same of melanin and blood, in standard deviations.
    texel: mm between samples of the first level of relief; TINT_TEXEL of tints."""

    relief: tuple[F32, ...]
    tints: tuple[F32, ...]
    texel: float
    left: float = EXTENT[0]
    top: float = EXTENT[1]


def bake(seed: int, age: str, texel: float) -> Atlas:
    """Bake the skin of this seed at an age bracket; deterministic."""
    canvas = Canvas.of(seed, age, texel)
    relief, tints = np.empty((*canvas.shape, 2), np.float32), np.empty((*canvas.tinted, 2), np.float32)
    with ThreadPoolExecutor(2, thread_name_prefix="grainkit-bake") as pool:
        scattering = [(net, pool.submit(cell_points, canvas, net)) for net in nets(canvas)]
        warping, lining, pitting = (pool.submit(layer, canvas) for layer in (warp, lines, pores))
        roughening, hairing = (pool.submit(layer, canvas) for layer in (roughness, vellus))
        tinting = pool.submit(pigments, canvas)
        height, bent = np.zeros(canvas.shape, np.float32), warping.result()
        for net, middles in scattering:
            height += cells(canvas, net, middles.result(), bent, pool)
        relief[..., CAVITY] = pitting.result() + hairing.result()
        tints[..., MELANIN], tints[..., BLOOD] = tinting.result()
        relief[..., HEIGHT] = height + lining.result() + roughening.result()
    # Half floats are what the cache keeps: rounded at once, a baked atlas and a cached one are the same skin.
    return _atlas(relief.astype(np.float16), tints.astype(np.float16), texel)


def _atlas(relief: F16, tints: F16, texel: float) -> Atlas:
    return Atlas(_mips(relief.astype(np.float32)), _mips(tints.astype(np.float32)), texel)


def _mips(first: F32) -> tuple[F32, ...]:
    levels = [first]
    for _ in range(LEVELS - 1):
        levels.append(cv2.pyrDown(levels[-1]))
    return tuple(levels)


def texel_for(px_per_mm: float) -> float:
    """The texel size for faces of this scale: the finest that is baked and not finer than the picture can show."""
    wanted = 0.7 / max(px_per_mm, 1e-3)
    return max((t for t in TEXELS if t <= wanted), default=TEXELS[0])


def load_atlas(seed: int, age: str, texel: float) -> Atlas:
    """The atlas from the cache, or baked now and put there. A damaged or foreign file is baked again."""
    folder = cache_folder()
    path = None if folder is None else folder / f"atlas-v{VERSION}-{seed}-{age}-{texel:g}.npy"
    kept = None if path is None else _read(path)
    if kept is not None:
        return _atlas(kept[0], kept[1], texel)
    atlas = bake(seed, age, texel)
    if path is not None:
        _write(path, atlas)
    return atlas


def _read(path: Path) -> tuple[F16, F16] | None:
    """Relief and tints as half floats, each behind its size, their digest behind them; None where that is not what
    the file holds."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body, digest = memoryview(data)[:-32], data[-32:]
    if len(data) < 40 or hashlib.sha256(body).digest() != digest:
        return None
    planes = []
    while body:
        height, width = (int(n) for n in np.frombuffer(body[:8], np.uint32))
        end = 8 + height * width * 4
        planes.append(np.frombuffer(body[8:end], np.float16).reshape(height, width, 2))
        body = body[end:]
    relief, tints = planes
    return relief, tints


def _write(path: Path, atlas: Atlas) -> None:
    """Atomic; a cache that cannot be written is done without."""
    body = b"".join(
        np.array(p.shape[:2], np.uint32).tobytes() + p.astype(np.float16).tobytes()
        for p in (atlas.relief[0], atlas.tints[0])
    )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(body + hashlib.sha256(body).digest())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
