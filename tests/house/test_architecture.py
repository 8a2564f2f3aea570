"""What the documents say of the repository is so: its files, names and rooms exist, and the figure draws the table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import grainkit as gk
from tests.house.test_imports import MAY_IMPORT, NOT_IN

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "grainkit"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DOCUMENTS = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "kernels" / "README.md",
]  # fmt: skip

#: First folders of a path in the repository; a path may also begin below `grainkit/`, with a room.
TOP = {"grainkit", "tests", "docs", "scripts", "kernels", "benchmarks", "samples", ".ci"}
ROOMS = {name for name in MAY_IMPORT if (PACKAGE / name).is_dir() and name}
#: Files of the repository, and perhaps `:NAME` of what is defined in one. A bare name is a file in any folder.
FILE = re.compile(r"(?<![\w/.*-])((?:[\w.*-]+/)+[\w.*-]*|[\w*-]+\.(?:py|cu|cuh|lock)\b)(?::([A-Za-z_][\w.]*))?")
MODULE = re.compile(r"(?<![\w./])(grainkit|benchmarks|tests|samples)((?:\.\w+)+)")
LINK = re.compile(r"\]\(([^)#]+)")
#: Endings of what is ours wherever it is named; paths with other endings may be the user's.
OURS = (".py", ".cu", ".cuh", ".lock")


def is_defined(path: Path, name: str) -> bool:
    """Whether the module defines `name`, which may be one of a class's, such as `Read.source`."""
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        found = next((each for each in body if part in names_of(each)), None)
        if found is None:
            return False
        body = found.body if isinstance(found, ast.ClassDef) else []
    return True


def names_of(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def places(path: str) -> list[Path]:
    """The files or folders that a document means by this; none where there are none."""
    if "/" not in path:
        return [each for top in sorted(TOP) for each in (ROOT / top).rglob(path)]
    return [*ROOT.glob(path.rstrip("/")), *PACKAGE.glob(path.rstrip("/"))]


def is_module(dotted: str) -> bool:
    """Whether there is a module of that name, or one that defines the last part of it."""
    whole, (above, _, name) = ROOT / dotted.replace(".", "/"), dotted.rpartition(".")
    if whole.is_dir() or whole.with_suffix(".py").is_file():
        return True
    folder = ROOT / above.replace(".", "/")
    module = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return module.is_file() and is_defined(module, name)


def mistakes(text: str, folder: Path) -> Iterator[str]:
    """What a document in this folder names and the repository does not have."""
    for path, name in FILE.findall(text):
        # A full stop behind a path ends a sentence.
        path = path if path.endswith("/") else path.rstrip(".")
        if path.partition("/")[0] in TOP | ROOMS or path.endswith(OURS):
            found = places(path)
            if not found:
                yield f"no {path}"
            elif name and not is_defined(found[0], name.rstrip(".")):
                yield f"no {name} in {path}"
    yield from (f"no module {top}{rest}" for top, rest in MODULE.findall(text) if not is_module(top + rest))
    yield from (f"no gk.{name}" for name in re.findall(r"\bgk\.(\w+)", text) if name not in gk.__all__)
    links = (link for link in LINK.findall(text) if not re.match(r"\w+:", link))
    yield from (f"no {link} to link to" for link in links if not (folder / link).exists())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(document):
    assert list(mistakes(document.read_text(encoding="utf-8"), document.parent)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("`grainkit/picture/gone.py` does it.", "no grainkit/picture/gone.py"),
        ("`av1/stream.py` does it.", "no av1/stream.py"),
        ("Look into `kernels/gone*.cu` and `kernels/*.cu`.", "no kernels/gone*.cu"),
        ("`test_gone.py` holds it.", "no test_gone.py"),
        ("Run scripts/gone.", "no scripts/gone"),
        ("`io/reading.py:Read.sink` opens it, `io/reading.py:Read.source` too.", "no Read.sink in io/reading.py"),
        ("`python -m benchmarks.gone`", "no module benchmarks.gone"),
        ("`grainkit.effects.EFFECTS` and `grainkit.effects.GONE`", "no module grainkit.effects.GONE"),
        ("`gk.finish` and `gk.gone`", "no gk.gone"),
        ("[here](gone.md) or [there](https://example.org/gone.md)", "no gone.md to link to"),
    ],
)
def test_a_mistake_is_found_and_said(text, said):
    assert list(mistakes(text, ROOT)) == [said]


def may_import(room: str) -> set[str]:
    """The rooms that a room may import, written out: `*` is all that stand above it in the table."""
    row, above = MAY_IMPORT[room], list(MAY_IMPORT)[: list(MAY_IMPORT).index(room)]
    return set(above) - set(NOT_IN.get(room, [])) if "*" in row else set(row)


def drawn() -> dict[str, set[str]]:
    """The arrows of the figure: room to the rooms below it."""
    (figure,) = re.findall(r"```mermaid\n(.*?)```", ARCHITECTURE.read_text(encoding="utf-8"), re.DOTALL)
    rows = re.findall(r"^ +(\w+) --> (.+)$", figure, re.MULTILINE)
    return {room: set(below.split(" & ")) for room, below in rows}


def reached(room: str, arrows: dict[str, set[str]]) -> set[str]:
    below = arrows.get(room, set())
    return below.union(*(reached(each, arrows) for each in below))


def test_the_figure_draws_the_table_of_imports():
    arrows = drawn()
    assert set(arrows).union(*arrows.values()) == set(MAY_IMPORT) - {"__main__", ""}
    for room, below in arrows.items():
        assert below <= may_import(room), f"{room} may not import all that it points to"
        assert may_import(room) <= reached(room, arrows), f"{room} may import more than its arrows lead to"


def test_every_room_is_told_of_on_a_floor_above_all_that_it_may_import():
    rows = re.findall(
        r"^\| (\d+) \| `(\w+)(?:/|\.py)` \| \S.*\|$", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE
    )
    floors = {"" if room == "__init__" else room: int(floor) for floor, room in rows}
    assert len(floors) == len(rows)
    assert set(floors) == set(MAY_IMPORT)
    for room, floor in floors.items():
        assert all(floors[below] < floor for below in may_import(room)), f"{room} stands too low"
