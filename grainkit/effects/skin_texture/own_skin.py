"""Whose skin is whose: people who share a picture do not share their pores.

The first of a picture has the skin of the recipe's seed, in every picture of a campaign. The second has it mirrored,
which nobody sees to be the same and which costs no baking: the atlas is as wide to both sides of its middle, and its
zones are symmetrical. The third and fourth have the skin of another seed, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grainkit.analysis.lattice import Lattice
from grainkit.picture.noise import pcg4d

#: The fourth word of the mix, which keeps it apart from every other use of the hash: "sk" and a number.
_MIX = np.uint32(0x736B0001)


@dataclass(frozen=True)
class OwnSkin:
    """One person's skin. seed: what its atlas is baked from, 0..2^32-1. mirrored: whether it is read in a mirror."""

    seed: int
    mirrored: bool

    @classmethod
    def of(cls, seed: int, index: int) -> OwnSkin:
        """That of the face that was met as number `index` of a picture, or of a shot, from 0. seed: the recipe's."""
        pair = index // 2
        own = seed if pair == 0 else int(pcg4d(np.uint32(seed), np.uint32(pair), np.uint32(0), _MIX)[3])
        return cls(own, index % 2 == 1)

    def places(self, uv: Lattice) -> Lattice:
        """Where on the atlas the skin at these coordinates (mm, x from the middle of the face) is read."""
        if not self.mirrored:
            return uv
        values = uv.values.copy()
        values[..., 0] *= np.float32(-1)
        return replace(uv, values=values)
