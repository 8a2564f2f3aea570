"""Mutation testing of the effects' maths: one small change at a time, and do the tests notice?

    python -m benchmarks.mutants [MODULE ...] [--lines A:B] [--sample N] [--seed N] [--skip N] [--list]

Every operator, comparison, number and condition of noise, slots, grain's and highlights' parameters can be changed
(annotations and the declarations of parameters excepted: tests/presets.lock holds those); N of all the changes are
drawn by seed. Each runs in a fork of a process that has its libraries loaded, against the tests of the effects, up to
the first that fails. What survives them is put to the digests of tests/goldens.py as well.

Why not mutmut or cosmic-ray: mutmut puts a call that chooses the mutant into every function, which numba cannot
compile, and both would meet numba's cache, which looks at a file's date and not at what its functions were compiled
from. Here the changed module is compiled from its tree, and where the change reaches compiled code the cache is empty.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Module to the tests that speak of it, the quickest first.
MODULES = {
    "grainkit.picture.noise": ("noise", "pass", "cinema_grain"),
    "grainkit.backends.slots": ("pass", "highlight_guard", "cinema_grain"),
    "grainkit.effects.grain.parameters": ("cinema_grain", "film_formats", "pass", "grain_like"),
    "grainkit.effects.highlights.parameters": ("highlight_guard", "pass"),
}
_DIGESTS = ["tests/house/test_goldens.py", "-k", "any_machine"]
#: Functions whose results are frozen into compiled code.
FROZEN = ("pcg4d", "white", "fraction_bits", "gain_shift")
#: Seconds of wall time after which a mutant has hung.
LIMIT = 300
#: pytest's word that hypothesis was there before it.
_LOADED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
SWAPS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
OTHER_CALL = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}


@dataclass(frozen=True)
class Mutant:
    """One change: the number of a node in the module's tree, and which of its changes."""

    module: str
    node: int
    which: int
    line: int
    before: str
    after: str
    compiled: bool

    def __str__(self) -> str:
        return f"{self.module.removeprefix('grainkit.')}:{self.line}: {self.before}  ->  {self.after}"


def source_of(module: str) -> Path:
    return ROOT / (module.replace(".", "/") + ".py")


def mutable(tree: ast.Module) -> list[tuple[ast.AST, bool]]:
    """Nodes that may be changed, in a fixed order; and whether compiled code holds what they say."""
    found: list[tuple[ast.AST, bool]] = []

    def visit(node: ast.AST, compiled: bool) -> None:
        if isinstance(node, ast.FunctionDef):
            inner = node.name in FROZEN
            for part in [*node.body, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
                visit(part, inner)
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "param":
            return
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                visit(part, False)
            return
        found.append((node, compiled))
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns"):
                continue
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST):
                    visit(part, compiled)

    for node in tree.body:
        visit(node, True)
    return found


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """The node, changed in every way that it can be."""
    new: Any = copy.deepcopy(node)
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in SWAPS:
        new.op = SWAPS[type(node.op)]()
        yield new
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        new.ops[0] = SWAPS[type(node.ops[0])]()
        yield new
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.Constant) and type(node.value) is float:
        yield ast.Constant(node.value * 1.1 if node.value else 0.1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield new.operand
    elif isinstance(node, ast.If | ast.IfExp):
        new.test = ast.UnaryOp(ast.Not(), new.test)
        yield new
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in OTHER_CALL:
            new.func.id = OTHER_CALL[node.func.id]
            yield new
        elif isinstance(node.func, ast.Attribute) and node.func.attr in OTHER_CALL:
            new.func.attr = OTHER_CALL[node.func.attr]
            yield new


def mutants(module: str) -> Iterator[Mutant]:
    """Every change of a module."""
    tree = ast.parse(source_of(module).read_text(encoding="utf-8"))
    for number, (node, compiled) in enumerate(mutable(tree)):
        for which, new in enumerate(changes(node)):
            line = getattr(node, "lineno", 0)
            yield Mutant(module, number, which, line, _shown(node), _shown(new), compiled)


def _shown(node: ast.AST) -> str:
    text = ast.unparse(ast.fix_missing_locations(node)).splitlines()[0]
    return text if len(text) < 70 else f"{text[:67]}..."


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return ast.copy_location(self.new, node) if node is self.old else self.generic_visit(node)


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with a mutant in it."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.mutant.module:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=str(source_of(name)))

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        path = source_of(module.__name__)
        module.__file__ = str(path)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if self.mutant.node >= 0:
            old = mutable(tree)[self.mutant.node][0]
            new = list(changes(old))[self.mutant.which]
            tree = ast.fix_missing_locations(_Replace(old, new).visit(tree))
        exec(compile(tree, str(path), "exec"), module.__dict__)


def noticed(mutant: Mutant, tests: Sequence[str]) -> str:
    """How the tests end with this mutant: killed, hung or survived."""
    child = os.fork()
    if child == 0:
        _run(mutant, tests)
    ends = time.monotonic() + LIMIT
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if status == 0 else "killed"
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def _run(mutant: Mutant, tests: Sequence[str]) -> None:
    code = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        import numba
        import pytest

        with tempfile.TemporaryDirectory() as fresh:
            if mutant.compiled:
                numba.config.CACHE_DIR = fresh
                os.environ["NUMBA_CACHE_DIR"] = fresh
            sys.meta_path.insert(0, Changed(mutant))
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", _LOADED, *tests]))
    finally:
        os._exit(code)


def _load() -> None:
    """The libraries, so that forks have them; nothing of this package."""
    import hypothesis
    import numba  # noqa: F401
    import numpy  # noqa: F401
    import pytest  # noqa: F401

    hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    assert not [name for name in sys.modules if name.split(".")[0] == "grainkit"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", default=list(MODULES))
    parser.add_argument("--lines", default="1:1000000", metavar="A:B", help="changes of these lines only, B included")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="of each module; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--skip", type=int, default=0, metavar="N", help="so many of the sample: an earlier run did them"
    )
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.modules) - set(MODULES):
        parser.error(f"no module {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    first, last = map(int, arguments.lines.split(":"))
    os.chdir(ROOT)
    _load()
    print("| module | changes possible | run | killed | hung | seen by the digests alone | survived |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    left: list[str] = []
    for module in arguments.modules:
        every = [m for m in mutants(module) if first <= m.line <= last]
        if arguments.list:
            print(*every, sep="\n")
            continue
        drawn = every
        if arguments.sample:
            drawn = random.Random(arguments.seed).sample(every, min(arguments.sample, len(every)))[arguments.skip :]
        tests = [str(next((ROOT / "tests").rglob(f"test_{name}.py"))) for name in MODULES[module]]
        unchanged = Mutant(module, -1, 0, 0, "", "", compiled=any(m.compiled for m in drawn))
        if noticed(unchanged, tests) != "survived" or noticed(unchanged, _DIGESTS) != "survived":
            sys.exit(f"benchmarks.mutants: the tests of {module} fail without any change")
        ends: Counter[str] = Counter()
        for mutant in drawn:
            end = noticed(mutant, tests)
            if end == "survived" and noticed(mutant, _DIGESTS) != "survived":
                end = "digests"
            ends[end] += 1
            if end in ("survived", "digests"):
                left.append(f"{end}: {mutant}")
            print(f"{end}: {mutant}", file=sys.stderr, flush=True)
        counts = (ends[e] for e in ("killed", "hung", "digests", "survived"))
        print(f"| {module} | {len(every)} | {len(drawn)} | {' | '.join(map(str, counts))} |", flush=True)
    print(*left, sep="\n")


if __name__ == "__main__":
    main()
