"""Adapting as a step of a job: is it wanted and possible, what will it cost, where are the samples.

What does it is imported only where it is wanted.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grainkit.backends.base import Backend
from grainkit.effects.base import Analysed
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.finishing.plan import ClipPlan, PipePlan, Plan, StillPlan
from grainkit.io.base import Source, SourceInfo
from grainkit.io.mattes import Mattes
from grainkit.io.reading import Read
from grainkit.picture.frame import Frame
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.targets import Proxy, suits

if TYPE_CHECKING:
    from grainkit.adapt.highlight_patches import Patches
    from grainkit.adapt.loop import Adapted

#: Samples of a clip that may be held, bytes: frames of the delivery's size, at up to 4 bytes a sample.
_HELD = 450_000_000
#: CPU seconds per megapixel to encode, decode and measure once, by codec; measured, and only good for a rough word.
_SECONDS = {"look": 0.2, "jpeg": 0.35, "x264": 0.2, "x265": 0.6, "vp9": 0.4, "av1": 0.2}
#: Looks through the codec that highlight patches take in a round, as a rule.
_PULLS = 3
#: Encodes that meeting a rate takes, and CPU seconds to find faces and relief in a still.
_TRIALS, _LOOKING = 2, 4


@dataclass(frozen=True)
class Reading:
    """How samples of a job's input are read: as the job reads it, with the user's mattes where there are any."""

    input: str | Path
    read: Read
    mattes: Mattes | None = None

    def source(self, first: int, end: int | None) -> Source:
        """The input's frames first to end - 1."""
        return self.read.source(self.input, first, end)

    def matted(self, frames: Iterable[Frame]) -> Iterable[Frame]:
        """Frames of such a source, each with its matte."""
        return frames if self.mattes is None else self.mattes.over(frames)


def proxies_of(recipe: Recipe, kind: str) -> tuple[Proxy, ...]:
    """The recipe's proxies for a `still` or a `clip`."""
    return tuple(proxy for proxy in recipe.proxies if suits(proxy, kind))


def wanted(recipe: Recipe, plan: Plan, info: SourceInfo, asked: bool | None) -> tuple[Proxy, ...]:
    """The proxies to adapt to, none where it is not to be done.

    asked: by the user; None leaves it to the recipe.
    Raises a UserError where it was asked for and cannot be done.
    """
    kind = _kind(info)
    proxies = proxies_of(recipe, kind)
    if asked is False or (asked is None and not (recipe.adapt.still if kind == "still" else recipe.adapt.clip)):
        return ()
    refusal = _refusal(recipe, plan, info, proxies)
    if refusal is None:
        return proxies
    if asked:
        raise refusal
    return ()


def _kind(info: SourceInfo) -> str:
    return "still" if info.kind == "still" else "clip"


def _refusal(
    recipe: Recipe, plan: Plan, info: SourceInfo, proxies: tuple[Proxy, ...]
) -> InputError | OutputError | RecipeError | None:
    if info.kind == "pipe":
        return InputError("--adapt reads its input twice, and standard input can be read once; name a file")
    if isinstance(plan, PipePlan):
        return OutputError("--adapt works on what is delivered to a platform, not on Y4M; name a file with -o")
    if not proxies:
        return RecipeError(
            f"preset {recipe.name} says of no platform what it does to a {_kind(info)}, so there is nothing to adapt "
            "to; leave --adapt out, or use a social preset"
        )
    if info.color.is_hdr:
        return InputError(f"{info.name} is HDR ({info.color.transfer.name}); --adapt measures SDR only, leave it out")
    return None


def cost(plan: Plan, proxies: tuple[Proxy, ...], rounds: int) -> str:
    """What adapting will take, in a sentence."""
    from grainkit.adapt.words import encodes
    from grainkit.codec.viewer import platform_geometry
    from grainkit.codec.windows import WINDOW, WINDOWS

    width, height = plan.geometry.size
    is_still, is_clip = isinstance(plan, StillPlan), isinstance(plan, ClipPlan)
    frames = 1 if is_still else WINDOW * WINDOWS
    # A clip goes through the delivery's own encode first.
    seconds = float(_LOOKING) + (rounds + 1) * (frames * width * height / 1e6 * _SECONDS["x264"] if is_clip else 0)
    for proxy in proxies:
        box = platform_geometry(width, height, proxy, turn=plan.recipe.delivery.turn).size
        megapixels = frames * box[0] * box[1] / 1e6
        seconds += (rounds + 1) * megapixels * _SECONDS[proxy.codec] * (_TRIALS if proxy.kbps else 1)
    if is_still:
        seconds += rounds * _PULLS * len(proxies) * width * height / 1e6 * _SECONDS["look"]
    sample = "the picture is tried" if is_still else f"{frames} frames are tried"
    clip = "" if is_still else ", besides decoding the clip twice"
    return (
        f"adapting to {encodes(plan.recipe.name, proxies)}: {sample} up to {rounds} times, about {seconds:.0f} s of "
        f"CPU time{clip} (--no-adapt leaves it out)"
    )


def adapted(
    reading: Reading, recipe: Recipe, plan: Plan, proxies: tuple[Proxy, ...], backend: Backend, source: Source,
    fixed: Collection[str] = (),
) -> tuple[Adapted, Analysed | None]:  # fmt: skip
    """`recipe` adapted to these proxies on samples of its input, and of a still what need not be done again.

    source: the input as it is open already. fixed: parameters that stay as they are.
    """
    from grainkit.adapt.loop import adapt

    if plan.carries_grain:
        # Metadata goes past every codec that stands in for a player.
        fixed = {*fixed, "cinema_grain.strength", "cinema_grain.size"}
    if isinstance(plan, StillPlan):
        from grainkit.adapt.trial import StillTrial

        still = StillTrial(plan, _only(source, reading), proxies, backend)
        return adapt(recipe, "still", still, fixed), still.ready
    from grainkit.adapt.trial import ClipTrial
    from grainkit.codec.windows import choose_windows, gathered

    with reading.source(*reading.read.frames) as frames:
        windows = choose_windows(frames, _window_length(plan))
    if not windows:
        raise InputError(f"{reading.input} has no frames in the range asked for; see --frames")
    with (
        reading.source(windows[0].first, windows[-1].end) as frames,
        ThreadPoolExecutor(os.cpu_count() or 1) as threads,
    ):
        trial = ClipTrial(plan, gathered(reading.matted(frames), windows), proxies, backend, threads)
        return adapt(recipe, "clip", trial, fixed), None


def _only(source: Source, reading: Reading) -> Frame:
    """The frame of a still, with its matte."""
    (frame,) = reading.matted(source)
    return frame


def refuse_patches(plan: Plan, info: SourceInfo) -> None:
    """RecipeError where the plan's recipe asks for highlight patches and there is no codec to find them with."""
    if not _asks_for_patches(plan):
        return
    said = "highlight_guard.patches is for stills that a platform makes a JPEG of"
    if not isinstance(plan, StillPlan):
        raise RecipeError(f"{said}, and {info.name} becomes a {plan.kind}; use 0, or set it under `still:` in a recipe")
    if not proxies_of(plan.recipe, "still"):
        raise RecipeError(f"{said}, and preset {plan.recipe.name} names no platform; use 0, or a social preset")


def patched(reading: Reading, plan: Plan, backend: Backend, source: Source) -> tuple[Patches | None, Analysed | None]:
    """The highlight patches that the plan's recipe asks for, found on its input (None where it asks for none), and
    what of it need not be done again. source: the input as it is open already."""
    if not isinstance(plan, StillPlan) or not _asks_for_patches(plan):
        return None, None
    from grainkit.adapt.trial import StillTrial

    still = StillTrial(plan, _only(source, reading), proxies_of(plan.recipe, "still"), backend)
    return still.patches(plan.recipe), still.ready


def _asks_for_patches(plan: Plan) -> bool:
    guard = plan.recipe.effect(HighlightGuard)
    return guard.patches > 0 and guard.strength > 0 and not plan.working.is_hdr


def _window_length(plan: Plan) -> int:
    """Frames of a window: WINDOW, or fewer where the delivery is so large that they would fill the memory."""
    from grainkit.codec.windows import WINDOW, WINDOWS

    width, height = plan.geometry.size
    samples = width * height * 3 / 2 if plan.working.subsampling == (2, 2) else width * height * 3
    size = samples * (4 if plan.working.is_float else 2)
    return min(max(int(_HELD / WINDOWS / size), 4), WINDOW)
