"""What is said of a job beside what it made: what was asked for and means nothing, what was assumed, what was lost."""

from __future__ import annotations

from grainkit.analysis.light import Light
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.finishing.plan import ClipPlan, PipePlan, Plan
from grainkit.io.base import SourceInfo
from grainkit.io.metadata import outgoing_source_type
from grainkit.io.reading import Read
from grainkit.job.replay import other_grain
from grainkit.job.settle import Settled


def settled_notes(settled: Settled, plan: Plan) -> tuple[str, ...]:
    """What is known before a frame is finished. plan: the output's, as it is by then."""
    info, request = settled.info, settled.request
    return (
        *info.notes, *_unused(info, request.read), *_usual_rate(info, plan, request.read), *_other_claim(settled),
        *([settled.like.note] if settled.like else []), *plan.notes, *other_grain(request.recipe.recipe, plan),
    )  # fmt: skip


def idle_matte(settled: Settled, plan: Plan) -> tuple[str, ...]:
    """That a matte says where there is nothing to put."""
    if settled.mattes is None or looks_for_skin(plan):
        return ()
    return ("the matte is not used: skin_texture.strength is 0",)


def no_skin(plan: Plan, light: Light | None) -> tuple[str, ...]:
    """That skin texture had nowhere to go. light: what skin was shaded by, None where none was textured."""
    return ("no skin was found to texture",) if light is None and _textures(plan) else ()


def looks_for_skin(plan: Plan) -> bool:
    """Whether anything depends on where skin is."""
    return _textures(plan) or plan.sharpening is not None


def _textures(plan: Plan) -> bool:
    return plan.recipe.effect(SkinTexture).strength > 0.0


def _other_claim(settled: Settled) -> tuple[str, ...]:
    """That the file's own claim of origin stands against what is declared."""
    claim, origin = settled.info.digital_source_type, settled.origin
    if not claim or origin is None or outgoing_source_type(claim) == outgoing_source_type(origin.digital_source_type):
        return ()
    return (f"the input claims to be {claim}, which stands, although its source is declared as {origin.name}",)


def _unused(info: SourceInfo, read: Read) -> list[str]:
    """What was asked for and means nothing for such an input, a sentence each."""
    notes = []
    if read.rate is not None and info.kind != "sequence":
        own = "" if info.rate is None else f" its own {round(float(info.rate), 3):g} fps"
        kept = "a still has none" if info.kind == "still" else f"the {info.kind} keeps{own or ' its own'}"
        notes.append(f"--rate is for numbered stills: {kept}")
    if info.kind == "still" and read.frames not in ((0, None), (0, 1)):
        notes.append("--frames is for clips and sequences: a still is one frame")
    if read.as_ is not None and info.kind in ("clip", "pipe"):
        notes.append(f"--as is for numbered stills: this is a {info.kind}")
    return notes


def _usual_rate(info: SourceInfo, plan: Plan, read: Read) -> tuple[str, ...]:
    """How fast numbered stills are shown in a clip, where nobody said it."""
    if read.rate is not None or info.kind != "sequence" or not isinstance(plan, (ClipPlan, PipePlan)):
        return ()
    return (f"shown at {float(info.rate or 24):g} frames per second; --rate says otherwise",)
