"""Where an output goes: the file, pattern or folder that the user names, and names made from the input's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grainkit.errors import OutputError
from grainkit.io.base import SourceInfo
from grainkit.io.names import names_folder
from grainkit.io.pending import output_errors
from grainkit.io.still_formats import still_endings
from grainkit.recipe.recipe import Recipe

#: What an output's ending says of a clip's container; of stills, their formats say.
CLIP_ENDINGS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "webm", ".nut": "nut"}


@dataclass(frozen=True)
class Place:
    """Where the user wants the output: a file (or pattern), a folder, or neither."""

    file: Path | None = None
    folder: Path | None = None

    @staticmethod
    def of(output: str | Path | None) -> Place:
        """Tell a file from a folder: a name that ends in '/', or that is a folder on the disk, is a folder's.

        Raises OutputError where the disk does not say.
        """
        if output is None:
            return Place()
        path = Path(output)
        with output_errors(path):
            is_folder = names_folder(str(output)) or path.is_dir()
        return Place(folder=path) if is_folder else Place(file=path)

    @property
    def new_folder(self) -> Path | None:
        """The folder that is asked for and has to be made, None where there is nothing to make."""
        return None if self.folder is None or self.folder.exists() else self.folder

    def named(self, info: SourceInfo, recipe: Recipe, ending: str) -> Path:
        """Return the file asked for, or NAME.PRESET.EXT in the folder asked for or beside the input.

        Raises OutputError where no place is asked for and the input is no file.
        """
        if self.file is not None:
            return self.file
        name = f"{_stem(info)}.{recipe.name.replace('/', '-')}{ending}"
        return (self.folder or _beside(info)) / name

    def numbered(self, info: SourceInfo, recipe: Recipe, ending: str) -> Path:
        """Return the pattern asked for, or NAME_%06d.EXT in the folder asked for or in NAME.PRESET beside the input.

        Frames of a sequence keep their names, and as many digits: others look for them by these.
        """
        if self.file is not None:
            return self.file
        folder = self.folder or self.named(info, recipe, "")
        name = info.frame_name or f"{_stem(info).replace('%', '%%')}_%06d"
        return folder / f"{name}{ending}"


def asked_container(output: Path | None, *, is_still: bool) -> str | None:
    """Return the container that the output's ending names; None where no file is asked for.

    is_still: whether the source is a still. Raises OutputError for an ending that is not written, or not for such a
    source.
    """
    if output is None:
        return None
    ending = output.suffix.lower()
    stills = still_endings()
    known = {**stills, **CLIP_ENDINGS}
    if not ending:
        example = f"{output.name}{'.png' if is_still else '.mp4'}"
        raise OutputError(
            f"cannot write {output}: its name has no ending; write {example}, or {output.name}/ for a folder"
        )
    if ending not in known:
        # Endings are too short for a likeness: .gif is not .tif. Letters that changed places are.
        near = next((f"; did you mean {each}?" for each in known if sorted(each) == sorted(ending)), "")
        raise OutputError(
            f"cannot write {output}: '{ending}' is not a format grainkit writes{near} (it writes {', '.join(known)})"
        )
    if is_still and ending in CLIP_ENDINGS:
        raise OutputError(f"cannot write {output}: a still does not become a clip; use one of {', '.join(stills)}")
    if ending in stills:
        _refuse_count(output, ending, is_still=is_still)
    return known[ending]


def _refuse_count(output: Path, ending: str, *, is_still: bool) -> None:
    """Raise OutputError for a pattern where one file is written, and for one name where many files are."""
    from grainkit.io.sequence import parse_pattern

    is_pattern = parse_pattern(output) is not None
    if is_still and is_pattern:
        raise OutputError(
            f"cannot write {output}: a still is one file, and the name is a pattern for many; leave the % out"
        )
    if not is_still and not is_pattern:
        raise OutputError(
            f"cannot write {output}: a clip becomes numbered stills; give a pattern such as {output.stem}_%05d{ending}"
        )


def _stem(info: SourceInfo) -> str:
    """Return the input's name without its ending (or its number, for a pattern)."""
    if info.path is None:
        return "frame"
    path = info.path.absolute()
    if info.kind == "sequence" and not path.is_dir():
        return path.stem.split("%")[0].rstrip("._- ") or path.parent.name
    return (path.name if path.is_dir() else path.stem) or "frame"


def _beside(info: SourceInfo) -> Path:
    """Return the input's folder. Raises OutputError where it has none."""
    if info.path is None:
        raise OutputError("standard input has no folder to write beside; name the output with -o")
    return info.path.absolute().parent if info.path.name in ("", "..") else info.path.parent
