"""Trying settings on a sample: finish it, send it through every proxy, and measure what comes out.

A trial holds what does not change between tries: the sample in the delivery's size with its skin relief, the
same sample untreated after each proxy, and where people are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from grainkit.adapt.highlight_patches import Patches, found_patches
from grainkit.analysis.faces import StillFaces
from grainkit.analysis.picture import luma_of
from grainkit.backends.base import Backend
from grainkit.backends.pass_term import PassTerm
from grainkit.codec.jpeg import luma_table
from grainkit.codec.measures import EVERY, Measures, Moment, measure
from grainkit.codec.predict import (
    LOCKED_ROUNDING,
    VIDEO_ROUNDING,
    Tones,
    qp_that_leaves,
    survival,
    video_steps,
)
from grainkit.codec.proxies import Sent, clip_through, delivered, in_jpeg_matrix
from grainkit.codec.regions import LEAST, Finder, Found, Zone, smooth_areas
from grainkit.codec.viewer import as_platform, as_seen, platform_geometry
from grainkit.effects.base import Analysed
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.finishing.finisher import (
    analysed,
    brought_up,
    conformed,
    finish_frame,
    finish_still,
    plan_tables,
    stages_of,
)
from grainkit.finishing.plan import ClipPlan, Plan, StillPlan
from grainkit.finishing.two_sizes import split
from grainkit.picture.background import composited
from grainkit.picture.frame import Frame
from grainkit.picture.resample import Geometry
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.targets import Proxy

if TYPE_CHECKING:
    from grainkit.codec.encoder import Streams

_T = TypeVar("_T", "StillTrial", "ClipTrial")
_Windows = Sequence[tuple[Frame, ...]]

#: Effects that tries change: what the others give to a frame is the same in each.
ADAPTED = (CinemaGrain.name, HighlightGuard.name)
#: Codecs whose encoders tell the QP of each frame. A key frame's is about this much below the mean (x264's
#: pictures of two seconds; measured 3.2 to 3.7), and this is taken where an encoder told none after all.
_TELL_QP, _KEY_FRAME, _NO_QP = ("x264", "x265"), 3.5, 28.0


@dataclass(frozen=True)
class Outcome:
    """What one proxy made of the sample.

    cost: bytes of a still, kb/s of a clip; growth: the same over that of the untreated sample, less 1, and None
    where the proxy has a fixed rate. crf: quality factor of a clip's encode, 0 for a still.
    before: the same measures without the proxy; shown: the decoded picture in the middle of the first window.
    Both only where the trial was asked to keep them.
    """

    proxy: Proxy
    measures: Measures
    cost: float
    growth: float | None
    crf: int = 0
    before: Measures | None = None
    shown: Frame | None = None


@dataclass(frozen=True, eq=False)
class Tried:
    """What came of a try: an outcome for each proxy, and the highlight patches that were found on the way, if any."""

    outcomes: tuple[Outcome, ...]
    patches: Patches | None = None


class Trial(Protocol):
    """A sample that effects can be tried on, after each of its proxies."""

    proxies: tuple[Proxy, ...]

    def untreated(self) -> tuple[Outcome, ...]:
        """Outcomes of the sample without any effect."""

    def tried(self, recipe: Recipe) -> Tried:
        """What comes of this recipe's effects, those of the sample's kind."""

    def predicted(self, grain: CinemaGrain) -> float | None:
        """The share of a grain's pattern that the worst proxy is to leave; None where there is no model.

        For VP9 and AV1, which tell no QP, there is one once animated grain was tried.
        """

    def given_up(self, guard: HighlightGuard) -> float | None:
        """Mean luma that this shoulder takes from the highlights of the worst proxy, codes of 255.

        None where there are no highlights, or where patches take more.
        """


class StillTrial:
    """A whole still. plan: how it is delivered; frame: as its source gave it; keep: see Outcome."""

    def __init__(
        self, plan: StillPlan, frame: Frame, proxies: tuple[Proxy, ...], backend: Backend, *, keep: bool = False
    ) -> None:
        self._keep = keep
        self.proxies = proxies
        self._plan, self._backend, self._delivery = plan, backend, plan.still
        before, after = split(plan)
        shown = composited(frame, plan.recipe.delivery.background)
        self._keeps_alpha = shown is not frame and not plan.background
        self._sample = conformed(shown, before)
        still = StillFaces(self._sample)
        with still.networks.ahead(), ThreadPoolExecutor(1, "grainkit-relief") as pool:
            # The relief takes as long as all else that is made ready, and neither needs more of the other than faces.
            relief = pool.submit(
                lambda: next(
                    analysed([Analysed(self._sample)], stages_of(before, before.recipe.effects, still).values())
                )
            )
            self._frame = self._sample if after is None else brought_up(self._sample, after)
            seen = as_seen(self._frame)
            self._untreated = in_jpeg_matrix(seen)
            sent = self._sent(_without_effects(plan.recipe), None, None)
            self._found = (Finder().found(seen, seen.matte, still if after is None else None),)
            self._tones = _tones([self._untreated], self._found)
            self._plain = self._outcomes(replace(sent, treated=self._untreated), None)
            self._ready = relief.result()

    def among(self, proxies: tuple[Proxy, ...]) -> StillTrial:
        """The same trial on some of its proxies alone."""
        return _among(self, proxies)

    @property
    def ready(self) -> Analysed | None:
        """The sample in the delivery's size, with its relief; None where it was tried without its alpha."""
        return None if self._keeps_alpha else self._ready

    def untreated(self) -> tuple[Outcome, ...]:
        return self._plain

    def tried(self, recipe: Recipe, patches: Patches | None = None) -> Tried:
        """What comes of its effects. patches: found before, on other proxies, in place of those found here."""
        if patches is None:
            patches, sent = self._patched(recipe)
        else:
            sent = self._sent(recipe, self._ready.term, patches.gain)
        return Tried(self._outcomes(sent, [outcome.cost for outcome in self._plain]), patches)

    def patches(self, recipe: Recipe) -> Patches | None:
        """The highlight patches that this recipe asks for; None where it asks for none."""
        return self._patched(recipe)[0]

    def _patched(self, recipe: Recipe) -> tuple[Patches | None, Sent]:
        rounds = recipe.effect(HighlightGuard).patches
        if not rounds:
            return None, self._sent(recipe, self._ready.term, None)
        return found_patches(
            lambda gain: self._sent(recipe, self._ready.term, gain), self._untreated, self._plan.recipe.targets, rounds
        )

    def _sent(self, recipe: Recipe, term: PassTerm | None, gain: npt.NDArray[np.float32] | None) -> Sent:
        plan = _with_effects_of(recipe, self._plan)
        relief = term if recipe.effect(SkinTexture).strength else None
        done = finish_still(self._sample, plan, self._backend, relief, gain)
        return Sent.of(done, self._delivery, self.proxies)

    def made(self, make: Callable[[Frame], Frame]) -> tuple[Outcome, ...]:
        """Outcomes of the sample, as it is before effects in the delivery's size, finished in any other way.

        make: gives a frame with its `rgb`.
        """
        sent = Sent.of(make(self._frame), self._delivery, self.proxies)
        return self._outcomes(sent, [outcome.cost for outcome in self._plain])

    def predicted(self, grain: CinemaGrain) -> float | None:
        width, height = self._plan.geometry.size
        sigma = grain.sigma_px(width, height, self._plan.dpi)
        tables = [luma_table(proxy.quality) for proxy in self.proxies]
        return min((survival(grain, sigma, self._tones, table) for table in tables), default=None)

    def given_up(self, guard: HighlightGuard) -> float | None:
        return None

    def _outcomes(self, sent: Sent, plain: Sequence[float] | None) -> tuple[Outcome, ...]:
        found = []
        for at, (proxy, decoded, size) in enumerate(zip(self.proxies, sent.decoded, sent.sizes, strict=True)):
            measures = measure([[Moment(self._untreated, sent.treated, decoded)]], self._found)
            outcome = Outcome(proxy, measures, size, None if plain is None else size / plain[at] - 1)
            if self._keep:
                before = measure([[Moment(self._untreated, sent.treated, sent.treated)]], self._found)
                outcome = replace(outcome, before=before, shown=decoded)
            found.append(outcome)
        return tuple(found)


class ClipTrial:
    """Windows of a clip, which go through the delivery's own encode first where that is 8-bit 4:2:0.

    windows: frames as their source gave them, each window consecutive; threads: for encoders; keep: see Outcome.
    """

    def __init__(
        self, plan: Plan, windows: Iterable[Sequence[Frame]], proxies: tuple[Proxy, ...], backend: Backend,
        threads: Executor, *, keep: bool = False,
    ) -> None:  # fmt: skip
        assert plan.rate is not None
        self._keep = keep
        self.proxies = proxies
        self._plan, self._backend, self._threads, self._rate = plan, backend, threads, plan.rate
        self._delivery = plan.clip if isinstance(plan, ClipPlan) else None
        self._samples = [_sampled(window, plan) for window in windows]
        width, height = plan.geometry.size
        turn = plan.recipe.delivery.turn
        self._boxes = {proxy: platform_geometry(width, height, proxy, turn=turn) for proxy in proxies}
        plain = [tuple(one.frame for one in window) for window in self._samples]
        self._untreated = self._at_platform(plain)
        finder = Finder()
        # Where people are does not depend on the size that they are shown at.
        people = [finder.people(f, f.matte) for f in map(_middle, next(iter(self._untreated.values())))]
        self._found = {box: tuple(each.at(*box.size) for each in people) for box in self._untreated}
        self._zones = {
            box: [
                [Zone.of(frame) if at % EVERY == 0 else None for at, frame in enumerate(window)] for window in windows
            ]
            for box, windows in self._untreated.items()
        }
        self._on_skin = any(each.skin.sum() >= LEAST for each in next(iter(self._found.values())))
        middle = [_middle(window) for window in next(iter(self._untreated.values()))]
        self._tones = _tones(middle, next(iter(self._found.values())))
        self._lights = {
            box: np.concatenate([zone.planes[0] for window in windows for zone in window if zone is not None])
            for box, windows in self._zones.items()
        }
        self._quality: dict[Proxy, int] = {}
        self._qps: dict[Proxy, tuple[float, ...]] = {}
        bare = replace(plan, recipe=_without_effects(plan.recipe))
        tables = plan_tables(bare)
        unfinished = [tuple(finish_frame(frame, bare, tables, backend) for frame in window) for window in plain]
        self._plain = self._outcomes(self._untreated, self._uploaded(unfinished), None)

    def among(self, proxies: tuple[Proxy, ...]) -> ClipTrial:
        """The same trial on some of its proxies alone."""
        found = _among(self, proxies)
        found._quality, found._qps = dict(self._quality), dict(self._qps)
        return found

    def untreated(self) -> tuple[Outcome, ...]:
        return self._plain

    def tried(self, recipe: Recipe) -> Tried:
        plan = _with_effects_of(recipe, self._plan)
        tables = plan_tables(plan)
        textures = recipe.effect(SkinTexture).strength > 0.0
        finished = []
        for window in self._samples:
            bare = (one if textures else Analysed(one.frame) for one in window)
            # Each window is a shot of its own here: the same grain, though not the place of the tile that it will have.
            grained = analysed(bare, stages_of(plan, ADAPTED).values())
            finished.append(tuple(finish_frame(one.frame, plan, tables, self._backend, one.term) for one in grained))
        outcomes = self._made(finished)
        self._learn(recipe.effect(CinemaGrain), outcomes)
        return Tried(outcomes)

    def made(self, make: Callable[[Frame], Frame]) -> tuple[Outcome, ...]:
        """Outcomes of the conformed sample finished in any other way."""
        return self._made([tuple(make(one.frame) for one in window) for window in self._samples])

    def _made(self, finished: _Windows) -> tuple[Outcome, ...]:
        costs = [outcome.cost for outcome in self._plain]
        return self._outcomes(self._at_platform(finished), self._uploaded(finished), costs)

    def predicted(self, grain: CinemaGrain) -> float | None:
        if any(proxy not in self._qps for proxy in self.proxies):
            return None
        return min((self._left(grain, proxy, self._qps[proxy]) for proxy in self.proxies), default=None)

    def _left(self, grain: CinemaGrain, proxy: Proxy, qps: tuple[float, ...]) -> float:
        """The share of a grain's pattern that a proxy is to leave with these QPs of its frames."""
        width, height = self._plan.geometry.size
        sigma, scale = grain.sigma_px(width, height, self._plan.dpi), self._boxes[proxy].scale
        if grain.carrier == "locked":
            from grainkit.effects.grain.locked import BACKDROP

            if not self._on_skin:
                grain = replace(grain, strength=grain.strength * BACKDROP)
            steps = video_steps(min(qps))
            return survival(grain, sigma, self._tones, steps, rounding=LOCKED_ROUNDING, scale=scale)
        each = [
            survival(grain, sigma, self._tones, video_steps(qp), rounding=VIDEO_ROUNDING, scale=scale)
            for qp in _spread(qps)
        ]
        return float(np.mean(each))

    def _learn(self, grain: CinemaGrain, outcomes: Sequence[Outcome]) -> None:
        """The QPs of encoders that tell none, from what they left of animated grain."""
        if grain.carrier != "animated" or grain.strength == 0.0:
            return
        for outcome in outcomes:
            proxy, rho = outcome.proxy, outcome.measures.rho
            if proxy.codec in _TELL_QP or proxy in self._qps or rho is None:
                continue
            mean = qp_that_leaves(rho, lambda qp, proxy=proxy: self._left(grain, proxy, (qp,)))  # type: ignore[misc]
            self._qps[proxy] = (mean - _KEY_FRAME, mean)

    def given_up(self, guard: HighlightGuard) -> float | None:
        shoulder = guard.shoulder
        found = [luma - shoulder.roll(luma) for luma in self._lights.values() if luma.size >= LEAST]
        return max((255 * float(np.mean(each, dtype=np.float64)) for each in found), default=None)

    def _uploaded(self, windows: _Windows) -> dict[Geometry, _Windows]:
        """Finished windows as each platform's encoder gets them: out of the delivered file."""
        return self._at_platform(delivered(self._delivery, windows, self._rate, self._threads))

    def _at_platform(self, windows: _Windows) -> dict[Geometry, _Windows]:
        return {
            box: [tuple(as_platform(frame, box) for frame in window) for window in windows]
            for box in dict.fromkeys(self._boxes.values())
        }

    def _outcomes(
        self, treated: Mapping[Geometry, _Windows], sent: Mapping[Geometry, _Windows], plain: Sequence[float] | None
    ) -> tuple[Outcome, ...]:
        found = []
        streams: dict[tuple[str, Geometry], Streams] = {}
        for at, proxy in enumerate(self.proxies):
            box = self._boxes[proxy]
            tried = streams.setdefault((proxy.codec, box), {})
            encoded = clip_through(proxy, sent[box], self._rate, self._threads, self._quality.get(proxy, 0), tried)
            self._quality[proxy] = encoded.crf
            if plain is None and proxy.codec in _TELL_QP:
                self._qps[proxy] = encoded.qps or (_NO_QP,)
            growth = None if plain is None or proxy.kbps else encoded.kbps / plain[at] - 1
            measures = self._measured(box, treated[box], encoded.windows)
            outcome = Outcome(proxy, measures, encoded.kbps, growth, encoded.crf)
            if self._keep:
                before = self._measured(box, treated[box], treated[box])
                outcome = replace(outcome, before=before, shown=_middle(encoded.windows[0]))
            found.append(outcome)
        return tuple(found)

    def _measured(self, box: Geometry, treated: _Windows, decoded: _Windows) -> Measures:
        windows = (
            (Moment(*moment) for moment in zip(*window, strict=True))
            for window in zip(self._untreated[box], treated, decoded, self._zones[box], strict=True)
        )
        return measure(windows, self._found[box])


def _among(trial: _T, proxies: tuple[Proxy, ...]) -> _T:
    found = copy(trial)
    found.proxies = proxies
    found._plain = tuple(outcome for outcome in trial._plain if outcome.proxy in proxies)
    return found


def _sampled(window: Sequence[Frame], plan: Plan) -> list[Analysed]:
    """A window's frames in the delivery's size, with what no try changes. Only the middle one keeps its matte."""
    frames = (Analysed(conformed(composited(f, plan.recipe.delivery.background), plan)) for f in window)
    steady = stages_of(plan, [name for name in plan.recipe.effects if name not in ADAPTED])
    found = list(analysed(frames, steady.values()))
    kept = len(found) // 2
    return [one if at == kept else replace(one, frame=replace(one.frame, matte=None)) for at, one in enumerate(found)]


def _middle(window: Sequence[Frame]) -> Frame:
    """The frame of a window that people are looked for in."""
    return window[len(window) // 2]


def _without_effects(recipe: Recipe) -> Recipe:
    return recipe.with_effect(*(effect.off() for effect in recipe.effects.values()))


def _with_effects_of(recipe: Recipe, plan: Plan) -> Plan:
    return replace(plan, recipe=plan.recipe.with_effect(*recipe.effects.values()))


def _spread(qps: tuple[float, ...]) -> tuple[float, ...]:
    """Quartiles of the QPs: what is lost is not a straight line of them."""
    return tuple(float(q) for q in np.percentile(qps, (12.5, 37.5, 62.5, 87.5))) if len(qps) > 2 else qps[-1:]


def _tones(frames: Sequence[Frame], found: Sequence[Found]) -> Tones:
    """Tones of the skin, where there is none of the smooth areas, else of all."""
    lumas = [luma_of(frame) for frame in frames]
    for masks in ([people.skin for people in found], [smooth_areas(luma) for luma in lumas]):
        inside = np.concatenate([luma[mask] for luma, mask in zip(lumas, masks, strict=True)])
        if inside.size >= LEAST:
            return Tones.of(inside)
    return Tones.of(np.concatenate([luma.ravel() for luma in lumas]))
