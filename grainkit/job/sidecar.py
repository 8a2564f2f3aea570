"""OUTPUT.grainkit.txt: how an output was made, for a person to read and for grainkit to make again.

A report says only what the job decides: no times, no host, no folders. The same job gives the
same text. `load_recipe` reads the recipe back out of it.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import TypedDict, cast

import numpy as np

from grainkit import __version__
from grainkit.effects import EFFECTS
from grainkit.errors import InputError
from grainkit.io.pending import Pending, output_errors
from grainkit.recipe.presets import SIDECAR_SUFFIX
from grainkit.recipe.recipe import Recipe, fingerprint, to_mapping
from grainkit.recipe.yaml_text import FORMAT, yaml_text

#: Stands in a sidecar until the output is in place and its digest known.
NO_DIGEST = "0" * 64
#: How the first line of every sidecar begins; see `_summary`.
_BEGINS = b"# grainkit "
_NUMBER = re.compile(r"[._-]?%0?\d*d")
_LIBRARIES = {"numpy": "numpy", "numba": "numba", "av": "av", "opencv": "opencv-python-headless"}


def sidecar_path(output: Path) -> Path:
    """Where the sidecar of `output` goes: beside the file, the folder or the numbered pattern.

    `a/out.mp4` gives `a/out.mp4.grainkit.txt`, the folder `a/frames` gives `a/frames.grainkit.txt`,
    the pattern `a/f_%05d.png` gives `a/f.png.grainkit.txt`.
    """
    if output.name in ("", ".."):
        output = output.resolve()
    name = output.name
    if _NUMBER.search(name):
        name = _NUMBER.sub("", name).replace("%%", "%")
        name = f"frames{name}" if name.startswith(".") or not name else name
    return output.with_name(name + SIDECAR_SUFFIX)


def as_argument(name: str) -> str:
    """A file's name as a word of the command, which no option can be taken for; '-' alone is standard input."""
    return f"./{name}" if name.startswith("-") and name != "-" else name


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits. Raises InputError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def sha256_files(paths: Iterable[Path]) -> str:
    """One SHA-256 for all files of an input or output, 64 hex digits.

    A single file's own; of several, that of the text `sha256sum` prints for them in this order.
    """
    digests = [(sha256_file(path), path.name) for path in paths]
    if len(digests) == 1:
        return digests[0][0]
    listing = "".join(f"{digest}  {name}\n" for digest, name in digests)
    return hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide an output; '' for one that is not there."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name, package in _LIBRARIES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = ""
    return found


@dataclass(frozen=True)
class Touched:
    """What changed pixels.

    generated: effects that put in detail which was not there. idle: effects that changed no pixel. also: what changed
    pixels beside the effects, such as output_sharpening. upscaled: whether the picture was enlarged.
    """

    generated: Collection[str] = ()
    idle: Collection[str] = ()
    also: Collection[str] = ()
    upscaled: bool = False


@dataclass(frozen=True)
class Found:
    """What is known of the picture.

    digital_source_type: IPTC term of the output, '' where none is claimed.
    source_profile: where the picture was declared to come from, auto for nowhere.
    light, focal_length: estimates in words, '' where there are none. measured: figures by name.
    """

    digital_source_type: str = ""
    source_profile: str = "auto"
    light: str = ""
    focal_length: str = ""
    measured: Mapping[str, object] = field(default_factory=dict)


class ToldTouched(TypedDict):
    """`Touched` as a sidecar has it, the retouching effects among them."""

    generated: list[str]
    retouched: list[str]
    upscaled: bool
    idle: list[str]


class JobReport(TypedDict):
    """All that a sidecar says, as plain values in its order; see `job_report`."""

    grainkit: int
    made_by: str
    backend: str
    seed: int
    source_profile: str
    options: list[str]
    input: dict[str, object]
    output: dict[str, object]
    applied: dict[str, dict[str, object]]
    light: str
    focal_length: str
    touched: ToldTouched
    notes: list[str]
    digital_source_type: str
    measured: dict[str, object]
    versions: dict[str, str]
    fingerprint: str
    job: str
    recipe: Mapping[str, object]


def job_report(
    recipe: Recipe, *, kind: str, backend: str, input: Mapping[str, object], output: Mapping[str, object],
    notes: Iterable[str] = (), options: Iterable[str] = (), job: str = "", touched: Touched | None = None,
    found: Found | None = None,
) -> JobReport:  # fmt: skip
    """All that a sidecar says, as plain values in its order.

    recipe: as it was given, seed included. kind: still or clip, which parameters were applied.
    backend: what computed it, such as `cpu`.
    input: name, sha256, size (width, height), kind, frames, and of a still its pixels' digest. output: name, sha256,
        frames, size, pixel_format. Of a name that is a path the last part is kept. '-' is standard input or output.
    notes: what was assumed or done on the way, a sentence each.
    options: words of the command beside the recipe that decide the output, such as --frames 10:20.
    job: by which another run knows that it would make the same; see `grainkit.job.resume`.
    """
    touched, found = touched or Touched(), found or Found()
    applied = {name: asdict(parameters) for name, parameters in recipe.for_kind(kind).effects.items()}
    made_up = [name for name in EFFECTS if name in touched.generated]
    on = [name for name, values in applied.items() if values.get("strength") != 0 and name not in made_up]
    unused = [name for name in on if name in touched.idle]
    retouched = [*(name for name in on if name not in unused), *touched.also]
    report: JobReport = {
        "grainkit": FORMAT,
        "made_by": f"grainkit {__version__}",
        "backend": backend,
        "seed": recipe.seed,
        "source_profile": found.source_profile,
        "options": list(options),
        "input": {**input, "name": _last_part(input.get("name", ""))},
        "output": {**output, "name": _last_part(output.get("name", ""))},
        "applied": applied,
        "light": found.light,
        "focal_length": found.focal_length,
        "touched": {"generated": made_up, "retouched": retouched, "upscaled": touched.upscaled, "idle": unused},
        "notes": list(notes),
        "digital_source_type": found.digital_source_type,
        "measured": dict(found.measured),
        "versions": versions(),
        "fingerprint": fingerprint(recipe),
        "job": job,
        "recipe": to_mapping(recipe),
    }
    return cast(JobReport, _plain(report))


def with_digest(report: JobReport, sha256: str) -> JobReport:
    """The report with the output's digest in it, once that is known."""
    return {**report, "output": {**report["output"], "sha256": sha256}}


def is_sidecar(path: Path) -> bool:
    """Whether a file begins as `sidecar_text` does; what cannot be read does not."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINS)) == _BEGINS
    except OSError:
        return False


def sidecar_text(report: JobReport) -> str:
    """A `job_report` as a sidecar's text: a few comment lines, then YAML."""
    comments = "".join(f"# {_one_line(line)}\n" for line in _summary(report))
    return comments + "\n" + yaml_text(report)


def write_sidecar(path: Path, report: JobReport) -> None:
    """Write a `job_report` to `path`, whole or not at all; what was there is replaced.

    Raises OutputError where it cannot be written.
    """
    text = sidecar_text(report)
    pending = Pending(path)
    try:
        with output_errors(path):
            pending.path.write_bytes(text.encode("utf-8"))
        pending.commit()
    except BaseException:
        pending.abort()
        raise


def _summary(report: JobReport) -> list[str]:
    recipe, touched = report["recipe"], report["touched"]
    source, made = report["input"], report["output"]
    lines = [
        f"{report['made_by']} made {made['name']} from {source['name']} with the recipe {recipe['name']},"
        f" seed {report['seed']}."
    ]
    lines += [_effect_line(name, values, name in touched["idle"]) for name, values in report["applied"].items()]
    profile = report["source_profile"]
    lines.append(f"Source: {'not declared' if profile == 'auto' else f'declared as {profile}'}.")
    lines.append(f"Light: {report['light'] or 'not estimated'}.")
    lines.append(f"Focal length: {report['focal_length'] or 'not estimated'}.")
    lines.append(
        f"Generated: {_listed(touched['generated'])}. Retouched: {_listed(touched['retouched'])}."
        f" Upscaled: {'yes' if touched['upscaled'] else 'no'}."
    )
    lines.append(f"Digital source type: {report['digital_source_type'] or 'undeclared'}.")
    recipe_file = sidecar_path(Path(str(made["name"]))).name
    command = ["grainkit", "finish", as_argument(str(source["name"])), "--recipe", as_argument(recipe_file)]
    # Into a folder of its own: what it would be called beside its input is what was made before.
    command += [*report["options"], "-o", "again/"]
    lines.append("The next command runs in a folder that holds both the input and this file.")
    return [*lines, f"To make it again: {shlex.join(command)}"]


def _effect_line(name: str, values: Mapping[str, object], idle: bool) -> str:
    title = name.replace("_", " ").capitalize()
    if values.get("strength") == 0:
        return f"{title}: off."
    title += " (which changed no pixel)" if idle else ""
    declared = EFFECTS[name].declared()
    settings = (
        f"{key} {value}" + (f" {declared[key][1].unit}" if declared[key][1].unit else "")
        for key, value in values.items()
    )
    return f"{title}: {', '.join(settings)}."


def _listed(names: list[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names) or "nothing"


def _last_part(name: object) -> str:
    parts = [part for part in re.split(r"[\\/]+", str(name)) if part]
    return parts[-1] if parts else ""


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _plain(value: object) -> object:
    """`value` as what YAML holds; text that is not Unicode (a file name may not be) in escapes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, PurePath):
        return _plain(value.name)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)
