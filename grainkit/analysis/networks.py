"""The networks that find faces and people, run by OpenCV. The only file that knows their inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from threading import Lock, Thread

import cv2
import numpy as np
import numpy.typing as npt

from grainkit.analysis.face import EYE_CORNERS, POINTS, Face, face_from_points
from grainkit.errors import GrainkitError

F32 = npt.NDArray[np.float32]
#: A picture that is looked at, (h, w, 3) R'G'B', display encoded: uint8 0..255 or float32 0..1.
Samples = npt.NDArray[np.integer | np.floating]

#: A mesh below this is no face.
MESH_GATE = 0.5
#: How much larger than the face the mesh's crop is.
CROP = 1.5
#: Boxes that overlap more than this are the same face.
SAME_FACE = 0.3


@dataclass(frozen=True)
class Box:
    """A detected face: centre (x, y) and side in px, roll of the eye line in radians (clockwise), score 0..1."""

    x: float
    y: float
    side: float
    roll: float
    score: float

    def overlap(self, other: Box) -> float:
        """Intersection over union of the upright squares."""
        both = self._shared(other)
        return both / max(self.side**2 + other.side**2 - both, 1e-9)

    def cover(self, other: Box) -> float:
        """Intersection as a share of the smaller square."""
        return self._shared(other) / max(min(self.side, other.side) ** 2, 1e-9)

    def _shared(self, other: Box) -> float:
        across = min(self.x + self.side / 2, other.x + other.side / 2) - max(
            self.x - self.side / 2, other.x - other.side / 2
        )
        down = min(self.y + self.side / 2, other.y + other.side / 2) - max(
            self.y - self.side / 2, other.y - other.side / 2
        )
        return max(across, 0.0) * max(down, 0.0)


def box_of(face: Face) -> Box:
    """The upright-in-its-own-frame square around a face's points."""
    left, right = (face.points[i, :2] for i in EYE_CORNERS)
    roll = math.atan2(float(right[1] - left[1]), float(right[0] - left[0]))
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]], np.float32)
    own = face.points[:, :2] @ turn
    low, high = own.min(0), own.max(0)
    x, y = turn @ ((low + high) / 2)
    return Box(float(x), float(y), float((high - low).max()), roll, face.score)


@dataclass(frozen=True)
class _Detector:
    """One detection network: file stem, input side, grid (cells per side, boxes per cell) per layer, score gate."""

    name: str
    side: int
    grids: tuple[tuple[int, int], ...]
    gate: float


SHORT = _Detector("face_detection_short_range", 128, ((16, 2), (8, 6)), 0.5)
FULL = _Detector("face_detection_full_range", 192, ((48, 1),), 0.6)
BACK = _Detector("face_detection_back", 256, ((16, 2), (8, 6)), 0.5)
MESH, PERSON = "face_landmark", "selfie_segmentation"


@cache
def _anchors(detector: _Detector) -> F32:
    """(n, 2) float32 cell centres as a share of the input, in the order of the network's rows."""
    parts = []
    for cells, boxes in detector.grids:
        middle = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        y, x = np.meshgrid(middle, middle, indexing="ij")
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), boxes, axis=0))
    return np.concatenate(parts)


def merged(boxes: list[Box]) -> list[Box]:
    """Boxes of the same face averaged by score (weighted non-maximum suppression), best first."""
    left = sorted(boxes, key=lambda box: -box.score)
    out = []
    while left:
        best = left[0]
        same = [box for box in left if box is best or best.overlap(box) > SAME_FACE]
        left = [box for box in left if box not in same]
        weights = [box.score for box in same]
        total = sum(weights)
        x, y, side = (
            sum(w * getattr(box, k) for w, box in zip(weights, same, strict=True)) / total for k in ("x", "y", "side")
        )
        out.append(Box(x, y, side, best.roll, best.score))
    return out


class FaceNetworks:
    """The networks, loaded when first used. One object per thread: OpenCV's networks keep state while they run.

    Results are in px of the picture.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, tuple[cv2.dnn.Net, Sequence[str]]] = {}
        self._lock = Lock()

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """A block that is going to use them, and has other things to do first: they are loaded in a thread."""
        thread = Thread(target=self._load_all, name="grainkit-networks")
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _load_all(self) -> None:
        for name in (SHORT.name, FULL.name, BACK.name, MESH, PERSON):
            self._network(name)

    def _network(self, name: str) -> tuple[cv2.dnn.Net, Sequence[str]]:
        """A network and the names of its outputs."""
        with self._lock:
            if name not in self._loaded:
                weights = np.frombuffer((files("grainkit") / "data" / f"{name}.tflite").read_bytes(), np.uint8)
                net = cv2.dnn.readNetFromTFLite(weights)
                self._loaded[name] = (net, net.getUnconnectedOutLayersNames())
            return self._loaded[name]

    def _run(self, name: str, blob: F32) -> list[F32]:
        net, names = self._network(name)
        net.setInput(blob)
        return list(net.forward(names))

    def detect(self, rgb: Samples, *, thorough: bool = False) -> list[Box]:
        """Boxes that may be faces, best first; the mesh's score decides (see `mesh`).

        The short-range network sees faces from about a tenth of the picture, the full-range one half that.
        thorough: also look for smaller ones, with the finest network on the whole and on overlapping tiles.
        """
        found = self._boxes(SHORT, rgb) + self._boxes(FULL, rgb)
        if thorough:
            found += self._boxes(BACK, rgb)
            height, width = rgb.shape[:2]
            side = max(min(height, width) * 2 // 3, 128)
            if max(height, width) >= 2 * BACK.side:
                for top in _starts(height, side):
                    for left in _starts(width, side):
                        tile = rgb[top : top + side, left : left + side]
                        found += [
                            Box(box.x + left, box.y + top, box.side, box.roll, box.score)
                            for box in self._boxes(BACK, tile)
                        ]
        return merged(found)

    def _boxes(self, detector: _Detector, rgb: Samples) -> list[Box]:
        height, width = rgb.shape[:2]
        scale = detector.side / max(height, width)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        small = _unit(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
        left, top = (detector.side - size[0]) // 2, (detector.side - size[1]) // 2
        square = np.zeros((detector.side, detector.side, 3), np.float32)
        square[top : top + size[1], left : left + size[0]] = small
        blob = (square * 2 - 1).transpose(2, 0, 1)[None]
        outputs = self._run(detector.name, np.ascontiguousarray(blob))
        logits, rows = sorted((o.reshape(o.shape[1], -1) for o in outputs), key=lambda o: o.shape[1])
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -60, 60)))
        out = []
        for i in np.flatnonzero(scores > detector.gate):
            row = rows[i].reshape(-1, 2) / detector.side
            anchor = _anchors(detector)[i]
            center, eye_line = row[0] + anchor, row[3] - row[2]
            x, y = (center * detector.side - (left, top) + 0.5) / scale - 0.5
            side = float(row[1].max()) * detector.side / scale
            out.append(
                Box(float(x), float(y), side, math.atan2(float(eye_line[1]), float(eye_line[0])), float(scores[i]))
            )
        return merged(out)

    def mesh(self, rgb: Samples, start: Box | Face, *, passes: int = 2) -> Face | None:
        """The face at `start` (a detection, or the same face in the frame before), or None where there is none.

        passes: each takes its crop from the points of the one before; a detection needs two (profiles), a
        previous face one.
        """
        face = None
        box = box_of(start) if isinstance(start, Face) else start
        track = start.track if isinstance(start, Face) else -1
        for _ in range(passes):
            face = self._mesh_once(rgb, box, track)
            if face is None:
                return None
            box = box_of(face)
        return face

    def _mesh_once(self, rgb: Samples, box: Box, track: int) -> Face | None:
        side = 192
        reach = CROP * box.side
        if not (math.isfinite(reach) and 2.0 <= reach <= 8 * max(rgb.shape[:2])):
            return None
        unit = reach / side
        source, shrink = _reduced(rgb, unit)
        cos, sin = math.cos(box.roll) * unit, math.sin(box.roll) * unit
        middle = (side - 1) / 2
        to_picture = np.array(
            [[cos, -sin, box.x - (cos - sin) * middle], [sin, cos, box.y - (sin + cos) * middle]], np.float64
        )
        to_source = to_picture * shrink
        to_source[:, 2] += (shrink - 1) / 2
        crop = cv2.warpAffine(
            source,
            to_source,
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
        blob = np.ascontiguousarray(_unit(crop).transpose(2, 0, 1)[None])
        logit, raw = sorted(self._run(MESH, blob), key=lambda o: o.size)
        score = float(1 / (1 + np.exp(-np.clip(logit.ravel()[0], -60, 60))))
        if not score > MESH_GATE:
            return None
        own = raw.reshape(POINTS, 3).astype(np.float64)
        points = np.empty((POINTS, 3), np.float32)
        points[:, :2] = own[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
        points[:, 2] = -own[:, 2] * unit
        return face_from_points(points, score, track)

    def person(self, rgb: Samples) -> F32:
        """(256, 256) float32 0..1: how likely each part is a person; stretch it over the whole picture."""
        small = _unit(cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_AREA))
        (matte,) = self._run(PERSON, np.ascontiguousarray(small.transpose(2, 0, 1)[None]))
        return np.asarray(matte, np.float32).reshape(256, 256)


def _unit(rgb: Samples) -> F32:
    """float32 0..1."""
    if rgb.dtype == np.uint8:
        return rgb.astype(np.float32) * np.float32(1 / 255)
    if rgb.dtype != np.float32:
        raise GrainkitError(f"a picture for analysis is uint8 or float32, not {rgb.dtype}")
    return np.asarray(np.clip(rgb, 0, 1), np.float32)


def _reduced(rgb: Samples, unit: float) -> tuple[Samples, float]:
    """The picture brought near the crop's resolution, and its scale: a linear warp alone would alias large faces."""
    if unit < 2:
        return rgb, 1.0
    scale = 1.5 / unit
    height, width = rgb.shape[:2]
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), size[0] / width


def _starts(length: int, side: int) -> list[int]:
    """Where overlapping tiles of `side` begin along `length`."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * 0.65)) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
