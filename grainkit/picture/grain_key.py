"""What the grain of one still is drawn by: the recipe's seed, mixed with a digest of the still's own pixels.

So no two stills of a series carry one and the same plate of grain, and a still has the same grain alone, in a series,
under another name, as an array in memory, or saved again without loss.

The digest is that of the picture in one canonical form: its R'G'B' as it is decoded, upright and before anything is
done to it, alpha left out, grey repeated in all three channels, every sample rounded to 8 bits of the full scale
(0..1 of float), row by row from the top, R, G, B of each px in turn. The size stands before it. Eight bits, because
that is what all forms of a picture agree on: a host that holds an 8-bit PNG as float, or an editor that saved it with
16, gives the same digest.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from grainkit.picture.noise import pcg4d

#: The fourth word of the mix, which keeps it apart from every other use of the hash: "px" and a number.
_MIX = np.uint32(0x70780001)
#: Samples that are brought to 8 bits at once: they stay in the processor's cache.
_STRIP = 1 << 18


def pixels_digest(samples: npt.NDArray[np.generic]) -> int:
    """32 bits that tell a still from every other: BLAKE2b of its canonical form.

    samples: (H, W, 3) R'G'B' or (H, W) grey; uint8, uint16 of full scale, or float32 with white at 1. What lies
        outside 0..1 counts as black or white, and so does what is no number, as black.
    """
    height, width = samples.shape[:2]
    found = hashlib.blake2b(f"{width}x{height}\n".encode(), digest_size=4)
    rows = max(1, _STRIP // max(1, width * 3))
    for top in range(0, height, rows):
        codes = _eight_bits(samples[top : top + rows])
        found.update(np.ascontiguousarray(codes if codes.ndim == 3 else np.repeat(codes[..., None], 3, axis=-1)).data)
    return int.from_bytes(found.digest(), "little")


def grain_seed(seed: int, pixels: int | None) -> int:
    """The seed of a picture's grain, 0..2^32-1. pixels: its `pixels_digest`; None for frames, drawn by their number."""
    if pixels is None:
        return seed
    return int(pcg4d(np.uint32(seed), np.uint32(pixels), np.uint32(0), _MIX)[3])


def _eight_bits(samples: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Samples rounded to 8 bits of the full scale; halves go up."""
    if samples.dtype.kind == "u" and samples.dtype.itemsize == 1:
        return samples.astype(np.uint8, copy=False)
    if samples.dtype.kind == "u":
        return ((samples.astype(np.uint32) + np.uint32(128)) // np.uint32(257)).astype(np.uint8)
    whole = np.nan_to_num(samples.astype(np.float32, copy=False), nan=0.0, posinf=1.0, neginf=0.0)
    return (np.clip(whole, np.float32(0), np.float32(1)) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
