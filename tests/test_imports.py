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
from drawn import still

PACKAGE = Path(__file__).resolve().parents[1] / "grainkit"

VALUES = ["errors", "params", "color", "frame", "noise", "convert", "grain_key", "transfer"]
#: Module (a pattern) to the grainkit modules (patterns) it may import.
MAY_IMPORT: dict[str, list[str]] = {
    "errors": [],
    "params": ["errors"],
    "color": [],
    "frame": ["color"],
    "transfer": ["color"],
    "background": ["color", "convert", "delivery", "frame", "resample", "transfer"],
    "system": [],
    "caches": ["system"],
    "compiled": ["caches"],
    "compiling": ["compiled"],
    "noise": ["compiled"],
    "grain_key": ["noise"],
    "convert": ["color", "compiled", "errors", "frame", "noise"],
    "targets": ["params"],
    "updated": ["errors", "params"],
    "suggest": [],
    "arguments": ["errors", "params", "suggest"],
    "arrays": [*VALUES],
    "delivery": ["params"],
    "effects*": [*VALUES, "effects*"],
    "av1*": [*VALUES, "av1*", "compiled", "effects*"],
    "texture.term": ["analysis.light"],
    "locked*": [
        *VALUES,
        "analysis*",
        "compiled",
        "effects.cinema_grain",
        "locked*",
        "texture.term",
    ],
    "texture*": [*VALUES, "analysis*", "caches", "compiled", "texture*", "effects.skin_texture", "uncounted"],
    "analysis*": [*VALUES, "analysis*", "compiled", "weigh"],
    "backends*": [
        *VALUES,
        "backends*",
        "caches",
        "cores",
        "effects*",
        "resample",
        "texture.term",
        "uncounted",
        "weigh",
    ],
    "io*": [*VALUES, "arguments", "compiled", "delivery", "io*", "system", "unforeseen"],
    "unforeseen": ["errors"],
    "catalogue": ["delivery", "effects", "params", "targets"],
    "explain": ["catalogue", "effects", "errors", "params", "recipe"],
    "recipe": ["catalogue", "delivery", "effects", "errors", "params", "targets", "updated"],
    "preset_age": ["recipe"],
    "source_profile": ["errors", "params", "recipe", "updated"],
    "sidecar": ["__version__", "effects", "errors", "io.pending", "params", "recipe"],
    "uncounted": ["compiled"],
    "weigh": ["compiled"],
    "resample": ["color", "convert", "errors", "frame", "weigh"],
    "frame_lengths": ["frame"],
    "fields": ["color", "errors", "io.base", "io.interlaced", "resample"],
    "fit": ["background", "delivery", "errors", "io.base", "resample"],
    "plan": [
        *VALUES,
        "background",
        "delivery",
        "effects.cinema_grain",
        "effects.film_formats",
        "fields",
        "fit",
        "io.*",
        "recipe",
        "resample",
    ],
    "carrier": [*VALUES, "av1*", "effects.cinema_grain", "plan"],
    "patches": ["effects.highlight_guard", "frame", "texture.term"],
    "late": ["effects*", "plan", "resample"],
    "touched": ["effects", "plan"],
    "output_sharpening": ["analysis*", "delivery", "frame", "resample", "texture*"],
    "measured_grain": ["color", "frame", "noise", "resample"],
    "grain_like": ["effects.cinema_grain", "errors", "io", "measured_grain"],
    "regrain": ["effects.cinema_grain", "effects.film_formats", "grain_like", "measured_grain", "plan"],
    "mattes": ["errors", "frame", "io*", "resample"],
    "outputs": ["errors", "io*", "mattes", "plan", "sidecar"],
    "codec.cambi": ["compiled", "cores"],
    "codec.predict": ["effects.cinema_grain", "noise"],
    "codec.jpeg": ["color", "frame"],
    "codec.encoder": ["color", "errors", "frame"],
    "codec.viewer": [*VALUES, "delivery", "fit", "io.base", "resample", "targets"],
    "codec.proxies": [*VALUES, "codec.*", "delivery", "targets"],
    "codec.regions": [*VALUES, "analysis*", "codec.predict", "codec.viewer", "resample"],
    "codec.samples": [*VALUES, "analysis.picture"],
    "codec.measures": ["analysis.picture", "codec.cambi", "codec.predict", "codec.regions", "codec.viewer", "frame"],
    "codec.patches": ["codec.*", "delivery", "frame", "targets"],
    "codec.shoulder": ["effects.highlight_guard"],
    "codec.trial": [
        *VALUES,
        "analysis.faces",
        "analysis.picture",
        "background",
        "backends.base",
        "codec.*",
        "effects*",
        "finisher",
        "late",
        "locked.stage",
        "plan",
        "resample",
        "targets",
        "texture.term",
    ],
    "codec.settings": ["codec.shoulder", "codec.trial", "effects*", "targets"],
    "codec.rounds": ["codec.*", "targets"],
    "codec.corrections": ["codec.*", "targets"],
    "codec.words": ["codec.rounds", "codec.settings", "targets"],
    "codec.adapt": ["codec.*", "recipe", "targets"],
    "codec*": [
        "backends.base",
        "codec.*",
        "effects.highlight_guard",
        "errors",
        "finisher",
        "frame",
        "io*",
        "mattes",
        "plan",
        "recipe",
        "targets",
    ],
    "overlap": ["errors", "frame"],
    "finisher": [
        *VALUES,
        "analysis*",
        "arguments",
        "arrays",
        "background",
        "backends*",
        "effects*",
        "io.*",
        "late",
        "locked*",
        "measured_grain",
        "output_sharpening",
        "patches",
        "plan",
        "recipe",
        "regrain",
        "resample",
        "source_profile",
        "texture*",
    ],
    "replay": ["effects.cinema_grain", "plan", "recipe", "source_profile"],
    "resume": ["errors", "io.pending", "plan", "recipe", "sidecar"],
    "pipeline": ["*"],
    "cores": ["system"],
    "series": ["cores", "errors", "io*", "mattes", "plan", "recipe", "series_or_sequence", "sidecar", "system"],
    "series_summary": [],
    "series_or_sequence": ["analysis.likeness", "errors", "io*", "recipe"],
    "interrupts": ["system"],
    "startup": ["errors", "params"],
    "side_by_side": ["interrupts", "system"],
    "warm_up": ["compiled", "compiling", "delivery", "errors", "frame", "io*", "pipeline", "texture.atlas"],
    "bench": [*VALUES, "delivery", "backends*", "effects*", "io*", "texture*"],
    "selfcheck": ["backends.base", "color", "effects*", "frame", "resample", "texture.term"],
    "clip_check": [*VALUES, "delivery", "io*", "unforeseen"],
    "doctor": [
        "analysis*",
        "backends*",
        "clip_check",
        "compiled",
        "errors",
        "io*",
        "preset_age",
        "selfcheck",
        "sidecar",
        "unforeseen",
    ],
    "cli": ["*"],
    "__main__": ["cli"],
    "": ["*"],
}
#: Library to the modules (patterns) that may import it.
ONLY_IN: dict[str, list[str]] = {
    "av": ["io.video", "io.container_tags", "io.cuda_decode", "io.field_order", "io.vpx_alpha", "codec.encoder"],
    "cupy": ["backends.cuda"],
    "yaml": ["recipe"],
    "cv2": ["io.*", "analysis.*", "texture.*", "locked.*", "codec.*", "output_sharpening"],
    "PIL": ["io.*", "codec.jpeg"],
    "tifffile": ["io.*"],
    "OpenEXR": ["io.*"],
    "numba": ["compiled", "compiling", "startup"],
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
    allowed = next((may for pattern, may in MAY_IMPORT.items() if fnmatch(name, pattern)), None)
    place = f"{name.replace('.', '/') or '__init__'}.py"
    if allowed is None:
        return [f"{place} stands in no row of the import table"]
    found = []
    for target in imported(ast.parse(source)):
        root, _, rest = target.partition(".")
        if not root:
            found.append(f"{place} imports relatively ({target}); write the whole name, so that the table can be held")
            continue
        if root == "grainkit" and rest and not any(fnmatch(rest, a) or fnmatch(rest, f"{a}.*") for a in allowed):
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
        ("effects.cinema_grain", "import cupy", "effects/cinema_grain.py imports cupy; only backends.cuda may"),
        ("io.stills", "def f():\n    from grainkit.effects import EFFECTS", "io/stills.py imports grainkit.effects"),
        ("color", "from grainkit import frame", "color.py imports grainkit.frame; it may import nothing of ours"),
        ("io.stills", "from ..effects import EFFECTS", "io/stills.py imports relatively (..effects)"),
        ("brand_new", "import os", "stands in no row"),
    ],
)
def test_a_breach_is_found_and_said(name, line, said):
    assert any(said in breach for breach in breaches(name, line))


def test_the_command_starts_without_loading_the_heavy_libraries():
    code = (
        "import sys, grainkit, grainkit.cli; grainkit.cli._parser()\n"
        "print([m for m in ('av', 'cv2', 'numba', 'numpy', 'cupy', 'yaml', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_leaves_out_what_no_kernel_needs(tmp_path):
    code = (
        "import sys; from grainkit.cli import command\n"
        "print(command(), [name for name in ('scipy', 'coverage', 'grainkit.codec.trial') if sys.modules.get(name)])"
    )
    still(tmp_path / "a.png")
    told = [sys.executable, "-c", code, "finish", str(tmp_path / "a.png"), "--no-adapt", "--quiet"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(told, capture_output=True, text=True, check=True, env=clean)
    assert done.stdout.strip() == "0 []"


def test_what_was_compiled_is_read_without_what_compiles(tmp_path):
    code = (
        "import sys; from grainkit import startup\n"
        "startup.before_libraries(); startup.load()\n"
        "from grainkit.weigh import _cover, covers\n"
        "taps = covers(4, 1, 0.5, 16)\n"
        "print(taps.first.tolist(), taps.weights.tolist())\n"
        "print(sum(_cover.stats.cache_hits.values()), 'numba.cpython.unicode' in sys.modules)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    cold, warm = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
        for _ in range(2)
    )
    assert cold.splitlines()[0] == warm.splitlines()[0] == f"[2, 4, 6, 8] {[[0.5, 0.5, 0.0]] * 4}"
    assert cold.splitlines()[1] == "0 True"
    assert warm.splitlines()[1] == "1 False"


def test_what_finishes_stills_does_not_load_ffmpeg():
    code = "import sys, grainkit.pipeline, grainkit.texture.stage; print('av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
