"""The files that a job reads and makes: never one over the other, and all of them or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from grainkit.errors import OutputError, RecipeError
from grainkit.finishing.plan import DeliveryPlan, FilePlan, SequencePlan
from grainkit.io.mattes import known, matte_files
from grainkit.io.names import refuse_name
from grainkit.io.pending import output_errors, sweep
from grainkit.job.sidecar import is_sidecar, sidecar_path


def clear_up(plan: DeliveryPlan, spared: str = "") -> None:
    """Remove what killed runs left under construction where this plan writes. spared: what it goes on with itself."""
    if not isinstance(plan, FilePlan):
        return
    folder, fills_folder = plan.output.parent.absolute(), isinstance(plan, SequencePlan)
    sweep(folder, folder if fills_folder else plan.output, spared)
    if fills_folder or plan.new_folder is not None:
        # What is for a folder that is not there yet waits beside its place.
        sweep(folder.parent, folder, spared)


def refuse_clobber(plan: DeliveryPlan, inputs: Iterable[Path], overwrite: bool, *, mattes: Iterable[Path] = ()) -> None:
    """OutputError where the plan writes over an input, a matte, an output without leave, or into no folder."""
    if not isinstance(plan, FilePlan):
        return
    output = plan.output
    refuse_name(output)
    with output_errors(output):
        there = plan.present()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            sidecar_path(output).lstat()  # too long a name is better known before the work is done
    for what, kept in (("input", known(inputs)), ("matte", known(mattes))):
        for file in there:
            if known([file]) & kept:
                raise OutputError(
                    f"cannot write {file}: it is the {what}, which is never overwritten; choose another name with -o"
                )
    if there and not overwrite:
        raise OutputError(f"{there[0]} exists already; pass --overwrite to replace it, or choose another name with -o")
    folder = output.parent.absolute().parent if plan.lacks_folder else output.parent
    if not folder.is_dir():
        raise OutputError(
            f"cannot write {output}: the folder {folder} does not exist; create it or choose another with -o"
        )


def refuse_sidecar(plan: DeliveryPlan, inputs: Iterable[Path], overwrite: bool, *, mattes: Iterable[Path] = ()) -> None:
    """OutputError where the plan's sidecar would take the place of an input, a matte or a file not of ours."""
    if not isinstance(plan, FilePlan):
        return
    path = sidecar_path(plan.output)
    if not os.path.lexists(path):
        return
    for what, kept in (("input", known(inputs)), ("matte", known(mattes))):
        if known([path]) & kept:
            raise OutputError(
                f"cannot write {path}, the sidecar of {plan.output.name}: it is the {what}, which is never "
                "overwritten; choose another name with -o"
            )
    if not overwrite and not is_sidecar(path):
        raise OutputError(
            f"{path} exists already and is no sidecar of grainkit's, but {plan.output.name} would have its there; pass "
            "--overwrite to replace it, or choose another name with -o"
        )


def refuse_outputs(
    plans: Sequence[DeliveryPlan],
    inputs: Sequence[Path],
    matte: str | Path | None,
    overwrite: bool,
    *,
    resume: bool = False,
) -> None:
    """OutputError where what is to be made, the sidecar of the first plan too, may not take its place."""
    mattes = [] if matte is None else matte_files(matte)
    for each in plans:
        refuse_clobber(each, inputs, overwrite or resume, mattes=mattes)
    refuse_sidecar(plans[0], inputs, overwrite, mattes=mattes)


def refuse_table(
    path: str | Path | None, plans: Sequence[DeliveryPlan], inputs: Iterable[Path], overwrite: bool
) -> None:
    """Raise where a film grain table cannot be written there; None for where none is asked for."""
    if path is None:
        return
    if not plans[0].carries_grain:
        raise RecipeError("--grain-table-out writes grain that is carried as metadata; use --preset video/av1")
    path = Path(path)
    taken = [*inputs, *(each.output for each in plans if isinstance(each, FilePlan))]
    if path.resolve() in [one.resolve() for one in taken]:
        raise OutputError(f"the grain table cannot take the place of {path}; choose another name")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; pass --overwrite to replace it, or choose another name")


def refuse_meanwhile(plan: FilePlan, overwrite: bool) -> None:
    """OutputError where another run has put the plan's output in place since it was looked for."""
    there = [] if overwrite else plan.present()
    if there:
        raise OutputError(
            f"{there[0]} was made by something else meanwhile; pass --overwrite to replace it, or choose another name "
            "with -o"
        )


def identity_of(file: Path) -> tuple[int, int, int]:
    """What tells a file at its place from another one that is put there."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def new_folder(folder: Path | None) -> Iterator[None]:
    """Make a folder, and take it away again where what follows fails; None: nothing to do."""
    if folder is None:
        yield
        return
    with output_errors(folder):
        folder.mkdir(exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # not empty: others write there too
            folder.rmdir()
        raise


def take_back(files: Iterable[Path], folder: Path | None = None) -> None:
    """Remove files that are in place, because what belongs with them cannot be; and the folder made for them."""
    with contextlib.suppress(OSError):
        for file in files:
            file.unlink(missing_ok=True)
        if folder is not None:
            folder.rmdir()
