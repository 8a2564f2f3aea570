"""What a job would do, as plain values; nothing is written."""

from __future__ import annotations

from typing import TypedDict

from grainkit.adapt.offer import cost, refuse_patches, wanted
from grainkit.finishing.plan import ClipPlan, DeliveryPlan
from grainkit.job.notes import idle_matte, settled_notes
from grainkit.job.outputs import refuse_outputs
from grainkit.job.request import UNWATCHED, FinishRequest, Watch
from grainkit.job.settle import Settled, settle
from grainkit.recipe.recipe import to_mapping


class DryRun(TypedDict):
    """What would be read, written and done, in the order in which it is printed."""

    input: dict[str, object]
    output: dict[str, object]
    preset: str
    source_profile: str
    seed: int
    effects: object
    adapt: str
    notes: list[str]


def dry_run(request: FinishRequest, watch: Watch = UNWATCHED) -> DryRun:
    """What `run` would do. Raises a UserError where it would refuse to begin."""
    with settle(request, watch, to_run=False) as settled:
        refuse_outputs(settled.plans, settled.inputs, request.read.matte, request.write.overwrite)
        refuse_patches(settled.plan, settled.info)
        proxies = wanted(settled.recipe, settled.plan, settled.info, settled.adapts())
    plan, info, recipe = settled.plan, settled.info, settled.recipe
    return {
        "input": {
            "name": info.name, "kind": info.kind, "size": [info.width, info.height], "frames": info.frames,
            "rate": None if info.rate is None else str(info.rate), "pixel_format": info.pixel_format,
            "audio": info.has_audio,
        },
        "output": _delivered(settled, plan),
        "preset": recipe.name,
        "source_profile": settled.profile,
        "seed": recipe.seed,
        "effects": to_mapping(plan.recipe)["effects"],
        "adapt": cost(plan, proxies, recipe.adapt.rounds) if proxies else "no",
        "notes": [*settled_notes(settled, plan), *idle_matte(settled, plan)],
    }  # fmt: skip


def _delivered(settled: Settled, plan: DeliveryPlan) -> dict[str, object]:
    """The output in words and figures."""
    delivered: dict[str, object] = {
        "name": plan.name, "kind": plan.kind, "size": list(plan.size),
        "pixel_format": plan.pixel_format,
    }  # fmt: skip
    if isinstance(plan, ClipPlan):
        delivered |= {"container": plan.clip.container, "codec": plan.clip.codec, "options": dict(plan.clip.options)}
    for pilot in settled.plans[1:]:
        delivered["pilot"] = pilot.name
    return delivered
