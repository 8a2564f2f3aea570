"""Several inputs, or a folder of unrelated stills: one recipe, one seed, each done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grainkit.errors import OutputError


def expand_inputs(inputs: Sequence[str]) -> list[str]:
    """The inputs, with each folder of unrelated stills replaced by its stills, sorted by name."""
    found: list[str] = []
    for one in inputs:
        path = Path(one)
        if one != "-" and path.is_dir():
            from grainkit.io.sequence import classify_folder, series_files

            if classify_folder(path) == "series":
                found += [str(p) for p in series_files(path)]
                continue
        found.append(one)
    return found


def output_for(input: str, output: str | None, several: bool) -> str | None:
    """Where one input of a series goes: into the folder `output`, which is made where it does not exist.

    OutputError where several inputs would go into one file.
    """
    if output is None or not several:
        if output is not None and output.endswith("/"):
            _make_folder(Path(output))
        return output
    folder = Path(output)
    if output == "-" or (folder.suffix and not folder.is_dir() and not output.endswith("/")):
        raise OutputError(f"several inputs do not fit into {output}; name a folder, such as -o {folder.stem or 'finished'}/")
    _make_folder(folder)
    return output


def _make_folder(folder: Path) -> None:
    from grainkit.io.pending import output_errors

    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
