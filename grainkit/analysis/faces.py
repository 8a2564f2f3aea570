"""Who is in the picture, from frame to frame: the memory of one shot."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from threading import Lock

import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import Face
from grainkit.analysis.networks import Box, FaceNetworks, Samples, box_of
from grainkit.analysis.picture import reduced_size, rgb_of
from grainkit.picture.frame import Frame

#: Long side of the picture that newcomers are looked for in, px.
LOOK_SIZE = 1280
#: Frames between looks for newcomers.
LOOK_EVERY = 12
#: A newcomer may not cover a known face, nor be covered by it, by more than this share of the smaller.
TAKEN = 0.4
#: Mesh score of a newcomer; a real face has 0.95 and more, chins and folds of cloth up to 0.7.
NEWCOMER_GATE = 0.8
#: Overlap by which a face that was lost is known again.
SAME = 0.25
#: A face that jumps or changes its size by more than this share of itself was lost.
JUMP = 0.6
#: A lost face that comes back within this many looks, near where it was, keeps its number.
REMEMBERED = 3


class FaceTracker:
    """Faces of one shot with stable numbers. Make a new one at a cut; feed it every frame from the shot's first.

    networks: may be shared by what runs in the same thread.
    every: frames between looks for newcomers; 1 looks always.
    """

    def __init__(self, networks: FaceNetworks, *, every: int = LOOK_EVERY) -> None:
        self._networks = networks
        self._every = every
        self._faces: tuple[Face, ...] = ()
        self._lost: list[tuple[Face, int]] = []
        self._seen = 0
        self._next = 0
        self._missing = False

    @property
    def looks(self) -> bool:
        """Whether the next picture is searched for newcomers, and so has to be of the whole frame."""
        return self._missing or self._seen % self._every == 0

    @property
    def faces(self) -> tuple[Face, ...]:
        """Faces of the last frame, in px of the frame."""
        return self._faces

    def track(self, picture: Samples, scale: float = 1.0, left: float = 0.0, top: float = 0.0) -> tuple[Face, ...]:
        """Faces of the next frame, ordered by track, in px of the frame.

        picture: (h, w, 3), uint8 or float32 R'G'B': the frame, cut at (left, top) px and reduced by `scale`. Where it
        `looks` for newcomers, it is to be the whole frame.
        """
        kept: list[Face] = []
        for face in (face.scaled(scale, left, top) for face in self._faces):
            found = self._networks.mesh(picture, face, passes=1)
            if found is not None and _continues(face, found) and not _taken(found, kept):
                kept.append(found)
            else:
                self._lost.append((_back(face, scale, left, top), self._seen))
        missing = len(kept) < len(self._faces)
        if self.looks:
            kept += self._newcomers(picture, kept, scale, thorough=self._seen == 0)
        self._missing = missing and not self.looks
        self._seen += 1
        self._faces = tuple(_back(face, scale, left, top) for face in sorted(kept, key=lambda face: face.track))
        return self._faces

    def _newcomers(self, picture: Samples, known: list[Face], scale: float, *, thorough: bool) -> list[Face]:
        self._lost = [(face, since) for face, since in self._lost if self._seen - since <= REMEMBERED * self._every]
        new: list[Face] = []
        for box in self._networks.detect(picture, thorough=thorough):
            if any(box.overlap(box_of(face)) > SAME for face in known + new):
                continue
            face = self._networks.mesh(picture, box)
            if face is None or face.score < NEWCOMER_GATE or not _plausible(face, box) or _taken(face, known + new):
                continue
            new.append(replace(face, track=self._number(face.scaled(1 / scale))))
        return new

    def _number(self, face: Face) -> int:
        """The number of the lost face that this is, else a new one."""
        for i in reversed(range(len(self._lost))):
            if box_of(self._lost[i][0]).overlap(box_of(face)) > SAME:
                return self._lost.pop(i)[0].track
        self._next += 1
        return self._next - 1


def _back(face: Face, scale: float, left: float, top: float) -> Face:
    """A face of a picture cut at (left, top) and reduced by `scale`, in px of the whole."""
    return face.scaled(1 / scale).scaled(1.0, -left, -top)


def find_faces(networks: FaceNetworks, picture: Samples) -> tuple[Face, ...]:
    """Faces of a single picture, largest first in number, small ones looked for too."""
    return FaceTracker(networks).track(picture)


class StillFaces:
    """The faces of one still, looked for once: by whoever asks first, in any thread. Others wait for that.

    networks: those of the only thread that asks; its own where there are several.
    """

    def __init__(self, frame: Frame, networks: FaceNetworks | None = None) -> None:
        self._frame = frame
        self.networks = networks or FaceNetworks()
        self._lock = Lock()
        self._faces: tuple[Face, ...] | None = None

    @cached_property
    def picture(self) -> npt.NDArray[np.float32]:
        """What they are looked for in: the whole still, (h, w, 3) float32 R'G'B'."""
        return rgb_of(self._frame, size=reduced_size(self._frame, LOOK_SIZE))

    @property
    def scale(self) -> float:
        """Px of the picture per px of the still."""
        return float(self.picture.shape[1] / self._frame.width)

    @property
    def faces(self) -> tuple[Face, ...]:
        """All of them, small ones too, in px of the still."""
        with self._lock:
            if self._faces is None:
                self._faces = FaceTracker(self.networks).track(self.picture, self.scale)
            return self._faces


def _taken(face: Face, others: list[Face]) -> bool:
    own = box_of(face)
    return any(own.cover(box_of(other)) > TAKEN for other in others)


def _continues(before: Face, after: Face) -> bool:
    """Whether the second can be the first one frame later."""
    size = before.width
    moved = float(((after.center - before.center) ** 2).sum()) ** 0.5
    return moved < JUMP * size and 1 / (1 + JUMP) < after.width / max(size, 1e-6) < 1 + JUMP


def _plausible(face: Face, box: Box) -> bool:
    """Whether the mesh stayed with the detection; on a false one it wanders off or shrinks."""
    own = box_of(face)
    return box.overlap(own) > 0.2 and 0.4 < own.side / max(box.side, 1e-6) < 2.5
