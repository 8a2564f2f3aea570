"""grainkit on one case, and what of it is not as it must be."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

import grainkit as gk
from benchmarks import _corpus_delivered as delivered
from benchmarks._corpus_case import Array, Case, Own, Picture, Refused, Right
from grainkit.errors import GrainkitError
from grainkit.hosts.cli import command as cli
from grainkit.io.base import SourceInfo
from grainkit.picture.frame import Frame

#: Effects off: pixels must come back as they are.
OFF = ("cinema_grain.strength=0", "highlight_guard.strength=0", "skin_texture.strength=0")
#: Frames that are read of a clip.
FRAMES = 64
#: Findings, the gravest first.
GRAVEST = ("crash", "hang", "memory", "wrong", "different", "silent", "noise")


@dataclass
class Finding:
    """what: one of GRAVEST. said: a sentence on it."""

    what: str
    said: str


@dataclass
class Seen:
    """What grainkit made of a file. refused: the error's words. said: all that reached standard error."""

    frames: list[Frame] = field(default_factory=list)
    info: SourceInfo | None = None
    refused: GrainkitError | None = None
    broke: str = ""
    said: str = ""


def judge(case: Case) -> tuple[str, list[Finding]]:
    """(right or refused, findings) of one case."""
    logging.getLogger("grainkit").addHandler(logging.NullHandler())
    before = _listing(case.folder)
    findings: list[Finding] = []
    was = os.getcwd()
    os.chdir(case.folder)
    try:
        seen = _read(case)
        findings += _judged_reading(case, seen)
        with tempfile.TemporaryDirectory() as room:
            status, said = _finished(case, seen, Path(room))
            notes = _notes(said) + (list(seen.info.notes) if seen.info else [])
            findings += _judged_words(case, seen, status, said)
            if status == 0:
                place = Path(room) if case.output else case.folder
                made = [place / name for name in sorted(_listing(place)) if case.output or name not in before]
                findings += _judged_delivery(case, seen, made, notes)
            else:
                left = _listing(Path(room)) if case.output else {}
                findings += [Finding("wrong", f"left {', '.join(left)} behind")] if left else []
    finally:
        os.chdir(was)
    after = _listing(case.folder)
    own = {name for name in after if name not in before and not case.output and status == 0}
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed := [name for name in changed if name not in own]:
        findings.append(Finding("wrong", f"changed its input's folder: {', '.join(changed)}"))
    for name in own:
        (case.folder / name).unlink()
    return ("refused" if status else "right"), _once(findings)


def judge_own(own: Own) -> tuple[str, list[Finding]]:
    """(read by whom else, or refused in which words; findings) of a file that nothing is known of.

    Samples that another reader has otherwise are a finding `different`: which of them is right, a person must see.
    """
    from benchmarks._corpus_own import compared

    case = Case("own", own.input, own.folder, own.input, Right((), or_refused=""))
    before, was = _listing(own.folder), os.getcwd()
    os.chdir(own.folder)
    try:
        seen = _read(case)
        with tempfile.TemporaryDirectory() as room:
            status, said = _finished(case, seen, Path(room))
            left = sorted(_listing(Path(room)))
    finally:
        os.chdir(was)
    findings = [Finding("crash", f"open_source: {' '.join(seen.broke.split())[-300:]}")] if seen.broke else []
    findings += _heard_well(seen, said)
    lines = said.splitlines()
    message = lines[-1].removeprefix("grainkit: ") if lines else ""
    if status and status != 2:
        findings.append(Finding("wrong", f"ended with {status}: {message[:200]}"))
    if status and left:
        findings.append(Finding("wrong", f"left {', '.join(left)} behind"))
    if (status != 0) != (seen.refused is not None) and not seen.broke:
        findings.append(Finding("wrong", f"read one way and refused the other: {message[:200]}"))
    if _listing(own.folder) != before:
        findings.append(Finding("wrong", "changed its input's folder"))
    if status or not seen.frames:
        return f"refused: {message}", _once(findings)
    reader, apart = compared(own.folder / own.input, _picture(seen.frames[0]))
    if apart:
        findings.append(
            Finding("different", f"{reader} has it otherwise: {apart}; notes: {'; '.join(seen.info.notes)}")
        )
    return f"read: as {reader} reads it" if reader != "nobody" else "read: no other reader", _once(findings)


def _heard_well(seen: Seen, said: str) -> Iterator[Finding]:
    if seen.said.strip():
        yield Finding("noise", f"open_source: {seen.said.splitlines()[0][:200]}")
    if "Traceback" in said:
        yield Finding("crash", f"the command: {' | '.join(said.splitlines()[-3:])[-300:]}")
    elif foreign := [line for line in said.splitlines() if not line.startswith("grainkit: ")]:
        yield Finding("noise", f"the command: {foreign[0][:200]}")


def _once(findings: Sequence[Finding]) -> list[Finding]:
    told = {(each.what, each.said): each for each in findings}
    return sorted(told.values(), key=lambda each: GRAVEST.index(each.what))


def _listing(folder: Path) -> dict[str, str]:
    found = {}
    for path in folder.rglob("*"):
        regular = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest() if regular else ""
    return found


@contextlib.contextmanager
def _heard() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Files in place of standard output and error, of C libraries too. Texts are written as in a UTF-8 console."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        os.dup2(out.fileno(), 1)
        os.dup2(said.fileno(), 2)
        try:
            with (
                open(1, "w", encoding="utf-8", closefd=False) as stdout,
                open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as stderr,
                contextlib.redirect_stdout(stdout),
                contextlib.redirect_stderr(stderr),
            ):
                yield out, said
        finally:
            for number, other in enumerate(kept, start=1):
                os.dup2(other, number)
                os.close(other)


def _told(stream: BinaryIO) -> bytes:
    sys.stdout.flush()
    sys.stderr.flush()
    stream.seek(0)
    return stream.read()


def _read(case: Case) -> Seen:
    """Through the interface for Python."""
    seen = Seen()
    with _heard() as (out, said):
        try:
            with contextlib.ExitStack() as stack:
                stdin = stack.enter_context(open(case.input, "rb")) if case.piped else None
                source = stack.enter_context(gk.open_source("-" if case.piped else case.input, stdin=stdin))
                for frame in source:
                    seen.frames.append(frame)
                    if len(seen.frames) >= FRAMES:
                        break
                seen.info = source.info
        except GrainkitError as error:
            seen.refused = error
        except Exception as error:
            seen.broke = "".join(traceback.format_exception(error)[-3:])
        seen.said = (_told(said) + _told(out)).decode("utf-8", "replace")
    return seen


def _finished(case: Case, seen: Seen, room: Path) -> tuple[int, str]:
    """(exit status, standard error) of `grainkit finish` on it, into `room`."""
    ending, words = _ending(case, seen)
    output = room / f"{case.output}{ending}"
    moving = seen.info is not None and seen.info.kind != "still"
    told = ["finish", "-" if case.piped else case.input, "--preset", case.preset, "--no-adapt"]
    if case.output:
        told += ["-o", "-" if case.output == "-" else str(output)]
    for setting in (*OFF, *words):
        told += ["--set", setting]
    told += [*case.words, *(["--frames", f":{FRAMES}"] if case.kind == "own" and moving else [])]
    stdin = sys.stdin
    kept = os.dup(0)
    with _heard() as (out, said):
        try:
            with open(case.input if case.piped else os.devnull, "rb") as file:
                os.dup2(file.fileno(), 0)
                status = cli.main(told)
        except SystemExit as ended:
            status = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
            status = -1
        finally:
            os.dup2(kept, 0)
            os.close(kept)
            sys.stdin = stdin
        text = _told(said).decode("utf-8", "replace")
        if case.output == "-" and status == 0:
            (room / "o.y4m").write_bytes(_told(out))
    return status, text


def _ending(case: Case, seen: Seen) -> tuple[str, list[str]]:
    """How the output ends, and settings that keep every bit, by what was read; nothing where the case says itself."""
    if case.preset != "video" or (case.output and (case.output == "-" or Path(case.output).suffix)):
        return "", [f"delivery.still.depth={_depth(seen)}"] if case.output.endswith(".png") else []
    if case.piped or (case.kind == "clip" if seen.info is None else seen.info.kind == "clip"):
        return ".nut", []
    depth = _depth(seen)
    if case.kind == "own" and seen.frames and seen.frames[0].color.is_hdr:
        depth = max(depth, 16)  # which is refused otherwise, as it should be
    return (".tif" if depth == 32 else ".png"), [
        f"delivery.still.container={'tiff' if depth == 32 else 'png'}", f"delivery.still.depth={depth}",
    ]  # fmt: skip


def _depth(seen: Seen) -> int:
    rgb = seen.frames[0].rgb if seen.frames else None
    return 8 if rgb is None else 8 * rgb.dtype.itemsize


# ------------------------------------------------------------------------------------------- judging


def _notes(said: str) -> list[str]:
    return [line for line in said.splitlines() if "note: " in line]


def _judged_reading(case: Case, seen: Seen) -> Iterator[Finding]:
    if seen.broke:
        yield Finding("crash", f"open_source: {' '.join(seen.broke.split())[-300:]}")
        return
    expects = case.expects
    if seen.refused is not None:
        yield from _judged_refusal(case, seen.refused)
    elif isinstance(expects, Refused):
        if not expects.delivery:
            yield Finding("wrong", f"read, where it must be refused ({expects.words})")
    else:
        yield from _judged_pixels(expects, seen)


def _judged_refusal(case: Case, error: GrainkitError) -> Iterator[Finding]:
    expects, words = case.expects, str(error)
    if isinstance(expects, Right):
        if not (expects.or_refused and re.search(expects.or_refused, words)):
            yield Finding("wrong", f"refused: {words[:200]}")
    elif expects.delivery:
        yield Finding("wrong", f"refused as it was read: {words[:200]}")
    elif not re.search(expects.words, words):
        yield Finding("wrong", f"refused in words without {expects.words!r}: {words[:200]}")
    if error.exit_status != 2:
        yield Finding("wrong", f"{type(error).__name__}, whose exit status is {error.exit_status}: {words[:200]}")
    if "\n" in words and "\n" not in case.input:
        yield Finding("wrong", f"refused in several lines: {words[:200]!r}")


def _judged_pixels(expects: Right, seen: Seen) -> Iterator[Finding]:
    found = [_picture(frame) for frame in seen.frames]
    if expects.pictures and len(found) != len(expects.pictures):
        yield Finding("wrong", f"{len(found)} pictures, not {len(expects.pictures)}")
        return
    for number, (wanted, got) in enumerate(zip(expects.pictures, found, strict=False)):
        if got.alpha is None and expects.alpha_excuse:
            wanted = replace(wanted, alpha=None)
        apart = difference(wanted, got, expects.near)
        if apart:
            where = f"picture {number}: " if len(found) > 1 else ""
            yield Finding("wrong", f"{where}{apart}")
            break
    for name, value in expects.meaning.items():
        got_value = getattr(seen.frames[0].color, name)
        got_value = getattr(got_value, "value", got_value)
        if got_value != value:
            yield Finding("wrong", f"{name} is {got_value}, not {value}")
    if expects.times:
        first = _seconds(seen.frames[0])
        times = [_seconds(frame) - first for frame in seen.frames]
        if any(abs(a - b) > Fraction(1, 900) for a, b in zip(times, expects.times, strict=True)):
            shown = ", ".join(f"{float(t):.3f}" for t in times[:8])
            yield Finding("wrong", f"shown at {shown}, not {', '.join(f'{float(t):.3f}' for t in expects.times[:8])}")


def _seconds(frame: Frame) -> Fraction:
    return Fraction(0) if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base


def _picture(frame: Frame) -> Picture:
    return Picture(tuple(frame.planes) if frame.rgb is None else (frame.rgb,), frame.alpha)


def difference(wanted: Picture, got: Picture, near: float = 0.0) -> str:
    """What is not the same, in words; '' where all is. Grey may come as R'G'B' of equal channels."""
    planes, other = wanted.planes, got.planes
    if len(planes) == len(other) == 1 and planes[0].ndim == 2 and other[0].ndim == 3:
        planes = (np.repeat(planes[0][..., None], 3, axis=2),)
    if len(planes) != len(other):
        return f"{len(other)} planes, not {len(planes)}"
    for number, (a, b) in enumerate(zip(planes, other, strict=True)):
        if apart := _apart(a, b, near):
            return apart if len(planes) == 1 else f"plane {number}: {apart}"
    if (wanted.alpha is None) != (got.alpha is None):
        opaque = wanted.alpha if got.alpha is None else got.alpha
        if opaque is not None and (opaque == _white(opaque)).all():
            return ""
        return "alpha is missing" if got.alpha is None else "alpha, where there is none"
    if wanted.alpha is not None and got.alpha is not None and (apart := _apart(wanted.alpha, got.alpha, near)):
        return f"alpha: {apart}"
    return ""


def _white(samples: Array) -> float:
    return 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)


def _apart(wanted: Array, got: Array, near: float) -> str:
    if wanted.shape != got.shape:
        return f"{' x '.join(map(str, got.shape))} samples, not {' x '.join(map(str, wanted.shape))}"
    if wanted.dtype != got.dtype:
        return f"{got.dtype} samples, not {wanted.dtype}"
    same = (wanted == got) | ((wanted != wanted) & (got != got))
    if same.all():
        return ""
    with np.errstate(invalid="ignore"):
        off = np.where(same, 0.0, np.abs(wanted.astype(np.float64) - got.astype(np.float64)))
    if near and off.mean() <= near and off.max() <= 12 * near:
        return ""
    return f"{off.mean():.2f} codes off on average, {off.max():.2f} at most"


def _judged_words(case: Case, seen: Seen, status: int, said: str) -> Iterator[Finding]:
    """What was said on standard error, and how the command ended."""
    yield from _heard_well(seen, said)
    if "Traceback" in said:
        return
    lines, expects = said.splitlines(), case.expects
    if status == 0:
        if isinstance(expects, Refused) and (expects.delivery or seen.refused is not None):
            yield Finding("wrong", f"done, where it must be refused ({expects.words})")
        return
    message = lines[-1].removeprefix("grainkit: ") if lines else ""
    if status != 2:
        yield Finding("wrong", f"ended with {status}: {message[:200]}")
    if isinstance(expects, Right):
        allowed = expects.or_refused and re.search(expects.or_refused, message)
        if seen.refused is None and not allowed:
            yield Finding("wrong", f"not delivered: {message[:200]}")
    elif not re.search(expects.words, message):
        yield Finding("wrong", f"refused in words without {expects.words!r}: {message[:200]}")
    # A long name may be cut, and of a sequence the one file is named that is at fault.
    name = "".join(c if c.isprintable() else "?" for c in Path(case.input).name)[:40]
    if not case.piped and case.kind != "sequence" and name not in message:
        yield Finding("wrong", f"the line does not name {name}: {message[:200]}")


def _judged_delivery(case: Case, seen: Seen, made: Sequence[Path], notes: list[str]) -> Iterator[Finding]:
    """The files that were made, and what was said of what is missing in them."""
    sidecars = [p for p in made if p.name.endswith(".grainkit.txt")]
    files = [p for p in made if p not in sidecars]
    if case.output != "-" and len(sidecars) != 1:
        yield Finding("wrong", f"{len(sidecars)} sidecars for one output")
    if strange := [p.name for p in files if "grainkit-part" in p.name]:
        yield Finding("wrong", f"left {', '.join(strange)} behind")
    expects = case.expects
    if isinstance(expects, Refused) or seen.refused is not None or seen.broke:
        return
    joined = "\n".join(notes)
    for pattern in expects.notes:
        if not re.search(pattern, joined):
            yield Finding("silent", f"no note that says {pattern!r}")
    if expects.alpha_excuse and seen.frames[0].alpha is None and not re.search(expects.alpha_excuse, joined):
        yield Finding("silent", "alpha is left behind, and no note says so")
    if not files:
        yield Finding("wrong", "nothing was delivered")
        return
    for each in expects.carries:
        if not delivered.carries(files[0], each.what, each.value) and not re.search(each.excuse, joined):
            yield Finding("silent", f"{each.what} is not in {files[0].suffix}, and no note says so")
    if not expects.exact:
        return
    got = [picture for file in files for picture in delivered.pictures(file)]
    if len(got) != len(seen.frames):
        yield Finding("wrong", f"{len(got)} pictures delivered of {len(seen.frames)}")
    for number, (frame, back) in enumerate(zip(seen.frames, got, strict=False)):
        # EXR holds colours multiplied by alpha, and what is divided and multiplied again is off in its last bits.
        near = 1e-5 if files[0].suffix == ".exr" and frame.alpha is not None else 0.0
        if apart := difference(_picture(frame), back, near):
            where = f"picture {number}: " if len(got) > 1 else ""
            yield Finding("wrong", f"{where}delivered otherwise than read: {apart}")
            break


def emptied(folder: Path) -> None:
    """Remove a case's folder, whatever its names are."""
    shutil.rmtree(folder, ignore_errors=True)
