"""What is laid on a picture, as far as that itself decides it: grain that it lacks, what a codec leaves of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from grainkit.adapt.offer import adapted, cost, patched, wanted
from grainkit.backends.base import Backend
from grainkit.effects.base import Analysed
from grainkit.errors import InputError
from grainkit.finishing.finisher import conformed
from grainkit.finishing.plan import DeliveryPlan
from grainkit.finishing.regrain import regrained, wants_regrain
from grainkit.job.request import Watch
from grainkit.job.settle import Settled, plans_of
from grainkit.recipe.recipe import Recipe

if TYPE_CHECKING:
    from grainkit.adapt.loop import Adapted
    from grainkit.effects.base import Packets


@dataclass(frozen=True)
class Treatment:
    """What will be done, once the picture was looked at.

    recipe, plans: as of `Settled`, adapted where that was wanted. found: how they were adapted, None where they were
    not. gain: highlight patches of a still. ready: what has been done to a still already.
    """

    recipe: Recipe
    plans: tuple[DeliveryPlan, ...]
    found: Adapted | None
    gain: npt.NDArray[np.float32] | None
    ready: Analysed | None


def treatment(settled: Settled, plan: DeliveryPlan, adapt: bool | None, backend: Backend, watch: Watch) -> Treatment:
    """Adapt the recipe where that is wanted, and find the highlight patches that it asks for.

    plan: the output's, with the grain that the picture lacks. adapt: as the user asks; its cost is announced first.
    """
    found, ready = _adapted(settled, plan, adapt, backend, watch)
    recipe, plans = settled.recipe, (plan, *settled.plans[1:])
    if found is not None:
        recipe, patches = found.recipe, found.patches
        plans = plans_of(settled.request, recipe, settled.info)
    else:
        patches, ready = patched(settled.reading, plan, backend, settled.source)
    gain = None if patches is None else patches.gain
    # A card brings stills to size itself, now as when the sidecar's recipe is replayed.
    return Treatment(recipe, plans, found, gain, None if gain is None and backend.resizes else ready)


def lacking_grain(settled: Settled) -> tuple[DeliveryPlan, dict[str, object]]:
    """The plan with only the grain that the input lacks where that is asked for, and what was measured.

    It is told from the first frames, whatever part is finished: any part gets the same grain.
    """
    plan = settled.plan
    if not wants_regrain(plan):
        return plan, {}
    if settled.info.path is None:
        raise InputError(
            "cinema_grain.regrain = true reads the input twice, which standard input does not allow; name a file"
        )
    from grainkit.analysis.grain import measure_grain

    with settled.reading.source(0, None) as source:
        plan, measured = regrained(plan, measure_grain(conformed(frame, plan) for frame in source))
    return plan, {"regrain": measured} if measured else {}


def packets_of(settled: Settled, plan: DeliveryPlan) -> Packets | None:
    """What an effect puts into the stream instead of the pixels, such as grain as metadata; None for nothing."""
    given = settled.request.recipe.grain_table
    table = None if given is None else Path(given)
    asked = [each for each in plan.recipe.effects.values() if each.strength or table is not None]
    return next(filter(None, (effect.packets(plan.context, table) for effect in asked)), None)


def _adapted(
    settled: Settled, plan: DeliveryPlan, adapt: bool | None, backend: Backend, watch: Watch
) -> tuple[Adapted | None, Analysed | None]:
    """The recipe adapted to its proxies, where that is wanted. See `adapted`."""
    recipe, info = settled.recipe, settled.info
    proxies = wanted(recipe, plan, info, adapt)
    # A still has frame 0 alone; the run refuses another one in its own words.
    if not proxies or (info.kind == "still" and settled.request.read.frames[0] > 0):
        return None, None
    if watch.announce is not None:
        watch.announce(cost(plan, proxies, recipe.adapt.rounds))
    fixed = {each.partition("=")[0] for each in settled.settings}
    return adapted(settled.reading, recipe, plan, proxies, backend, settled.source, fixed)
