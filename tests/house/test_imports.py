"""Who may import whom: data goes down the page, never up."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.drawn import still

PACKAGE = Path(__file__).resolve().parents[2] / "grainkit"

#: Room (a folder of the package, or a file at its top) to the rooms that it may import, bottom up.
MAY_IMPORT: dict[str, list[str]] = {
    "errors": [],
    "params": ["errors"],
    "unforeseen": ["errors"],
    "arguments": ["errors", "params"],
    "machine": [],
    "scale": ["machine"],
    "picture": ["errors", "machine"],
    "analysis": ["errors", "machine", "picture"],
    "io": ["arguments", "errors", "machine", "params", "picture", "unforeseen"],
    "backends": ["errors", "machine", "params", "picture", "scale"],
    "effects": ["analysis", "backends", "errors", "machine", "params", "picture"],
    "recipe": ["effects", "errors", "io", "params"],
    "codec": ["analysis", "effects", "errors", "io", "machine", "picture", "recipe", "scale"],
    "finishing": ["analysis", "arguments", "backends", "effects", "errors", "io", "params", "picture", "recipe"],
    "adapt": ["analysis", "backends", "codec", "effects", "errors", "finishing", "io", "params", "picture", "recipe"],
    "job": ["*"],
    "report": ["*"],
    "hosts": ["*"],
    "__main__": ["hosts"],
    "": ["*"],
}
#: What nothing below may import, whatever its row says.
NOT_IN: dict[str, list[str]] = {"job": ["report", "hosts"], "report": ["hosts"]}
#: Library to the modules (patterns) that may import it.
ONLY_IN: dict[str, list[str]] = {
    "av": [
        "io.clip_*",
        "io.ffmpeg",
        "io.container_tags",
        "io.cuda_decode",
        "io.field_order",
        "io.vpx_alpha",
        "codec.encoder",
    ],
    "cupy": ["backends.cuda_card"],
    "yaml": ["recipe.yaml_text"],
    "cv2": ["io.*", "analysis.*", "effects.*", "codec.*", "adapt.*"],
    "PIL": ["io.*", "codec.jpeg"],
    "tifffile": ["io.*"],
    "OpenEXR": ["io.*"],
    "numba": ["machine.*", "hosts.cli.startup"],
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of everything a module imports, at its top or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "grainkit")


def breaches(name: str, source: str) -> list[str]:
    """What a module of that name may not import but does, a sentence each."""
    room = name.partition(".")[0]
    place = f"{name.replace('.', '/') or '__init__'}.py"
    if room not in MAY_IMPORT:
        return [f"{place} stands in no row of the import table"]
    allowed, refused = MAY_IMPORT[room], NOT_IN.get(room, [])
    found = []
    for target in imported(ast.parse(source)):
        root, _, rest = target.partition(".")
        if not root:
            found.append(f"{place} imports relatively ({target}); write the whole name, so that the table can be held")
            continue
        other = rest.partition(".")[0]
        if root == "grainkit" and other not in ("", room) and (other in refused or not {other, "*"} & set(allowed)):
            found.append(f"{place} imports grainkit.{rest}; it may import {', '.join(allowed) or 'nothing of ours'}")
        if root in ONLY_IN and not any(fnmatch(name, pattern) for pattern in ONLY_IN[root]):
            found.append(f"{place} imports {root}; only {', '.join(ONLY_IN[root])} may")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_keeps_to_the_table(path):
    assert breaches(module_name(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("effects.base", "import cupy", "effects/base.py imports cupy; only backends.cuda_card may"),
        ("io.stills", "def f():\n    from grainkit.effects import EFFECTS", "io/stills.py imports grainkit.effects"),
        ("picture.color", "from grainkit import job", "picture/color.py imports grainkit.job; it may import errors"),
        ("job.sidecar", "from grainkit.hosts import cli", "job/sidecar.py imports grainkit.hosts"),
        ("io.stills", "from ..effects import EFFECTS", "io/stills.py imports relatively (..effects)"),
        ("brand_new", "import os", "stands in no row"),
    ],
)
def test_a_breach_is_found_and_said(name, line, said):
    assert any(said in breach for breach in breaches(name, line))


def test_the_command_starts_without_loading_the_heavy_libraries():
    code = (
        "import sys, grainkit.hosts.cli.command, grainkit.hosts.cli.parser; grainkit.hosts.cli.parser.parser()\n"
        "print([m for m in ('av', 'cv2', 'numba', 'numpy', 'cupy', 'yaml', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_command_leaves_out_what_no_kernel_needs(tmp_path):
    code = (
        "import sys; from grainkit.hosts.cli.command import command\n"
        "print(command(), [name for name in ('scipy', 'coverage', 'grainkit.adapt.trial') if sys.modules.get(name)])"
    )
    still(tmp_path / "a.png")
    told = [sys.executable, "-c", code, "finish", str(tmp_path / "a.png"), "--no-adapt", "--quiet"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(told, capture_output=True, text=True, check=True, env=clean)
    assert done.stdout.strip() == "0 []"


def test_what_finishes_stills_does_not_load_ffmpeg():
    code = "import sys, grainkit.job.finish, grainkit.effects.skin_texture.stage; print('av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
