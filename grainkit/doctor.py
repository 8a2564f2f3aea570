"""What works on this machine, and the remedy for what does not."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from itertools import chain
from typing import Any

from grainkit import sidecar
from grainkit.backends import open_backend
from grainkit.errors import BackendUnavailable
from grainkit.preset_age import outdated


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what it is, whether it works, what was found, how to mend it ('' if it works)."""

    what: str
    works: bool
    detail: str
    remedy: str = ""

    def as_mapping(self) -> dict[str, Any]:
        return asdict(self)


def examine(today: date | None = None) -> list[Finding]:
    """Look at versions, backends, encoders, room for temporary files and the age of what presets state.

    today: the day that is counted from, this one where None.
    """
    from grainkit.io.video import library_versions, probe_encoders

    findings = [Finding("versions", True, ", ".join(f"{k} {v}" for k, v in sidecar.versions().items()))]
    for name in ("cpu", "cuda"):
        try:
            backend = open_backend(name)
            findings.append(Finding(f"backend {name}", True, backend.describe()))
            backend.close()
        except BackendUnavailable as error:
            findings.append(Finding(f"backend {name}", False, "not available", str(error)))
    findings.append(Finding("ffmpeg", True, ", ".join(f"{k} {v}" for k, v in library_versions().items())))
    for encoder, there in probe_encoders().items():
        remedy = "" if there else f"this build of PyAV has no {encoder}; install the `av` wheel from the package index"
        findings.append(Finding(f"encoder {encoder}", there, "present" if there else "missing", remedy))
    free = shutil.disk_usage(os.getcwd()).free / 2**30
    writable = os.access(os.getcwd(), os.W_OK)
    remedy = "" if writable else "outputs are written beside their inputs; choose a folder you may write to with -o"
    findings.append(Finding("this folder", writable, f"{free:.1f} GiB free", remedy))
    findings.append(Finding("temporary folder", True, tempfile.gettempdir()))
    findings.append(_facts(date.today() if today is None else today))
    return findings


def _facts(today: date) -> Finding:
    """Platforms change what they take: facts that nobody looked at for a year are named."""
    old = outdated(today)
    if not old:
        return Finding("presets", True, "their facts were checked within a year")
    named = ", ".join(f"{name} ({day})" for name, day in old.items())
    remedy = "install a newer grainkit; `grainkit presets NAME` names the sources to compare with"
    return Finding("presets", False, f"facts checked more than a year ago: {named}", remedy)


def selfcheck() -> list[Finding]:
    """Run every kernel of the CUDA backend and compare with the CPU's, bit for bit. Nothing where CUDA cannot run."""
    from grainkit.selfcheck import CASES, compare, compare_resizing

    try:
        backend = open_backend("cuda")
    except BackendUnavailable as error:
        return [Finding("selfcheck", False, "there is no CUDA backend to check here", str(error))]
    reference = open_backend("cpu")
    findings = []
    try:
        for outcome in chain(compare(backend, reference, CASES), compare_resizing(backend, reference)):
            same = outcome.differing == 0
            detail = (
                f"{outcome.samples} samples, the CPU's bits"
                if same
                else (f"{outcome.differing} of {outcome.samples} samples differ, by up to {outcome.largest:g} codes")
            )
            remedy = "" if same else f"report it with this line and: {backend.describe()}; until then --backend cpu"
            findings.append(Finding(f"selfcheck {outcome}", same, detail, remedy))
    finally:
        backend.close()
        reference.close()
    return findings
