"""What a job did, for its caller and for the sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from grainkit.analysis.light import Light
from grainkit.backends.base import Backend
from grainkit.effects import EFFECTS
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.finishing.plan import DeliveryPlan, FilePlan
from grainkit.finishing.touched import SHARPENING, at_work
from grainkit.job.notes import idle_matte, no_skin, settled_notes
from grainkit.job.replay import other_input
from grainkit.job.resume import Done, Identity
from grainkit.job.settle import Settled
from grainkit.job.sidecar import NO_DIGEST, Found, JobReport, Touched, job_report, sidecar_path
from grainkit.job.sinks import Written
from grainkit.job.treatment import Treatment


@dataclass(frozen=True)
class Report:
    """What a job did.

    input, output: names as given; output '-' is standard output. sidecar, pilot: files beside the output, or ''.
    kind: still, sequence, clip or pipe. frames: written. seconds: wall time.
    width, height, pixel_format: of what was delivered. sha256: of the output ('' for a pipe).
    digital_source_type: IPTC term of the output, '' where none is claimed.
    source_profile: where the picture comes from as it was declared, or auto.
    light: what skin was shaded by where texture first went, in words; '' where it went nowhere.
    notes: what was assumed or done on the way, a sentence each.
    chosen_because: why backend `auto` did not take CUDA; '' where it did, or was not asked.
    skipped: whether the output was there already, whole and of this very job; kept: frames of it that were.
    """

    input: str
    output: str
    sidecar: str
    pilot: str
    preset: str
    kind: str
    backend: str
    seed: int
    frames: int
    seconds: float
    width: int
    height: int
    pixel_format: str
    sha256: str
    digital_source_type: str
    source_profile: str
    light: str
    notes: tuple[str, ...]
    chosen_because: str = ""
    skipped: bool = False
    kept: int = 0

    def as_mapping(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def report_of(
    settled: Settled, treatment: Treatment, written: Written, backend: Backend, identity: Identity, kept: int
) -> Report:
    """The report of a job whose output is written and not in its place yet.

    kept: frames of it that an earlier run had made.
    """
    plan, recipe = treatment.plans[0], treatment.recipe
    return Report(
        input=str(settled.request.input), output=plan.name, sidecar="",
        pilot=_pilot(treatment.plans), preset=recipe.name, kind=plan.kind, backend=backend.name, seed=recipe.seed,
        frames=written.frames, seconds=0.0, width=plan.size[0], height=plan.size[1], pixel_format=plan.pixel_format,
        sha256="", digital_source_type=written.source_type, source_profile=settled.profile,
        light=_lit(plan, written.light),
        notes=(
            *settled_notes(settled, plan),
            *other_input(settled.request.recipe.recipe, lambda: identity.digests.get("input", "")),
            *idle_matte(settled, plan), *no_skin(plan, written.light),
            *([] if treatment.found is None else [treatment.found.note()]), *written.notes,
        ),
        chosen_because=backend.chosen_because, kept=kept,
    )  # fmt: skip


def skipped_report(settled: Settled, done: Done) -> Report:
    """The report of a job whose output was there."""
    plan = settled.plan
    assert isinstance(plan, FilePlan)
    return Report(
        input=str(settled.request.input), output=str(plan.output), sidecar=str(sidecar_path(plan.output)),
        pilot=_pilot(settled.plans), preset=plan.recipe.name, kind=plan.kind, backend=done.backend,
        seed=plan.recipe.seed, frames=done.frames, seconds=0.0, width=plan.size[0], height=plan.size[1],
        pixel_format=plan.pixel_format, sha256=done.sha256, digital_source_type=done.digital_source_type,
        source_profile=settled.profile, light=done.light, notes=(), skipped=True, kept=done.frames,
    )  # fmt: skip


def sidecar_of(
    report: Report, settled: Settled, treatment: Treatment, written: Written, identity: Identity,
    lacking: Mapping[str, object],
) -> JobReport:  # fmt: skip
    """What the sidecar says, but for the output's digest. lacking: what was measured of the input's own grain."""
    plan, info, light, found = treatment.plans[0], settled.info, written.light, treatment.found
    working = at_work(plan, written.gave)
    return job_report(
        plan.as_delivered(treatment.recipe),
        kind="still" if info.kind == "still" else "clip",
        backend=report.backend,
        input={
            "name": Path(info.name).name, "sha256": identity.digests.get("input", ""), "kind": info.kind,
            "size": [info.width, info.height], "frames": info.frames if info.kind != "clip" else report.frames,
            **({} if plan.pixels is None else {"pixels": f"{plan.pixels:08x}"}),
            **({} if settled.mattes is None else {"matte_sha256": identity.digests["matte"]}),
        },
        output={
            "name": Path(report.output).name, "sha256": NO_DIGEST, "frames": report.frames,
            "size": [report.width, report.height], "pixel_format": report.pixel_format,
        },
        notes=report.notes,
        options=settled.words,
        job=identity.job,
        touched=Touched(
            generated=tuple(name for name in working if name in EFFECTS and EFFECTS[name].generates),
            idle=tuple(name for name in plan.recipe.effects if name not in working),
            also=tuple(name for name in working if name == SHARPENING),
            upscaled=plan.geometry.scale > 1.0,
        ),
        found=Found(
            report.digital_source_type, report.source_profile, report.light,
            measured={
                **({} if light is None else {"light": _angles(light)}),
                **({} if found is None else {"adapt": found.as_mapping()}),
                **({"grain_like": settled.like.measured} if settled.like else {}),
                **lacking,
            },
        ),
    )  # fmt: skip


def _pilot(plans: tuple[DeliveryPlan, ...]) -> str:
    """The pilot's file, '' where there is none."""
    return "".join(each.name for each in plans[1:])


def _lit(plan: DeliveryPlan, light: Light | None) -> str:
    if light is None:
        return ""
    texture = plan.recipe.effect(SkinTexture)
    return f"{light.words()} ({'estimated' if texture.lamp is None else 'declared'})"


def _angles(light: Light) -> dict[str, float]:
    """Where it stands, degrees, and how far to the side: 0 at the camera, 1 square to it."""
    values = {"azimuth": light.azimuth, "elevation": light.elevation, "grazing": light.grazing}
    return {name: round(value, 2) for name, value in values.items()}
