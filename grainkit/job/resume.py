"""What an earlier run of the same job has done already: whole outputs, and the first files of a sequence."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grainkit.errors import InputError, OutputError
from grainkit.finishing.plan import DeliveryPlan, FilePlan
from grainkit.io.pending import unfinished
from grainkit.job.settle import Settled
from grainkit.job.sidecar import sha256_files, sidecar_path, versions
from grainkit.recipe.presets import read_sidecar
from grainkit.recipe.recipe import to_mapping

#: No sequence has more files.
_MOST_FRAMES = 10_000_000


@dataclass(frozen=True)
class Identity:
    """What tells a job from every other. Lazy: it hashes the whole input.

    plan: as it was before it was adapted to anything that the inputs hold. inputs, matte, table: files that are read.
    options: words that decide the output beside the recipe. backend: the name of what computes it.
    """

    plan: DeliveryPlan
    inputs: tuple[Path, ...]
    matte: tuple[Path, ...]
    table: tuple[Path, ...]
    options: tuple[str, ...]
    backend: str

    @classmethod
    def of(cls, settled: Settled, backend: str) -> Identity:
        """The identity of a settled job on the backend of that name."""
        request, mattes = settled.request, settled.mattes
        table = request.recipe.grain_table
        return cls(
            settled.plan, settled.inputs, () if mattes is None else mattes.files,
            () if table is None else (Path(table),),
            (*settled.words, f"{request.recipe.adapt}", f"{request.write.pilot}"), backend,
        )  # fmt: skip

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of what is read: input, matte and table, where there are any."""
        files = {"input": self.inputs, "matte": self.matte, "table": self.table}
        return {role: sha256_files(paths) for role, paths in files.items() if paths}

    @property
    def job(self) -> str:
        """32 hex digits; see `job_of`."""
        return job_of(self.plan, self.digests, self.backend, self.options)


@dataclass(frozen=True)
class Done:
    """What the sidecar says of an output that is whole. frames: how many it has; sha256: its digest."""

    frames: int
    sha256: str
    backend: str
    digital_source_type: str
    light: str


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
) -> Done | None:
    """What the sidecar of an output says of it, where the output is whole and of this very job; else None.

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
        if made.get("sha256") == (digest := sha256_files(files)):
            words = (str(told.get(name, "")) for name in ("backend", "digital_source_type", "light"))
            return Done(count if isinstance(count, int) else len(files), digest, *words)
    return None


def _was_at_it(output: Path, job: str) -> bool:
    """Whether a run of this job was killed after it put the output in place and before the sidecar."""
    for left in unfinished(output.parent, sidecar_path(output)):
        told = read_sidecar(left) or {}
        if told.get("job") == job:
            return True
    return False
