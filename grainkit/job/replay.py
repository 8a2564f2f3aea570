"""What a sidecar says beside its recipe that a replay of it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.finishing.plan import Plan
from grainkit.recipe.presets import SIDECAR_SUFFIX, read_sidecar
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.source_profile import NO_PROFILE


def declared_source(source_profile: str, recipe: str | Path | Recipe | None) -> str:
    """The source that is declared: as the user says, else as the sidecar does that is replayed, else `auto`."""
    if source_profile != NO_PROFILE:
        return source_profile
    return str(_told(recipe).get("source_profile", NO_PROFILE))


def other_grain(recipe: str | Path | Recipe | None, plan: Plan) -> tuple[str, ...]:
    """That the grain differs from the one the sidecar tells of, which comes from before stills had grain of their own.

    Such a sidecar has no digest of the still's pixels.
    """
    grain = plan.recipe.effect(CinemaGrain)
    before = _told(recipe).get("input")
    if plan.pixels is None or grain.strength == 0.0 or not isinstance(before, dict):
        return ()
    if before.get("kind") != "still" or "pixels" in before:
        return ()
    return (
        "the sidecar comes from before every still had grain of its own: the grain differs from what it was, and "
        "nothing else does",
    )


def other_input(recipe: str | Path | Recipe | None, digest: Callable[[], str]) -> tuple[str, ...]:
    """That a sidecar is replayed on another file than the one that it tells of. digest: of the input, worked out when
    asked for."""
    before = _told(recipe).get("input")
    told = before.get("sha256") if isinstance(before, dict) else None
    if not told or digest() in ("", told):
        return ()
    return (
        "this is not the file that the sidecar tells of (by its SHA-256); what was found for that one is laid on it",
    )


def _told(recipe: str | Path | Recipe | None) -> Mapping[str, object]:
    """What the sidecar says, where the recipe comes out of one."""
    if isinstance(recipe, Recipe) or recipe is None or not str(recipe).endswith(SIDECAR_SUFFIX):
        return {}
    return read_sidecar(Path(recipe)) or {}
