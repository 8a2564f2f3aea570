"""Stills that Pillow's plugins decode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageFile

from grainkit.io import exif as exif_block
from grainkit.io import icc
from grainkit.io.base import StillMetadata, check_size
from grainkit.io.still import Still, finished, still_color

#: Half of what Pillow reads at most.
PILLOW_PIXELS = Image.MAX_IMAGE_PIXELS or 0


def still_of(
    image: ImageFile.ImageFile, container: str, limit: int, said: StillMetadata, credentials: bool,
    notes: tuple[str, ...],
) -> Still:  # fmt: skip
    """Of a plugin opened directly: Image.open() would apply Pillow's own, lower limit of pixels."""
    check_size(*image.size, limit)
    samples = np.asarray(image)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.ndim == 3 and samples.shape[2] == 4 else None
    rgb = np.ascontiguousarray(samples[..., :3]) if samples.ndim == 3 else samples
    exif = said.exif or b""
    if said.icc is None and rgb.ndim == 3 and exif_block.says_adobe_rgb(exif):
        said = replace(said, icc=icc.profile_of_power(icc.ADOBE_RGB, icc.ADOBE_POWER))
        notes = (*notes, "its EXIF says Adobe RGB, which goes on as an ICC profile")
    color = still_color(8, declared=said.icc is not None or exif_block.says_srgb(exif))
    return finished(Still(rgb, alpha, color, container, said, notes), exif_block.orientation(exif), credentials)
