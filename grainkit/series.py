"""Several inputs, or a folder of unrelated stills: one recipe, one seed, each done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from grainkit.cores import cores
from grainkit.errors import InputError, OutputError
from grainkit.io.names import folds_case, names_folder
from grainkit.io.pending import output_errors
from grainkit.mattes import known, matte_files
from grainkit.system import memory

#: Bytes of files from which a series is worth processes of its own, which take a second or two to begin.
WORTH_IT = 4 << 20
#: Memory that a still is counted with where nobody says how many are finished at once: 50 megapixels, for print.
MEMORY_EACH = 2 << 30


def expand_inputs(inputs: Sequence[str], matte: str | None = None) -> list[str]:
    """The inputs, with each folder of unrelated stills replaced by its stills, sorted by name.

    matte: as the user gave it. InputError where it lies among the stills of a folder, or where it is not a folder
    although there are several inputs.
    """
    found: list[str] = []
    mattes = set() if matte is None else known(matte_files(matte))
    for one in inputs:
        if one != "-" and os.path.isdir(one):
            from grainkit.io.sequence import classify_folder, series_files

            if classify_folder(one) == "series":
                stills = series_files(one)
                for still in stills:
                    if known([still]) & mattes:
                        raise InputError(
                            f"{one}: holds the matte {still.name} too; keep mattes in a folder of their own"
                        )
                found += [str(p) for p in stills]
                continue
        found.append(one)
    if matte is not None and len(found) > 1 and not os.path.isdir(matte):
        raise InputError(
            f"--matte {matte}: one matte does not fit {len(found)} inputs; give a folder with a matte for each, "
            "called like the input"
        )
    return found


def series_output(inputs: Sequence[str], output: str | None) -> str | None:
    """The folder that a series goes into, ending in '/', or None for beside each input.

    OutputError where several inputs would go into one file.
    """
    if output is None:
        folder = None
    elif output == "-" or (Path(output).suffix and not names_folder(output) and not Path(output).is_dir()):
        name = "finished" if output == "-" else Path(output).stem
        raise OutputError(f"{len(inputs)} inputs do not fit into {output}; name a folder, such as -o {name}/")
    else:
        folder = output if names_folder(output) else f"{output}/"
    _refuse_twins(inputs, folder)
    return folder


@contextmanager
def series_folder(folder: str | None) -> Iterator[None]:
    """The folder that a series goes into, made for as long as it takes, and kept if anything came into it."""
    place = None if folder is None else Path(folder)
    if place is None or place.exists() or not place.absolute().parent.is_dir():
        yield
        return
    with output_errors(place):
        place.mkdir(exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            place.rmdir()


def at_once(inputs: Sequence[str], asked: int | None, backend: str) -> int:
    """How many inputs of a series are finished side by side. asked: as the user said, None for what is best.

    Only stills are, on the CPU: a clip keeps all cores busy by itself, and a card is one for all.
    """
    from grainkit.io.formats import looks_like_still

    if not all(looks_like_still(Path(one)) for one in inputs):
        return 1
    if backend != "cpu" and (backend != "auto" or find_spec("cupy") is not None):
        return 1
    if asked is None:
        sizes = (os.stat(one).st_size for one in inputs if os.path.exists(one))
        asked = 1 if sum(sizes) < WORTH_IT else min(cores(), memory() // MEMORY_EACH)
    return max(1, min(asked, len(inputs)))


def _refuse_twins(inputs: Sequence[str], folder: str | None) -> None:
    """Outputs are named after inputs, less their ending; on many a disk, case does not tell them apart."""
    from grainkit.io.formats import looks_like_still

    first: dict[tuple[str, bool], tuple[str, int]] = {}
    for number, one in enumerate(inputs):
        path = Path(one)
        place = path.name if folder is not None else str(path)
        key = str(Path(place).with_suffix("")) if path.suffix else place
        written, other = first.setdefault((key.casefold(), looks_like_still(path)), (key, number))
        if other != number and (key == written or folds_case(Path(place).parent if folder is None else Path(folder))):
            raise OutputError(
                f"{inputs[other]} and {one} would become the same file; rename one, or finish it on its own"
            )
