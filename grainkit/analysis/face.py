"""A face as 468 points in the picture, and what follows from them: size, pose, normals, outline.

Point numbers are those of the face mesh (MediaPipe's topology). Axes of the picture: x right,
y down, z towards the camera, all in px of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

#: Points of a face.
POINTS = 468

#: Outline, clockwise as seen, from the top of the forehead.
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
#: Lid margins, left and right as seen in an upright picture.
EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
#: Brows: lower edge outwards to inwards, then back along the upper edge.
BROWS = (
    (46, 53, 52, 65, 55, 107, 66, 105, 63, 70),
    (276, 283, 282, 295, 285, 336, 296, 334, 293, 300),
)
#: Outer edge of the lips; teeth and tongue are inside.
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
NOSE = (6, 196, 3, 51, 45, 44, 220, 115, 48, 64, 98, 97, 2, 326, 327, 294, 278, 344, 440, 274, 275, 281, 248, 419)
#: One point at the middle of each nostril's opening.
NOSTRILS = (97, 326)
FOREHEAD = (103, 67, 109, 10, 338, 297, 332, 333, 299, 337, 151, 108, 69, 104)
CHEEKS = (
    (50, 101, 36, 206, 207, 187, 147, 123, 116, 117, 118),
    (280, 330, 266, 426, 427, 411, 376, 352, 345, 346, 347),
)
#: Where a beard grows: below the nose, between the ears, along the jaw.
BEARD = (
    93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323,
    411, 426, 327, 2, 98, 206, 187,
)  # fmt: skip
#: Outer corners of the eyes, left and right as seen.
EYE_CORNERS = (33, 263)
CHIN = 152


@dataclass(frozen=True, eq=False)
class MeanFace:
    """The average face.

    vertices: (468, 3) float32 mm; x right, y down, z towards the camera. triangles: (n, 3) int32.
    """

    vertices: F32
    triangles: npt.NDArray[np.int32]


@cache
def mean_face() -> MeanFace:
    """The average face that poses and sizes are measured against."""
    with (files("grainkit") / "data" / "mean_face.npz").open("rb") as file, np.load(file) as data:
        vertices = data["vertices_mm"].astype(np.float32) * np.array([1, -1, 1], np.float32)
        triangles = data["triangles"].astype(np.int32)
    vertices.setflags(write=False)
    triangles.setflags(write=False)
    return MeanFace(vertices, triangles)


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame. Make it with `face_from_points`.

    points: float32 (468, 3) px of the full frame: x right, y down, z towards the camera in the same scale.
    score: 0..1, how sure the mesh network is that this is a face.
    box: (left, top, right, bottom) px around the points; may reach outside the frame.
    px_per_mm: size, from the similarity fit of the mean face.
    rotation: float32 (3, 3), takes directions of the mean face (axes as above) to the picture.
    track: number of the face within its shot, the same from frame to frame; -1 outside a track.
    """

    points: F32
    score: float
    box: tuple[float, float, float, float]
    px_per_mm: float
    rotation: F32
    track: int = -1

    def normals(self) -> F32:
        """(468, 3) float32 unit normals, out of the face (positive z looks at the camera)."""
        corners = self.points[mean_face().triangles]
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).astype(np.float64)
        out = np.zeros((POINTS, 3))
        for corner in range(3):
            for axis in range(3):
                out[:, axis] += np.bincount(mean_face().triangles[:, corner], flat[:, axis], POINTS)
        out *= _outward() / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
        return out.astype(np.float32)

    def hull(self) -> F32:
        """(n, 2) float32 px: convex outline of all points. In profile it holds nose and lip, which the oval loses."""
        return np.asarray(cv2.convexHull(np.ascontiguousarray(self.points[:, :2])), np.float32).reshape(-1, 2)

    @property
    def width(self) -> float:
        """Size in px as the width of a frontal face of this scale; independent of how it is turned."""
        return FACE_WIDTH_MM * self.px_per_mm

    @property
    def center(self) -> F32:
        """(2,) float32 px, the middle of the face."""
        return np.asarray(self.points[:, :2].mean(0), np.float32)

    def scaled(self, scale: float, left: float = 0.0, top: float = 0.0) -> Face:
        """The face in a picture cut at (left, top) px and then resized by `scale` (pixel centres aligned)."""
        move = np.array([left, top, 0.0], np.float32)
        half = np.array([0.5, 0.5, 0.0], np.float32)
        points = (self.points - move + half) * np.float32(scale) - half
        x0, y0 = points[:, :2].min(0)
        x1, y1 = points[:, :2].max(0)
        box = (float(x0), float(y0), float(x1), float(y1))
        return replace(self, points=points, box=box, px_per_mm=self.px_per_mm * scale)


#: Distance between the cheek points of the oval on the mean face.
FACE_WIDTH_MM = 137.0


@cache
def _outward() -> float:
    """Sign that turns the cross products of the mean face's triangles towards the camera."""
    mesh = mean_face()
    corners = mesh.vertices[mesh.triangles]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return 1.0 if flat[:, 2].sum() > 0 else -1.0


def similarity(source: F32, target: F32) -> tuple[float, F32]:
    """Scale and rotation (3, 3) that take `source` (n, 3) best onto `target` (n, 3) (Umeyama 1991, no reflection)."""
    a = source.astype(np.float64) - source.mean(0)
    b = target.astype(np.float64) - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    scale = float((s * signs).sum() / max((a**2).sum(), 1e-12))
    return scale, ((u * signs) @ vt).astype(np.float32)


def face_from_points(points: F32, score: float, track: int = -1) -> Face:
    """A face from its (468, 3) points in frame px (z towards the camera)."""
    points = np.ascontiguousarray(points, np.float32)
    scale, rotation = similarity(mean_face().vertices, points)
    x0, y0 = points[:, :2].min(0)
    x1, y1 = points[:, :2].max(0)
    return Face(points, score, (float(x0), float(y0), float(x1), float(y1)), scale, rotation, track)
