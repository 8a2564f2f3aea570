"""What viewers get: clean, white noise, and grainkit without and with --adapt, before and after each platform.

    python -m benchmarks.survival [--quick] [--preset NAME]... [--kind still|clip] [--only TEXT] [--length FRAMES]
                                  [--media FOLDER] [--crops FOLDER]

For every social and video preset that says what a platform does: the picture as it was (clean), with white
noise on luma that is as visible as the preset's own grain (equal deviation once blurred as the eye does,
EYE_SIGMA px), and finished by the preset as it is (ours) and after adapting (adapt; locked where that locked
the grain to what moves). Presets that do the same are one row. Proxies marked * were not adapted to: another quality
of JPEG, another codec at the rate. Pictures are the drawn samples and, where it is there, what lies in
../shared/media. --quick: the samples alone, short windows and one preset of a kind. --crops writes a page of decoded
crops for each row.

Columns: before and after are the measure without and with the proxy. bands: CAMBI on smooth areas. rho: share of
the added pattern left. kept: deviation of texture after over before. dead: share of 16x16 blocks that lose over
half their texture. >=254, p99.9, hue: highlights. luma: codes of highlight luma given up. flicker: contours, codes.
cost: bytes or kb/s, against clean. missed: targets of the preset that do not hold after this proxy; for a picture that
breaks one before any effect, see `missed` in grainkit.adapt.rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import grainkit as gk
from grainkit.adapt.loop import adapt
from grainkit.adapt.offer import proxies_of
from grainkit.adapt.rounds import missed
from grainkit.adapt.trial import ClipTrial, Outcome, StillTrial
from grainkit.analysis.faces import find_faces
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import luma_of
from grainkit.backends import open_backend
from grainkit.backends.base import Backend
from grainkit.codec.measures import CLIPPED
from grainkit.codec.viewer import as_seen, unclamped_rgb
from grainkit.codec.windows import WINDOW, choose_windows, gathered
from grainkit.finishing.finisher import conformed, finish_frame, plan_tables
from grainkit.finishing.plan import Plan, StillPlan
from grainkit.finishing.planning import make_plan
from grainkit.picture.color import luma_codes
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import rgb_from_planes
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe, preset_names
from grainkit.recipe.recipe import Recipe, fingerprint
from grainkit.recipe.targets import Proxy, label
from samples.draw import draw

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"
STILLS = ("ai", "photos")
CLIPS = (
    "clips/ovi_AI_two_women_dark_skin_1280x704.mp4", "clips/ltxv_AI_woman_goldenhour_768x512.mp4",
    "clips/lp_s18_woman_indoor_1280x720.mp4", "clips/latentsync_demo2_talking_1080x1920_hevc.mp4",
)  # fmt: skip
#: How an eye blurs the pixels of a phone or a monitor, px.
EYE_SIGMA = 0.8
#: Side of a crop, px; each of its pixels is shown as 2x2.
SIDE = 200
Rows = dict[str, tuple[Outcome, ...]]
RGB8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """Presets that do the same to a kind, and what their platforms are taken for."""

    names: tuple[str, ...]
    recipe: Recipe
    kind: str
    proxies: tuple[Proxy, ...]
    unseen: tuple[Proxy, ...]


def cases(wanted: Sequence[str], *, quick: bool) -> Iterator[Case]:
    """The presets asked for, those alike together."""
    groups: dict[tuple[str, str], list[Recipe]] = {}
    for name in wanted or [n for n in preset_names() if n.startswith(("social", "video"))]:
        recipe = load_recipe(name)
        for kind in ("still", "clip"):
            if getattr(recipe.delivery, kind) is None:
                continue
            if not proxies_of(recipe, kind):
                print(f"{name}, {kind}s: no platform stands between, nothing to measure")
                continue
            # Only what a kind itself does counts.
            other = {"still": "clip", "clip": "still"}[kind]
            own = replace(
                recipe.for_kind(kind), proxies=proxies_of(recipe, kind), adapt=replace(recipe.adapt, clip=False)
            )
            own = replace(own, delivery=replace(own.delivery, **{other: None}))
            if kind == "still" and own.delivery.still is not None:
                own = replace(own, delivery=replace(own.delivery, still=replace(own.delivery.still, max_bytes=0)))
            groups.setdefault((kind, fingerprint(own)), []).append(recipe)
    seen = set()
    for (kind, _), recipes in groups.items():
        proxies = proxies_of(recipes[0], kind)
        if quick:
            proxies = proxies[:1]
            if proxies[0].codec in seen:
                continue
            seen.add(proxies[0].codec)
        yield Case(tuple(r.name for r in recipes), recipes[0], kind, proxies, unseen(proxies, quick=quick))


def unseen(proxies: tuple[Proxy, ...], *, quick: bool) -> tuple[Proxy, ...]:
    """What nothing was adapted to: JPEG 10 below and 10 above, or other codecs at the first proxy's rate."""
    first = proxies[0]
    if first.codec == "jpeg":
        found = [replace(first, quality=first.quality + step) for step in (-10, 10)]
    else:
        others = [codec for codec in ("vp9", "av1", "x264") if codec not in {p.codec for p in proxies}]
        found = [replace(first, codec=codec, kbps=first.kbps or 1000, crf=0) for codec in others]
    return tuple(found[: 1 if quick else None])


def with_white_noise(frame: Frame, plan: Plan, deviation: float, backend: Backend) -> Frame:
    """The conformed frame with white noise of this deviation (codes of 255) on luma, as it is delivered."""
    recipe = override(plan.recipe, [f"{name}.strength=0" for name in plan.recipe.effects])
    bare = replace(plan, recipe=recipe)
    noise = np.random.default_rng(frame.index).normal(0, deviation / 255, frame.planes[0].shape)
    if frame.color.is_float:
        noisy = (frame.planes[0] + noise).astype(np.float32)
    else:
        black, white = luma_codes(frame.color.depth, frame.color.range)
        top = (1 << frame.color.depth) - 1
        noisy = np.clip(np.rint(frame.planes[0] + noise * (white - black)), 0, top).astype(frame.planes[0].dtype)
    grainy = replace(frame, planes=(noisy, *frame.planes[1:]), rgb=None)
    return finish_frame(grainy, bare, plan_tables(bare), backend)


def as_visible(frame: Frame, plan: Plan, backend: Backend) -> float:
    """Deviation of white noise, codes of 255, as visible as the plan's grain on this conformed frame."""
    only = override(
        plan.recipe, ["highlight_guard.strength=0", "skin_texture.strength=0", "cinema_grain.carrier=animated"]
    )
    planned = replace(plan, recipe=only)
    done = finish_frame(frame, planned, plan_tables(planned), backend)
    added = luma_of(done) - luma_of(frame)
    unit = np.zeros((65, 65))
    unit[32, 32] = 1
    white_left = float(np.sqrt(np.square(cv2.GaussianBlur(unit, (0, 0), EYE_SIGMA)).sum()))
    return 255 * float(cv2.GaussianBlur(added, (0, 0), EYE_SIGMA).std()) / white_left


def still_rows(case: Case, path: Path, backend: Backend) -> Rows:
    with gk.open_source(path) as source:
        (frame,) = source
        plan = make_plan(source.info, case.recipe, Path("out.jpg"))
    assert isinstance(plan, StillPlan)
    trial = StillTrial(plan, frame, case.proxies + case.unseen, backend, keep=True)
    found = adapt(case.recipe, "still", trial.among(case.proxies))
    deviation = as_visible(conformed(frame, plan), plan, backend)
    print(f"  {found.note()}")
    return {
        "clean": trial.untreated(),
        f"white {deviation:.1f}": trial.made(lambda f: with_white_noise(f, plan, deviation, backend)),
        "ours": trial.tried(plan.recipe).outcomes,
        "adapt": trial.tried(found.recipe.for_kind("still"), found.patches).outcomes,
    }


def clip_rows(case: Case, path: Path, backend: Backend, threads: ThreadPoolExecutor, *, length: int) -> Rows:
    with gk.open_source(path) as source:
        plan = make_plan(source.info, case.recipe, Path("out.mp4"))
        windows = choose_windows(source, length)
    with gk.open_source(path) as source:
        frames = list(gathered(source, windows))
    trial = ClipTrial(plan, frames, case.proxies + case.unseen, backend, threads, keep=True)
    found = adapt(case.recipe, "clip", trial.among(case.proxies))
    deviation = as_visible(conformed(frames[0][0], plan), plan, backend)
    print(f"  {found.note()}")
    return {
        "clean": trial.untreated(),
        f"white {deviation:.1f}": trial.made(lambda f: with_white_noise(f, plan, deviation, backend)),
        "ours": trial.tried(plan.recipe).outcomes,
        "locked" if found.carrier == "locked" else "adapt": trial.tried(found.recipe.for_kind("clip")).outcomes,
    }


def table(rows: Rows, case: Case) -> Iterator[str]:
    """Lines of the table."""
    tuned = len(case.proxies)
    yield (
        f"  {'proxy':30}{'':11}{'bands before, after':>20}{'rho':>6}{'kept':>6}{'dead':>6}"
        f"{'>=254, % before, after':>24}{'p99.9':>7}{'hue':>6}{'luma':>6}{'flicker':>9}{'cost':>14}  missed"
    )
    clean = rows["clean"]
    for at, plain in enumerate(clean):
        for name, outcomes in rows.items():
            one = outcomes[at]
            after, before = one.measures, one.before or one.measures
            mark = "" if at < tuned else " *"
            growth = "" if one is plain else f" {100 * (one.cost / plain.cost - 1):+.0f}%"
            burnt = f"{_number(before.highlights_share, 100)} {_number(after.highlights_share, 100)}"
            cells = (
                (f"{_number(before.cambi)} {_number(after.cambi)}", 20), (_number(after.rho), 6),
                (_number(after.retained), 6), (_number(after.dead), 6), (burnt, 24), (_number(after.p999, digits=0), 7),
                (_number(after.hue_degrees, digits=1), 6), (_number(after.luma_given_up, digits=1), 6),
                (_number(after.flicker), 9), (f"{one.cost:.0f}{growth}", 14),
            )  # fmt: skip
            line = f"  {label(one.proxy) + mark:30}{name:11}" + "".join(f"{text:>{width}}" for text, width in cells)
            yield f"{line}  {beyond(one, plain, case, name)}"


def beyond(one: Outcome, plain: Outcome, case: Case, name: str) -> str:
    """The targets that an outcome misses. Grain of a clip that is not locked only dithers, and its pattern may go."""
    found = {miss.target for miss in missed([one], [plain], case.recipe.targets, kept=True)}
    if case.kind == "clip" and name != "locked":
        found -= {"rho", "pulse"}
    return ", ".join(sorted(found)) or "-"


def _number(value: float | None, scale: float = 1.0, digits: int = 2) -> str:
    return "-" if value is None else f"{scale * value:.{digits}f}"


def page(rows: Rows, path: Path) -> None:
    """Crops after each proxy at 200 %, contrast as it is: two rows a proxy (face, highlights), a column each."""
    lines = []
    for at in range(len(rows["clean"])):
        pictures = [_rgb(outcomes[at].shown) for outcomes in rows.values()]
        for top, left in (_face(pictures[0]), _burnt(pictures[0])):
            crops = [p[top : top + SIDE, left : left + SIDE].repeat(2, 0).repeat(2, 1) for p in pictures]
            lines.append(np.hstack([np.pad(crop, ((0, 6), (0, 6), (0, 0)), constant_values=255) for crop in crops]))
    width = min(line.shape[1] for line in lines)
    cv2.imwrite(str(path), np.vstack([line[:, :width] for line in lines])[..., ::-1])


def _rgb(frame: Frame | None) -> RGB8:
    assert frame is not None
    if frame.color.is_float:
        return np.clip(np.rint(255 * np.stack(unclamped_rgb(frame), 2)), 0, 255).astype(np.uint8)
    seen = as_seen(frame)
    return np.asarray(rgb_from_planes(seen.planes, seen.color, np.uint8))


def _face(picture: RGB8) -> tuple[int, int]:
    """Where a crop shows the largest face, else the middle."""
    height, width = picture.shape[:2]
    faces = find_faces(FaceNetworks(), picture)
    x, y = max(faces, key=lambda f: f.width).points[205, :2] if faces else (width / 2, height / 3)
    return _corner(picture, x, y)


def _burnt(picture: RGB8) -> tuple[int, int]:
    """Where a crop shows most of the edges of highlights."""
    bright = (picture.max(2) >= CLIPPED).astype(np.float32)
    edges = cv2.morphologyEx(bright, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    y, x = np.unravel_index(int(cv2.blur(edges, (SIDE, SIDE)).argmax()), bright.shape)
    return _corner(picture, float(x), float(y))


def _corner(picture: RGB8, x: float, y: float) -> tuple[int, int]:
    """Top and left of the crop round a point."""
    height, width = picture.shape[:2]
    return min(max(int(y) - SIDE // 2, 0), max(height - SIDE, 0)), min(max(int(x) - SIDE // 2, 0), max(width - SIDE, 0))


def inputs(kind: str, media: Path, samples: Path, *, quick: bool) -> Iterable[Path]:
    """Pictures of a kind: the sample first."""
    yield samples / ("portrait.png" if kind == "still" else "clip.mp4")
    if quick:
        return
    if kind == "still":
        for folder in STILLS:
            yield from sorted((media / folder).glob("*.[jp][pn]g"))
    else:
        yield from (media / name for name in CLIPS if (media / name).is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="samples alone, short windows, one preset of a kind")
    parser.add_argument("--preset", action="append", default=[], help="only this one (may be given again)")
    parser.add_argument("--kind", choices=("still", "clip"), help="only stills, or only clips")
    parser.add_argument("--only", default="", metavar="TEXT", help="only inputs whose name holds this")
    parser.add_argument("--length", type=int, default=WINDOW, help=f"frames of a clip's windows ({WINDOW})")
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--crops", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    backend = open_backend("cpu")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as threads:
        draw(Path(folder))
        for case in cases(options.preset, quick=options.quick):
            if options.kind not in (None, case.kind):
                continue
            for path in inputs(case.kind, options.media, Path(folder), quick=options.quick):
                if options.only not in path.name:
                    continue
                print(f"{', '.join(case.names)}: {path.name}", flush=True)
                if case.kind == "still":
                    rows = still_rows(case, path, backend)
                else:
                    rows = clip_rows(case, path, backend, threads, length=4 if options.quick else options.length)
                print("\n".join(table(rows, case)), flush=True)
                if options.crops is not None:
                    options.crops.mkdir(parents=True, exist_ok=True)
                    page(rows, options.crops / f"{case.names[0].replace('/', '-')}.{path.stem}.png")


if __name__ == "__main__":
    main()
