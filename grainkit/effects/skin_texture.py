"""Skin texture: micro-relief on skin only, filled up to what a photograph of skin shows at that scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grainkit.params import Parameters, param


@dataclass(frozen=True)
class SkinTexture(Parameters):
    """Pores, furrows and fine unevenness where skin is plastic; none where it is textured already or out of focus."""

    name: ClassVar[str] = "skin_texture"

    strength: float = param(
        0.0, "How far the missing texture is filled in; 1 is what a photograph shows, 0 an exact identity.",
        low=0.0, high=2.0, unit="x",
    )  # fmt: skip
    age: str = param("adult", "How old the skin is.", choices=("child", "young", "adult", "mature", "senior"))
    relief: float = param(1.0, "Relief shaded by the picture's light.", low=0.0, high=2.0, unit="x")
    cavity: float = param(0.55, "Darkening of hollows, which shows in flat light too.", low=0.0, high=2.0, unit="x")
    pores: float = param(0.28, "Darkness of pores.", low=0.0, high=2.0, unit="x")
    pigment: float = param(0.8, "Unevenness of colour: melanin and blood.", low=0.0, high=2.0, unit="x")
    sparkle: float = param(0.5, "More contrast where the skin shines.", low=0.0, high=2.0, unit="x")
    detail_scale: float = param(1.0, "Size of the relief relative to life.", low=0.7, high=2.0, unit="x")
    max_contrast: float = param(0.22, "Most that a pixel's brightness may change.", low=0.05, high=0.4, unit="ln")
