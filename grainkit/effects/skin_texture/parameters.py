"""Skin texture: micro-relief on skin only, filled up to what a photograph of skin shows at that scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from grainkit.effects.base import Context, Effect, Moment, Stage
from grainkit.params import param

if TYPE_CHECKING:
    from grainkit.analysis.faces import StillFaces

#: -90 to 90, with decimals: a lamp stands no further round than square to the camera's axis.
_ANGLE = r"[-+]?(?:90|[1-8]?[0-9](?:\.[0-9]{1,3})?)"


@dataclass(frozen=True)
class SkinTexture(Effect):
    """Pores, furrows and fine unevenness where skin is plastic; none where it is textured already or out of focus."""

    name: ClassVar[str] = "skin_texture"
    moment: ClassVar[Moment] = Moment.WORKING
    generates: ClassVar[bool] = True

    strength: float = param(
        0.0, "How far the missing texture is filled in; 1 is what a photograph shows, 0 an exact identity.",
        low=0.0, high=2.0, unit="x", source="contrast per band of 17 photographed faces (measured)",
    )  # fmt: skip
    age: str = param("adult", "How old the skin is.", choices=("child", "young", "adult", "mature", "senior"))
    relief: float = param(1.0, "Relief shaded by the picture's light.", low=0.0, high=2.0, unit="x")
    cavity: float = param(0.55, "Darkening of hollows, which shows in flat light too.", low=0.0, high=2.0, unit="x")
    pores: float = param(0.28, "Darkness of pores.", low=0.0, high=2.0, unit="x")
    pigment: float = param(0.8, "Unevenness of colour: melanin and blood.", low=0.0, high=2.0, unit="x")
    sparkle: float = param(0.5, "More contrast where the skin shines.", low=0.0, high=2.0, unit="x")
    detail_scale: float = param(1.0, "Size of the relief relative to life.", low=0.7, high=2.0, unit="x")
    light: str = param(
        "auto", "Where the light comes from: as the skin shows it, or by angles. 0/0 is at the camera; azimuth -90 is "
        "square from the left of the picture, 90 from its right; elevation 90 is straight from above, -90 from below.",
        pattern=f"auto|{_ANGLE}/{_ANGLE}",
        form="auto, or AZIMUTH/ELEVATION in degrees, -90 to 90 each, such as -60/20 for a lamp left and a little above",
    )  # fmt: skip
    max_contrast: float = param(0.22, "Most that a pixel's brightness may change.", low=0.05, high=0.4, unit="ln")

    @property
    def lamp(self) -> tuple[float, float, float] | None:
        """Unit vector towards the declared light (x right, y down, z towards the camera); None where it is `auto`."""
        if self.light == "auto":
            return None
        azimuth, elevation = (math.radians(float(angle)) for angle in self.light.split("/"))
        level = math.cos(elevation)
        return level * math.sin(azimuth), -math.sin(elevation), level * math.cos(azimuth)

    @property
    def remembers(self) -> bool:
        """Always: texture follows what it was put on."""
        return True

    def stage(self, context: Context, faces: StillFaces | None = None) -> Stage:
        """Relief where skin is plastic, frame by frame."""
        from grainkit.effects.skin_texture.stage import skin_stage

        return skin_stage(self, context.seed, moves=context.moves, faces=faces)
