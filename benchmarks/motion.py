"""Whether texture sticks: slip, drift, flicker and shower of a moving face.

    python -m benchmarks.motion [--picture FILE] [--frames N] [--layer N] [CLIP ...]

A still's face (the drawn portrait's without --picture), waxed and 400 px wide, is moved by a motion known exactly:
roll, zoom, sway, a turn's parallax and seven expression bumps, under light that changes, with noise and JPEG.
Of the coordinates: slip, px that they move per frame along true paths, median and 95th percentile; drift, the
largest median distance from the first frame, px. Of relief read at them: correlation along true paths 1, 25 and
100 frames apart; shower, correlation at fixed places of the screen 8 frames apart; the worst change of a band, dB.
The oracle line is the same with the true coordinates: what resampling alone does. --layer: of the finished layer
of as many frames, change from frame to frame along true paths (rms over the square root of 2) relative to its
deviation over the face. Then a hand of the face's own colour and a dark microphone pass in front: the share of the
layer's energy that is left on them by the anchor (the matte by colour comes on top), the share taken from skin beside
them, and how far coordinates are from where they began when it has gone.

Of each real CLIP (first 48 frames): motion of points tracked on skin by other means (pyramidal Lucas-Kanade, there
and back within 0.12 px), how much coordinates move along them, and CPU time of the anchor per frame.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit

import grainkit as gk
from benchmarks.quality import picture
from grainkit.analysis.anchor import Anchor
from grainkit.analysis.face import EYES, LIPS, OVAL, Face
from grainkit.analysis.faces import FaceTracker, find_faces
from grainkit.analysis.lattice import Lattice, read
from grainkit.analysis.matte import skin_colour, skin_matte
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import luma_of, reduced_size, rgb_of
from grainkit.backends.pass_term import LUMA_ONE
from grainkit.effects.skin_texture.atlas import HEIGHT, Atlas, load_atlas, texel_for
from grainkit.effects.skin_texture.clip_skin import ClipSkin
from grainkit.effects.skin_texture.layer import bands_of
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.sample import sample
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import planes_from_rgb
from samples.draw import portrait
from samples.known_motion import KnownMotion
from samples.occluder import DARK, Occluder

F32 = npt.NDArray[np.float32]

#: Width of the moved face, px, and of the picture around it.
FACE, SIDE = 400, 800
#: Skin is followed at this many places.
PLACES = 20000
FLOAT = replace(SRGB_STILL, depth=32)


def scene(still: F32) -> tuple[KnownMotion, F32]:
    """The still's largest face, cut out and waxed, as a moving one; and where its skin is (SIDE, SIDE)."""
    networks = FaceNetworks()
    face = max(find_faces(networks, still), key=lambda f: f.width)
    scale = FACE / face.width
    near = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    rgb = cv2.resize(still, None, fx=scale, fy=scale, interpolation=near)
    left, top = (int(v * scale) - SIDE // 2 for v in face.center)
    padded = cv2.copyMakeBorder(rgb, SIDE, SIDE, SIDE, SIDE, cv2.BORDER_REFLECT)
    rgb = np.ascontiguousarray(padded[top + SIDE : top + 2 * SIDE, left + SIDE : left + 2 * SIDE]).clip(0, 1)
    face = max(find_faces(networks, rgb), key=lambda f: f.width)
    colour = skin_colour(rgb, face)
    assert colour is not None, "too little skin is seen"
    matte = skin_matte(rgb, face, colour, cv2.resize(networks.person(rgb), (SIDE, SIDE)))
    smooth = rgb
    for _ in range(2):
        smooth = cv2.bilateralFilter(smooth, 0, 0.05, 1.0 * face.px_per_mm)
    waxed = rgb + (smooth - rgb) * matte[..., None]
    core = cv2.erode((matte > 0.7).astype(np.uint8), np.ones((5, 5)))
    inner = np.zeros_like(core)
    cv2.fillConvexPoly(inner, face.hull().astype(np.int32), 1)
    return KnownMotion(waxed.astype(np.float32), face.points[:, :2], face.width), (core * inner).astype(np.float32)


def coordinates_at(uv: Lattice, places: tuple[F32, F32]) -> F32:
    """(n, 2) mm at places (x, y), (n, 1) px each: not by a library warp, whose 1/32 px would count as slip."""
    out = np.empty((len(places[0]), 2), np.float32)
    x, y = ((p[:, 0] - np.float32(at)) / np.float32(uv.step) for p, at in zip(places, (uv.left, uv.top), strict=True))
    _read_all(uv.values, y, x, out)
    return out


@njit(cache=True)
def _read_all(values: F32, y: F32, x: F32, out: F32) -> None:
    for i in range(len(out)):
        read(values, y[i], x[i], out[i])


class Followed:
    """What is gathered along true paths, frame by frame."""

    def __init__(self, px_per_mm: float, atlas: Atlas) -> None:
        self._scale, self._atlas = px_per_mm, atlas
        self.coordinates: list[F32] = []
        self.relief: list[F32] = []
        self.bands: list[list[float]] = []
        self.shower: list[float] = []
        self._screen: list[tuple[F32, npt.NDArray[np.bool_]]] = []

    def add(self, uv: Lattice, places: tuple[F32, F32], skin: npt.NDArray[np.bool_]) -> None:
        """Coordinates over a frame; where the followed places are in it, (n, 1) each; where skin is, (h, w)."""
        height = sample(self._atlas, uv, np.ones(skin.shape, bool), 0.0).relief[HEIGHT]
        height = height - cv2.GaussianBlur(height, (0, 0), 1.2 * self._scale)
        at = {"interpolation": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
        relief = cv2.remap(height, *places, **at)[:, 0]
        self.coordinates.append(coordinates_at(uv, places))
        self.relief.append((relief - relief.mean()) / relief.std())
        self.bands.append([float(b[skin].std()) for b in bands_of(height)])
        self._screen.append((height, skin))
        if len(self._screen) > 8:
            before, there = self._screen.pop(0)
            both = there & skin
            self.shower.append(float(np.corrcoef(before[both], height[both])[0, 1]))

    def correlation(self, lag: int) -> float:
        pairs = zip(self.relief, self.relief[lag:], strict=False)
        found = [float((a * b).mean()) for a, b in pairs]
        return float(np.mean(found)) if found else float("nan")

    def line(self, name: str, cost: float) -> str:
        path = np.array(self.coordinates)
        slip = np.linalg.norm(np.diff(path, axis=0), axis=2) * self._scale
        drift = float(np.median(np.linalg.norm(path - path[0], axis=2), axis=1).max()) * self._scale
        bands = np.array(self.bands)
        change = np.abs(20 * np.log10(bands[-20:].mean(0) / bands[:5].mean(0))).max()
        lags = " ".join(f"{self.correlation(lag):6.3f}" for lag in (1, 25, 100))
        return (
            f"{name:10}{np.median(slip):8.3f}{np.percentile(slip, 95):8.3f}{drift:8.2f}  {lags}"
            f"{np.mean(self.shower) if self.shower else float('nan'):9.3f}{change:8.2f}{cost:9.1f}"
        )


def known(still: F32, frames: int) -> Iterator[str]:
    """The lines of the table for known motion."""
    motion, core = scene(still)
    networks = FaceNetworks()
    tracker = FaceTracker(networks)
    grid = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    rows, columns = np.nonzero(core)
    chosen = np.random.default_rng(0).permutation(len(rows))[:PLACES]
    x, y = columns[chosen, None].astype(np.float32), rows[chosen, None].astype(np.float32)
    anchor, cost = None, 0.0
    for t in range(frames):
        rgb = motion.frame(t)
        face = max(tracker.track(rgb), key=lambda f: f.width)
        frame = Frame(planes_from_rgb(rgb, FLOAT), FLOAT, t)
        began = time.process_time()
        anchor = Anchor.start(frame, face) if anchor is None else anchor.follow(frame, face)
        assert anchor is not None
        lattice = anchor.uv()
        cost += time.process_time() - began
        if t == 0:
            first, atlas = lattice.on(SIDE, SIDE), load_atlas(1, "adult", texel_for(face.px_per_mm))
            ours, oracle = (Followed(face.px_per_mm, atlas) for _ in range(2))
        there = motion.there(t, *grid)
        skin = cv2.remap(core, *there, cv2.INTER_LINEAR) > 0.6
        places = motion.now(t, x, y)
        ours.add(lattice, places, skin)
        true = cv2.remap(first, *there, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        oracle.add(Lattice(np.asarray(true, np.float32), 0.0, 0.0, 1.0), places, skin)
    speed = np.mean([np.hypot(*np.subtract(motion.now(t, x, y), motion.now(t - 1, x, y))).mean() for t in range(1, 60)])
    yield f"face {face.width:.0f} px, {frames} frames, {speed:.1f} px per frame"
    yield f"{'':10}{'slip':>8}{'p95':>8}{'drift':>8}  corr 1     25    100{'shower':>9}{'dB':>8}{'CPU ms':>9}"
    yield oracle.line("oracle", 0.0)
    yield ours.line("anchor", 1000 * cost / frames)


def crossed(still: F32, shape: str, frames: int) -> str:
    """Something passes in front: what is left of the layer's energy on it, how much is taken elsewhere, and after."""
    motion, core = scene(still)
    networks = FaceNetworks()
    tracker = FaceTracker(networks)
    skin = tuple(float(v) for v in 0.95 * np.median(motion.still[core > 0.5], 0))
    middle = (float(motion.points[1, 0]), float(motion.points[1, 1]))
    colour = (skin[0], skin[1], skin[2]) if shape == "hand" else DARK
    over = Occluder(shape, colour, middle, motion.width, frames // 8, 3 * frames // 4)
    rows, columns = np.nonzero(core)
    chosen = np.random.default_rng(0).permutation(len(rows))[:PLACES]
    x, y = columns[chosen, None].astype(np.float32), rows[chosen, None].astype(np.float32)
    grid = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    anchor, left, on, taken, beside, path = None, 0.0, 0.0, 0.0, 0.0, []
    for t in range(frames):
        rgb = motion.frame(t, over)
        faces = tracker.track(rgb)
        if faces:
            face, frame = max(faces, key=lambda f: f.width), Frame(planes_from_rgb(rgb, FLOAT), FLOAT, t)
            anchor = Anchor.start(frame, face) if anchor is None else anchor.follow(frame, face)
            assert anchor is not None
            veil = anchor.veil().on(SIDE, SIDE)[..., 0].clip(0, 1)
            cover = over.drawn(t, SIDE, SIDE)[1]
            there = cv2.remap(core, *motion.there(t, *grid), cv2.INTER_LINEAR)
            left, on = (
                left + float(np.square(1 - veil)[(there * cover) > 0.9].sum()),
                on + float((there * cover > 0.9).sum()),
            )
            clear = there * (cv2.dilate(cover, np.ones((25, 25))) < 0.01) > 0.9
            taken, beside = taken + float(veil[clear].sum()), beside + float(clear.sum())
        assert anchor is not None
        uv = anchor.uv().on(SIDE, SIDE)
        path.append(np.stack([cv2.remap(uv[..., k], *motion.now(t, x, y), cv2.INTER_LINEAR)[:, 0] for k in (0, 1)], -1))
    away = np.linalg.norm(path[-1] - path[0], axis=-1) * motion.width / 137.0
    return (
        f"{shape:11} energy left on it {left / max(on, 1):6.1%}, taken beside it {taken / max(beside, 1):6.1%}; "
        f"when it has gone, from the first frame: median {np.median(away):.2f} px, p95 {np.percentile(away, 95):.2f}"
    )


def finished(still: F32, frames: int) -> str:
    """Of the finished layer: its change from frame to frame along true paths, relative to its deviation."""
    motion, core = scene(still)
    rows, columns = np.nonzero(core)
    chosen = np.random.default_rng(0).permutation(len(rows))[:PLACES]
    x, y = columns[chosen, None].astype(np.float32), rows[chosen, None].astype(np.float32)
    stage = ClipSkin(SkinTexture(strength=1.0), 1)
    values = []
    for t in range(frames):
        term = stage.textured(Frame(planes_from_rgb(motion.frame(t), FLOAT), FLOAT, t)).term
        layer = np.zeros((SIDE, SIDE), np.float32)
        if term is not None:
            rows_, columns_ = term.luma.shape
            layer[term.top : term.top + rows_, term.left : term.left + columns_] = term.luma / LUMA_ONE
        values.append(cv2.remap(layer, *motion.now(t, x, y), cv2.INTER_CUBIC)[:, 0])
    seen = np.array(values)
    level = seen.std(1)
    ratio = float(np.sqrt((np.diff(seen, axis=0) ** 2).mean() / 2) / level.mean())
    wobble = level.std() / level.mean()
    return f"finished layer, {frames} frames: change per frame / deviation {ratio:.3f}, level +-{wobble:.1%}"


def real(path: Path, frames: int = 48) -> str:
    """How far coordinates move along points of skin that were tracked by other means."""
    with gk.open_source(path) as source:
        pictures = list(islice(iter(source), frames))
    networks = FaceNetworks()
    tracker, cost = FaceTracker(networks), 0.0
    anchors: dict[int, Anchor] = {}
    before: tuple[npt.NDArray[np.uint8], dict[int, tuple[Face, F32]]] | None = None
    slips, moves, count = [], [], 0
    for frame in pictures:
        small = rgb_of(frame, size=reduced_size(frame, 1280))
        scale = small.shape[1] / frame.width
        codes = np.clip(luma_of(frame) * 255, 0, 255).astype(np.uint8)
        now: dict[int, tuple[Face, F32]] = {}
        for face in tracker.track(small, scale):
            began = time.process_time()
            anchor = anchors.get(face.track)
            anchor = Anchor.start(frame, face) if anchor is None else anchor.follow(frame, face)
            cost += time.process_time() - began
            if anchor is None:
                continue
            anchors[face.track] = anchor
            now[face.track] = (face, anchor.uv().on(frame.height, frame.width))
        if before is not None:
            for track in now.keys() & before[1].keys():
                (was, uv_was), (face, uv) = before[1][track], now[track]
                a, b = _tracked(before[0], codes, was)
                if len(a) < 6:
                    continue
                read = [
                    cv2.remap(field, p[:, :1], p[:, 1:], cv2.INTER_LINEAR)[:, 0] for field, p in ((uv_was, a), (uv, b))
                ]
                slips.append(float(np.median(np.linalg.norm(read[1] - read[0], axis=-1))) * face.px_per_mm)
                moves.append(float(np.median(np.linalg.norm(b - a, axis=1))))
                count += len(a)
        before = (codes, now)
    if not slips:
        return f"{path.name[:40]:42} nothing could be tracked"
    speed, slip = float(np.mean(moves)), float(np.mean(slips))
    each = 1000 * cost / len(pictures)
    return (
        f"{path.name[:40]:42}{count / len(slips):6.0f} tracks {speed:6.2f} px per frame, slip {slip:5.2f} "
        f"({slip / speed:4.0%}) {each:6.1f} ms"
    )


def _tracked(then: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8], face: Face) -> tuple[F32, F32]:
    """Points of skin in two frames, (n, 2) px each: Lucas-Kanade there and back. Not what the anchor uses."""
    mm, points = face.px_per_mm, face.points[:, :2]
    inside = np.zeros(then.shape, np.uint8)
    cv2.fillPoly(inside, [points[list(OVAL)].astype(np.int32)], 1)
    inside = cv2.erode(inside, np.ones((int(8 * mm) | 1,) * 2))
    for group in (*EYES, LIPS):
        feature = np.zeros_like(inside)
        cv2.fillPoly(feature, [points[list(group)].astype(np.int32)], 1)
        inside[cv2.dilate(feature, np.ones((int(3 * mm) | 1,) * 2)) > 0] = 0
    start = cv2.goodFeaturesToTrack(then, 120, 0.02, max(4, 2 * mm), mask=inside)
    if start is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    window = (int(4.5 * mm) | 1,) * 2
    how = {"winSize": window, "maxLevel": 4, "criteria": (3, 40, 0.003)}
    there, found, _ = cv2.calcOpticalFlowPyrLK(then, now, start, None, **how)
    back, again, _ = cv2.calcOpticalFlowPyrLK(now, then, there, None, **how)
    good = (np.linalg.norm((back - start)[:, 0], axis=1) < 0.12) & (found.ravel() > 0) & (again.ravel() > 0)
    return start[good][:, 0], there[good][:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--layer", type=int, default=50)
    options = parser.parse_args()
    still = portrait() if options.picture is None else picture(options.picture)
    if options.frames:
        for line in known(still, options.frames):
            print(line, flush=True)
        for shape in ("hand", "microphone"):
            print(crossed(still, shape, min(options.frames, 60)), flush=True)
    if options.layer:
        print(finished(still, options.layer), flush=True)
    for clip in options.clips:
        print(real(clip), flush=True)


if __name__ == "__main__":
    main()
