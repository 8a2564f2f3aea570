"""How long a function or a file may be, how many parameters a function may take, and how often a type may be Any."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "grainkit"

LINES_OF_A_FILE = 600
LINES_OF_A_FUNCTION = 80
PARAMETERS = 10
ANYS = 300

#: Decorators of grainkit.machine.jit, by which kernels are told apart. What they compile takes plain arrays and numbers
#: one by one, and its loop has to be seen whole by LLVM: its lines and parameters are not counted. Kernels of CUDA are
#: not Python; they stand in kernels/.
COMPILERS = {"njit", "uncounted"}
#: The friendly face of a job: each of its options is a parameter, for people who write Python.
FRIENDLY = {"job/finish.py: finish"}


def is_kernel(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    calls = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return any(isinstance(name, ast.Name) and name.id in COMPILERS for name in calls)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many parameters a caller may give: `self` and `cls` are not counted, and neither are *rest and **rest."""
    told = function.args
    names = [a.arg for a in (*told.posonlyargs, *told.args, *told.kwonlyargs)]
    return len(names[1:] if names[:1] in (["self"], ["cls"]) else names)


def over(place: str, source: str) -> Iterator[tuple[str, str]]:
    """(Name, what is too much of it) of everything in a module that is over a limit; place: its path in the package."""
    lines = source.count("\n")
    if lines > LINES_OF_A_FILE:
        yield place, f"has {lines} lines; a file has {LINES_OF_A_FILE} at most"
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_kernel(node):
            continue
        name, long, takes = f"{place}: {node.name}", node.end_lineno - node.lineno + 1, parameters(node)
        if long > LINES_OF_A_FUNCTION and name not in FRIENDLY:
            yield name, f"has {long} lines; a function has {LINES_OF_A_FUNCTION} at most"
        if takes > PARAMETERS and name not in FRIENDLY:
            yield name, f"takes {takes} parameters; a function takes {PARAMETERS} at most"


MODULES = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def test_functions_and_files_keep_within_the_limits():
    assert [f"{name} {what}" for place, source in MODULES.items() for name, what in over(place, source)] == []


def test_few_types_are_any():
    words = {place: len(re.findall(r"\bAny\b", source)) for place, source in MODULES.items()}
    most = sorted(words.items(), key=lambda item: -item[1])[:5]
    assert sum(words.values()) < ANYS, f"most of them in {dict(most)}"


LONG = "\n".join(f"    x = {n}" for n in range(LINES_OF_A_FUNCTION))
MANY = ", ".join(f"p{n}" for n in range(PARAMETERS))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"def f():\n{LONG}\n", ["x.py: f"]),
        (f"class C:\n  def f(self):\n   def g():\n{LONG}\n", ["x.py: f", "x.py: g"]),
        (f"def f(*, {MANY}, more): ...\n", ["x.py: f"]),
        (f"def f(self, {MANY}, *rest, **more): ...\n", []),
        (f"@uncounted(inline='always')\ndef f({MANY}, more):\n{LONG}\n", []),
        (f"@njit\ndef f({MANY}, more):\n{LONG}\n", []),
        (f"@cache\ndef f({MANY}, more): ...\n", ["x.py: f"]),
        ("\n" * (LINES_OF_A_FILE + 1), ["x.py"]),
    ],
)
def test_what_is_over_a_limit_is_found(source, found):
    assert [name for name, _ in over("x.py", source)] == found
