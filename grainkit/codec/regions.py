"""Where a picture is judged: skin, smooth areas, the ring round a person's contour, and highlights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.faces import find_faces
from grainkit.analysis.matte import skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import reduced_size, rgb_of
from grainkit.codec.predict import TEXTURE_SIGMA
from grainkit.codec.viewer import brightest
from grainkit.frame import Frame

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: From here on a pixel is a highlight: largest channel of the untreated picture, of white.
HIGHLIGHT = 0.88
#: Smooth is where an untreated picture has less texture than this, codes of 255, over this many px.
SMOOTH_CODES, SMOOTH_PX = 1.2, 8.0
#: The ring round a contour, px from it.
RING = (2.0, 14.0)
#: Skin is worked out at this long side: a boundary a px off changes no measure.
_LOOK = 1280
#: A region with fewer pixels than this says nothing.
LEAST = 256


@dataclass(frozen=True, eq=False)
class Found:
    """What was found of people in a picture: masks (h, w), all False where there are none."""

    skin: Mask
    ring: Mask


class Finder:
    """Finds people, with networks that are loaded when they are first needed."""

    @cached_property
    def networks(self) -> FaceNetworks:
        return FaceNetworks()

    def found(self, frame: Frame, matte: F32 | None = None) -> Found:
        """Skin and contour in an untreated frame.

        matte: (h, w) 0..1 cover of skin that is known already, of any size; it is not looked for then.
        """
        shape = (frame.height, frame.width)
        rgb = rgb_of(frame, size=reduced_size(frame, _LOOK))
        person = cv2.resize(self.networks.person(rgb), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        if matte is None:
            matte = self._skin(rgb, person)
        skin = cv2.resize(matte, shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        body = cv2.resize(person, shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        return Found(np.asarray(skin), _ring(body))

    def _skin(self, rgb: F32, person: F32) -> F32:
        found = np.zeros(rgb.shape[:2], np.float32)
        for face in find_faces(self.networks, rgb):
            colour = skin_colour(rgb, face)
            if colour is not None:
                found = np.maximum(found, skin_matte(rgb, face, colour, person))
        return found


def smooth_areas(luma: F32) -> Mask:
    """Where an untreated picture has next to no texture: (h, w) luma 0..1 to a mask."""
    high = texture(luma)
    energy = cv2.GaussianBlur(high * high, (0, 0), SMOOTH_PX)
    return np.asarray(energy < (SMOOTH_CODES / 255) ** 2)


def highlights(untreated: Frame) -> Mask:
    """Where an untreated picture (float 4:4:4) is at most one eighth below white in any channel."""
    return np.asarray(brightest(untreated) > HIGHLIGHT)


def texture(luma: F32) -> F32:
    """What is finer than TEXTURE_SIGMA."""
    return np.asarray(luma - cv2.GaussianBlur(luma, (0, 0), TEXTURE_SIGMA), np.float32)


def _ring(body: Mask) -> Mask:
    if body.all() or not body.any():
        return np.zeros_like(body)
    outside = cv2.distanceTransform((~body).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray((outside >= RING[0]) & (outside <= RING[1]))
