"""Would highlight patches hold on a clip? What decodes above white, how long it stays where it is, and what a patch
that was found on half a second does to the half second after it.

    python -m benchmarks.clip_patches CLIP [CLIP ...] [--preset social/linkedin] [--frames 24]

Finishes each clip's first frames by the preset, sends them through its first proxy, finds the patch that a still would
get on the worst of the first half, lays it on all of them, and encodes again. Prints: the overlap (intersection over
union) of what decodes above white with itself 1, 6 and 12 frames later; clipped share, p99.9 and light given up of
both halves without and with the patch; and how much of the patch lies on what is no highlight at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

import grainkit as gk
from grainkit.adapt.highlight_patches import ABOVE, asked_gain
from grainkit.adapt.offer import proxies_of
from grainkit.backends import open_backend
from grainkit.codec.measures import Lights, Moment
from grainkit.codec.proxies import clip_through
from grainkit.codec.regions import highlights
from grainkit.codec.viewer import as_platform, as_seen, brightest, platform_geometry
from grainkit.finishing.finisher import conformed, finish_frame, plan_tables
from grainkit.finishing.planning import make_plan
from grainkit.picture.color import Range, luma_codes
from grainkit.picture.frame import Frame
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.targets import label

F32 = npt.NDArray[np.float32]
LAGS = (1, 6, 12)
BLACK, WHITE = luma_codes(8, Range.LIMITED)


def patched(frame: Frame, gain: F32) -> Frame:
    """An 8-bit frame with its luma scaled, as a patch does."""
    luma = np.rint((frame.planes[0] - np.float32(BLACK)) * gain + np.float32(BLACK))
    return frame.with_planes((np.clip(luma, 0, 255).astype(np.uint8), *frame.planes[1:]), frame.color)


def told(untreated: Sequence[Frame], sent: Sequence[Frame], decoded: Sequence[Frame]) -> str:
    """Clipped share, p99.9 and light given up."""
    lights = Lights()
    for frames in zip(untreated, sent, decoded, strict=True):
        lights.add(Moment(*frames))
    found = lights.measured()
    if found["highlights_share"] is None:
        return "no highlights"
    return f"{100 * found['highlights_share']:.2f} %, p99.9 {found['p999']:.0f}, light {found['luma_given_up']:.2f}"


def overlap(masks: Sequence[npt.NDArray[np.bool_]], lag: int) -> float:
    pairs = [((a & b).sum(), (a | b).sum()) for a, b in zip(masks, masks[lag:], strict=False)]
    return float(np.mean([both / max(either, 1) for both, either in pairs]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--preset", default="social/linkedin")
    parser.add_argument("--frames", type=int, default=24)
    options = parser.parse_args()
    # Grain and texture are left out: they are not what decodes above white.
    recipe = override(load_recipe(options.preset), ["skin_texture.strength=0", "clip.effects.cinema_grain.strength=0"])
    proxy = proxies_of(recipe, "clip")[0]
    backend = open_backend("cpu")
    with ThreadPoolExecutor(2) as threads:
        for path in options.clips:
            with gk.open_source(path) as source:
                plan = make_plan(source.info, recipe, Path("out.mp4"))
                frames = [conformed(frame, plan) for frame in islice(source, options.frames)]
            assert plan.rate is not None
            box = platform_geometry(*plan.geometry.size, proxy, turn=recipe.delivery.turn)
            tables = plan_tables(plan)
            untreated = [as_platform(frame, box) for frame in frames]
            sent = [as_platform(finish_frame(frame, plan, tables, backend), box) for frame in frames]
            decoded = clip_through(proxy, [sent], plan.rate, threads).windows[0]
            tops = [brightest(as_seen(frame)) for frame in decoded]
            burnt = [top * np.float32(255) > ABOVE for top in tops]
            half = len(frames) // 2
            gain = asked_gain(np.maximum.reduce(tops[:half]))
            mended = [patched(frame, gain) for frame in sent]
            again = clip_through(proxy, [mended], plan.rate, threads).windows[0]
            print(f"{path.name}, {options.preset}, {label(proxy)}")
            print("  overlap after", ", ".join(f"{lag} frames {overlap(burnt, lag):.2f}" for lag in LAGS))
            for name, here in (("first half", np.s_[:half]), ("second half", np.s_[half:])):
                without = told(untreated[here], sent[here], decoded[here])
                print(f"  {name}: {without}; patched: {told(untreated[here], mended[here], again[here])}")
            marked = gain < 0.98
            beside = [float((marked & ~highlights(as_seen(f))).sum() / max(marked.sum(), 1)) for f in untreated]
            print(f"  of the patch {100 * np.mean(beside):.0f} % lies on what is no highlight", flush=True)
    backend.close()


if __name__ == "__main__":
    main()
