"""What an earlier run of the same job has done already: whole outputs, and the first files of a sequence."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from grainkit.errors import InputError, OutputError
from grainkit.finishing.plan import DeliveryPlan, FilePlan
from grainkit.io.pending import unfinished
from grainkit.job.sidecar import sha256_files, sidecar_path, versions
from grainkit.recipe.presets import read_sidecar
from grainkit.recipe.recipe import to_mapping

#: No sequence has more files.
_MOST_FRAMES = 10_000_000


def job_of(plan: DeliveryPlan, digests: Mapping[str, str], backend: str, options: Iterable[str]) -> str:
    """32 hex digits of all that decides an output: recipe, inputs, how they are read and written, versions, backend.

    plan: as it was before it was adapted to anything that the inputs hold. digests: SHA-256 of what is read, by role.
    """
    recipe = to_mapping(plan.as_delivered(plan.recipe))
    for key in ("name", "description", "source", "checked_on"):
        del recipe[key]
    decided = {
        "recipe": recipe, "kind": plan.kind, "pixel_format": plan.pixel_format,
        "size": plan.geometry.size, "digests": dict(digests), "backend": backend, "options": list(options),
        "pixels": plan.pixels,
        "versions": versions(),
    }  # fmt: skip
    canonical = json.dumps(decided, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def done_already(
    plan: FilePlan, files_of: Callable[[int], Iterable[Path]], others: Iterable[Path], job: str, overwrite: bool
) -> dict[str, Any] | None:
    """What the sidecar of an output says, where the output is whole and of this very job; else None.

    files_of: the output's files, by the number of its frames. others: what belongs with it and only must be there.
    Raises OutputError where, without leave to overwrite, files are in the way that no sidecar tells to be grainkit's:
    they may be anybody's.
    """
    told = read_sidecar(sidecar_path(plan.output))
    output = None if told is None else told.get("output")
    made = output if isinstance(output, dict) else {}
    count = made.get("frames")
    files = list(files_of(count if isinstance(count, int) and 0 < count < _MOST_FRAMES else 1))
    there = [file for file in files if file.exists()]
    if not there:
        return None
    if told is None and not overwrite and not _was_at_it(plan.output, job):
        raise OutputError(
            f"{there[0]} exists already, and no sidecar beside it says that grainkit made it; pass --overwrite to "
            "replace it, or choose another name with -o"
        )
    if told is None or told.get("job") != job or len(there) < len(files) or not all(p.exists() for p in others):
        return None
    with contextlib.suppress(InputError):  # gone meanwhile
        return told if made.get("sha256") == sha256_files(files) else None
    return None


def _was_at_it(output: Path, job: str) -> bool:
    """Whether a run of this job was killed after it put the output in place and before the sidecar."""
    for left in unfinished(output.parent, sidecar_path(output)):
        told = read_sidecar(left) or {}
        if told.get("job") == job:
            return True
    return False
