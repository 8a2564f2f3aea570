"""What works on this machine, and the remedy for what does not."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, requires
from itertools import chain

from grainkit.backends import open_backend
from grainkit.errors import BackendUnavailable, GrainkitError, OutputError
from grainkit.job import sidecar
from grainkit.machine.jit import kept
from grainkit.recipe.preset_age import outdated
from grainkit.unforeseen import doing, what_failed


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what it is, whether it works, what was found, how to mend it ('' if it works).

    broken: it is here and does not do what it should; not so where it is just not here, as most machines have no CUDA.
    """

    what: str
    works: bool
    detail: str
    remedy: str = ""
    broken: bool = False

    def as_mapping(self) -> dict[str, object]:
        return asdict(self)


def examine(today: date | None = None) -> list[Finding]:
    """Look at versions, backends, encoders, room for temporary files and the age of what presets state.

    today: the day that is counted from, this one where None.
    """
    findings = [Finding("versions", True, ", ".join(f"{k} {v}" for k, v in sidecar.versions().items()))]
    for name in ("cpu", "cuda"):
        try:
            backend = open_backend(name)
            findings.append(Finding(f"backend {name}", True, backend.describe()))
            backend.close()
        except BackendUnavailable as error:
            findings.append(Finding(f"backend {name}", False, "not available", str(error)))
    temporary = _temporary_folder()
    if temporary.works:
        findings += _clips()
    free = shutil.disk_usage(os.getcwd()).free / 2**30
    writable = os.access(os.getcwd(), os.W_OK)
    remedy = "" if writable else "outputs are written beside their inputs; choose a folder you may write to with -o"
    findings.append(Finding("this folder", writable, f"{free:.1f} GiB free", remedy))
    findings.append(temporary)
    findings.append(_compiled_code())
    findings.append(_facts(date.today() if today is None else today))
    return findings


def _temporary_folder() -> Finding:
    try:
        return Finding("temporary folder", True, tempfile.gettempdir())
    except FileNotFoundError as error:
        remedy = "set TMPDIR to a folder you may write to; no clip was tried without one"
        return Finding("temporary folder", False, str(error.strerror or error), remedy, broken=True)


def _clips() -> list[Finding]:
    """FFmpeg, and each encoder of it: a tiny clip is encoded, opened and decoded again."""
    again = f"install PyAV again: pip install --force-reinstall '{_requirement('av')}'"
    try:
        with doing("loading PyAV"):
            from grainkit.io.ffmpeg import library_versions, probe_encoders
            from grainkit.report.clip_check import TRIALS, check_encoder

            findings = [Finding("ffmpeg", True, ", ".join(f"{k} {v}" for k, v in library_versions().items()))]
            present = probe_encoders()
    except Exception as error:
        return [Finding("ffmpeg", False, what_failed(error), again, broken=True)]
    for name, there in present.items():
        what = f"encoder {name}"
        if not there:
            remedy = f"this build of PyAV has no {name}; install the `av` wheel from the package index"
            findings.append(Finding(what, False, "missing", remedy))
            continue
        try:
            if name in TRIALS:
                check_encoder(name)
        except Exception as error:
            detail = str(error) if isinstance(error, GrainkitError) else what_failed(error)
            room = f"make room in {tempfile.gettempdir()}, or set TMPDIR to another folder"
            findings.append(
                Finding(what, False, detail, room if isinstance(error, OutputError) else again, broken=True)
            )
        else:
            findings.append(Finding(what, True, "encodes, and decodes again" if name in TRIALS else "present"))
    return findings


def _requirement(package: str) -> str:
    """A package with the versions that grainkit is made for."""
    try:
        needs = requires("grainkit") or []
    except PackageNotFoundError:
        needs = []
    return next((need for need in needs if re.match(rf"{re.escape(package)}\b(?!-)", need)), package)


def _compiled_code() -> Finding:
    place = kept()
    why = f", as {place.why}" if place.why else ""
    if place.folder is None:
        detail, remedy = f"kept nowhere{why}", "set NUMBA_CACHE_DIR to a folder that can be written"
    else:
        detail = f"kept in {place.folder}{why}"
        remedy = "set NUMBA_CACHE_DIR to a folder that lasts" if place.passing else ""
    return Finding("compiled code", not remedy, detail, remedy)


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
    from grainkit.report.selfcheck import CASES, compare, compare_resizing

    try:
        backend = open_backend("cuda")
    except BackendUnavailable as error:
        return [Finding("selfcheck", False, "there is no CUDA backend to check here", str(error), broken=True)]
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
            findings.append(Finding(f"selfcheck {outcome}", same, detail, remedy, broken=not same))
    finally:
        backend.close()
        reference.close()
    return findings
