"""What the README shows works as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest

import grainkit as gk
from grainkit.hosts.cli import command as cli
from grainkit.recipe.overrides import override
from tests.drawn import clip, gradient, numbered, still

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_its_python_runs(tmp_path, monkeypatch, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    clip(Path("in.mp4"), codec="libx264")
    still(Path("in.png"))
    numbered(Path("frames"), 2)
    for number in (1, 2):
        Path(f"frames/f_{number:04d}.png").rename(f"frames/f_{number:05d}.png")
    names = {"rgb": np.rint(255 * gradient(64, 48)).astype(np.uint8)}
    exec(compile(block, "README.md", "exec"), names)
    assert names["report"].frames == 6
    assert (names["out"].shape, names["out"].dtype) == (names["rgb"].shape, np.uint8)
    assert names["one_frame"].shape == names["batch"][0].shape == names["rgb"].shape
    assert 0.2 < float(names["luma"].mean()) < 0.8
    said = capsys.readouterr().out
    assert "out.mp4" in said
    assert "cannot write out.xyz" in said
    assert {"out.jpg", "frames.mov", "copy.mov"} <= {p.name for p in tmp_path.iterdir()}


@pytest.mark.parametrize("line", re.findall(r"^(grainkit (?:presets|params)\b.*)$", README, re.MULTILINE))
def test_what_it_asks_of_the_presets_is_told(line, capsys):
    assert cli.main(line.partition("#")[0].split()[1:]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("setting", sorted(set(re.findall(r"--set ([a-z_.]+=[^\s`]+)", README))))
def test_its_settings_are_settings(setting):
    assert override(gk.load_recipe("social"), [setting])
