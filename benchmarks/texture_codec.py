"""What a platform's codec leaves of skin texture, of locked grain and of animated grain.

    python -m benchmarks.texture_codec CLIP [--frames N] [--codes C]... [--carrier NAME]... [--size PX] [--crops FOLDER]

The clip is brought to 720p and encoded with x264, as it is and with what is added; of each carrier (skin, locked,
animated, or none) as much as is C codes of 255 on skin at 720p (deviation of what is finer than 4 px), or as much as
a preset lays where C is 0. The columns, on skin where there is any: codes that were added; rho, the share of the
pattern that is left; kept, deviation of all texture after the codec over before; dead, share of 16x16 blocks that lose
over half of theirs; bands, CAMBI on smooth areas; flicker of contours, over that of the clip as it is; kb/s, and over
that of the clip as it is. --crops writes a strip of decoded frames for each line, at 200 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import grainkit as gk
from grainkit.analysis.faces import find_faces
from grainkit.analysis.networks import FaceNetworks
from grainkit.analysis.picture import luma_of, rgb_of
from grainkit.backends import open_backend
from grainkit.backends.base import Backend
from grainkit.backends.pass_term import MOST
from grainkit.codec.measures import Measures, Moment, measure
from grainkit.codec.proxies import clip_through
from grainkit.codec.regions import LEAST, Finder, Found, texture
from grainkit.codec.viewer import as_platform, as_seen, platform_geometry
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.finishing.finisher import analysed, finish_frame, plan_tables
from grainkit.finishing.plan import Plan
from grainkit.finishing.planning import own_format_plan
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import rgb_from_planes
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.targets import Proxy, label

#: What each carrier is, as settings over a recipe without effects.
CARRIERS = {
    "none": (),
    "skin": ("skin_texture.strength=0.85",),
    "locked": ("cinema_grain.carrier=locked", "cinema_grain.strength=3"),
    "animated": ("cinema_grain.carrier=animated", "cinema_grain.strength=3"),
}
PROXIES = (
    *(Proxy(codec="x264", kbps=kbps, width=720, height=1280) for kbps in (600, 1500)),
    Proxy(codec="x264", crf=23, width=720, height=1280),
)
#: Frames that tell how much a carrier adds.
TOLD = 8
#: Frames of a strip, how many apart, and the side of its crops, px.
STRIP, APART, SIDE = 5, 3, 160


def treated(frames: Sequence[Frame], plan: Plan, backend: Backend, amount: float) -> Iterator[Frame]:
    """Frames with `amount` times what the plan adds."""
    grain = plan.recipe.effect(CinemaGrain)
    if grain.strength:  # type: ignore[attr-defined]
        recipe = override(plan.recipe, [f"cinema_grain.strength={min(amount * grain.strength, 24)}"])  # type: ignore[attr-defined]
        plan, amount = replace(plan, recipe=recipe), 1.0
    tables = plan_tables(plan)
    for each in analysed(frames, plan):
        term = each.term
        if term is not None and amount != 1.0:
            planes = (np.clip(np.rint(amount * p), -MOST, MOST).astype(np.int16) for p in (term.luma, term.cb, term.cr))
            term = replace(term, **dict(zip(("luma", "cb", "cr"), planes, strict=True)))
        yield finish_frame(each.frame, plan, tables, backend, term)


def codes(plain: Sequence[Frame], made: Sequence[Frame], found: Found) -> float:
    """Deviation of what was added to skin (everywhere where there is none), codes of 255."""
    place = found.skin if found.skin.sum() >= LEAST else np.ones_like(found.skin)
    added = [texture(luma_of(b) - luma_of(a))[place].std() for a, b in zip(plain, made, strict=True)]
    return 255 * float(np.mean(added))


def strip(frames: Sequence[Frame]) -> npt.NDArray[np.uint8]:
    """Crops of some frames at 200 %, about the rim of the largest face, or the middle."""
    height, width = frames[0].planes[0].shape
    faces = find_faces(FaceNetworks(), rgb_of(frames[-1]))
    x, y = width / 2, height / 2
    if faces:
        left, top, right, bottom = max(faces, key=lambda face: face.width).box
        x, y = right - 0.1 * (right - left), (top + bottom) / 2
    top, left = (min(max(int(v) - SIDE // 2, 0), max(n - SIDE, 0)) for v, n in ((y, height), (x, width)))
    crops = []
    for frame in frames[-1 - APART * (STRIP - 1) :: APART]:
        seen = as_seen(frame)
        rgb = rgb_from_planes(seen.planes, seen.color, np.dtype(np.uint8))
        crops.append(rgb[top : top + SIDE, left : left + SIDE].repeat(2, 0).repeat(2, 1))
    return np.asarray(np.hstack(crops), np.uint8)


def line(name: str, proxy: Proxy, added: float, got: Measures, clean: Measures, kbps: float, before: float) -> str:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    flicker = got.flicker / clean.flicker if got.flicker is not None and clean.flicker else None
    columns = [number(v) for v in (added, got.rho, got.retained, got.dead, got.cambi, flicker)]
    return (
        f"{label(proxy):28}{name:10}" + "".join(f"{c:>8}" for c in columns)
        + f"{kbps:>8.0f}{100 * (kbps / before - 1):>+7.0f}%"
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--codes", type=float, action="append", default=[])
    parser.add_argument("--carrier", choices=CARRIERS, action="append", default=[])
    parser.add_argument("--size", type=float, default=2.0, help="grain, px at 1080")
    parser.add_argument("--set", action="append", default=[], metavar="EFFECT.PARAM=VALUE")
    parser.add_argument("--crops", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with gk.open_source(options.clip) as source:
        plain, info = list(islice(iter(source), options.frames)), source.info
    bare = override(
        load_recipe("video"),
        ["skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=0",
         f"cinema_grain.size={options.size}", "cinema_grain.curve=midtone", *options.set],
    )  # fmt: skip
    backend = open_backend("cpu")
    print(f"{'':38}" + "".join(f"{c:>8}" for c in ("codes", "rho", "kept", "dead", "bands", "flicker", "kb/s")))
    geometry = platform_geometry(info.width, info.height, PROXIES[0], turn=True)
    small = [as_platform(frame, geometry) for frame in plain]
    found = Finder().found(small[len(small) // 2])
    rate = info.rate or 25
    clean: dict[Proxy, tuple[Measures, float]] = {}
    with ThreadPoolExecutor(1) as threads:
        for name in ("none", *(options.carrier or [c for c in CARRIERS if c != "none"])):
            plan = own_format_plan(info, override(bare, CARRIERS[name]))
            for wanted in (options.codes or [3.0]) if name != "none" else [0.0]:
                amount = 1.0
                if wanted:
                    told = [as_platform(f, geometry) for f in treated(plain[:TOLD], plan, backend, 1.0)]
                    amount = wanted / codes(small[:TOLD], told, found)
                made = [as_platform(f, geometry) for f in treated(plain, plan, backend, amount)]
                for proxy in PROXIES:
                    after = clip_through(proxy, [made], rate, threads)
                    moments = [Moment(*each) for each in zip(small, made, after.windows[0], strict=True)]
                    got = measure([moments], [found])
                    clean.setdefault(proxy, (got, after.kbps))
                    print(line(name, proxy, codes(small, made, found), got, *clean[proxy][:1], after.kbps,
                               clean[proxy][1]), flush=True)  # fmt: skip
                    if options.crops is not None:
                        options.crops.mkdir(parents=True, exist_ok=True)
                        file = f"{options.clip.stem}.{name}.{wanted:g}.{proxy.kbps or proxy.crf}.png"
                        cv2.imwrite(str(options.crops / file), strip(after.windows[0])[..., ::-1])


if __name__ == "__main__":
    main()
