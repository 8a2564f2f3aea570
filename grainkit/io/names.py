"""Names that a file cannot have."""

from __future__ import annotations

import os
import re
from pathlib import Path

from grainkit.errors import OutputError
from grainkit.machine import system

#: What ends the name of a folder.
_SEPARATORS = ("/", os.sep)
#: What stands for devices on Windows, whatever ending follows, and characters that no name there may hold: "Naming
#: Files, Paths, and Namespaces" of Microsoft's documentation of Win32.
_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
_FORBIDDEN = '<>:"|?*'


def names_folder(text: str) -> bool:
    """Whether what the user wrote says that it is a folder: `out/`, and `out\\` on Windows."""
    return text.endswith(_SEPARATORS)


def folds_case(folder: Path) -> bool:
    """Whether names that differ by case alone are one file there, or in the folder where it will be made."""
    place = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.is_dir())
    for file in (*place.iterdir(), place):
        other = file.with_name(file.name.swapcase()) if file.name else file
        if other.name != file.name:
            return other.exists() and other.samefile(file)
    return False


def refuse_name(path: Path) -> None:
    """OutputError where Windows, on Windows, makes something else of an output's name than a file of that name.

    `clip:1.mp4` would become a stream of a file `clip`, `nul.png` nothing, `a.png.` the file `a.png`.
    """
    if not system.NAMES_LIKE_WINDOWS:
        return
    for part in path.parts[1 if path.anchor else 0 :]:
        if part in (".", ".."):
            continue
        found = [c for c in part if c in _FORBIDDEN or ord(c) < 32]
        if found:
            said = f"holds {found[0]!r}, which no name may"
        elif _DEVICES.match(part):
            said = "is the name of a device"
        elif part[-1] in ". ":
            said = f"ends in {'a dot' if part[-1] == '.' else 'a space'}, which Windows leaves out"
        else:
            continue
        raise OutputError(f"cannot write {path}: {part!r} {said}; choose another name with -o")
