"""A sidecar brings back all that it tells of, by the command that it prints."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

import grainkit as gk
from grainkit.hosts.cli import command as cli
from tests.drawn import clip, numbered, still

OFF = ["--set", "skin_texture.strength=0", "--set", "highlight_guard.patches=0", "--no-adapt"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def printed(sidecar: str | Path) -> list[str]:
    """The words of the command that a sidecar prints, as a shell reads them, without the first."""
    line = next(x for x in Path(sidecar).read_text(encoding="utf-8").splitlines() if "To make it again: " in x)
    program, *words = shlex.split(line.partition("To make it again: ")[2])
    assert program == "grainkit"
    return words


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".grainkit.txt"))


@pytest.mark.parametrize(
    "name", ["plain.png", "two words.png", 'it\'s "one".png', "-dash.png", "--json.png", "$HOME `x`;#.png", "ä%.png"]
)
def test_the_command_that_is_printed_runs_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    still(Path(name))
    still(Path("-m.png"), mode="L")
    assert cli.main(["finish", f"./{name}", "--source", "flux", "--matte", "./-m.png", "--seed", "3", *OFF]) == 0
    (made,) = [p for p in files(Path()) if ".social." in p.name]
    assert cli.main([*printed(f"{made}.grainkit.txt"), "--quiet"]) == 0, capsys.readouterr().err
    (again,) = files(Path("again"))
    assert again.name == made.name
    assert again.read_bytes() == made.read_bytes()
    told = yaml.safe_load(Path(f"{again}.grainkit.txt").read_text(encoding="utf-8"))
    assert (told["source_profile"], told["digital_source_type"]) == ("flux", "trainedAlgorithmicMedia")


@pytest.mark.parametrize("kind", ["clip", "pattern", "folder"])
def test_clips_and_sequences_too(kind: str) -> None:
    if kind == "clip":
        given = str(clip(Path("-c 1.nut"), frames=6))
        arguments = [f"./{given}", "-o", "./-o.nut", "--preset", "video"]
    else:
        given = str(numbered(Path("take 1"), 4))
        arguments = [given if kind == "pattern" else "take 1", "-o", "out 1/", "--preset", "video/sequence"]
    settings = ["--set", "skin_texture.strength=0", "--set", "cinema_grain.strength=3"]
    assert cli.main(["finish", *arguments, *settings, "--frames", "1:3", "--quiet"]) == 0
    (sidecar,) = Path().rglob("*.grainkit.txt")
    words = printed(sidecar)
    if kind == "pattern":
        words[1] = given  # sidecars tell no folders
    words[words.index("--recipe") + 1] = str(sidecar) if kind != "clip" else words[words.index("--recipe") + 1]
    assert cli.main([*words, "--quiet"]) == 0
    before = [p for p in files(Path()) if p.parts[0] not in ("again", "take 1") and p.name != "-c 1.nut"]
    assert [p.read_bytes() for p in files(Path("again"))] == [p.read_bytes() for p in before]
    assert len(before) == (1 if kind == "clip" else 2)


def test_a_sidecar_from_before_stills_had_their_own_grain_says_that_it_differs() -> None:
    still(Path("a.png"))
    report = gk.finish("a.png", "o.png", preset="video", settings=["skin_texture.strength=0"])
    again = gk.finish("a.png", "p.png", recipe=report.sidecar)
    assert not any("grain differs" in note for note in again.notes)
    told = yaml.safe_load(Path(report.sidecar).read_text())
    assert len(told["input"].pop("pixels")) == 8
    Path("old.grainkit.txt").write_text(yaml.safe_dump(told))
    assert any("grain differs" in note for note in gk.finish("a.png", "q.png", recipe="old.grainkit.txt").notes)
    off = gk.finish("a.png", "r.png", recipe="old.grainkit.txt", settings=["cinema_grain.strength=0"])
    assert not any("grain differs" in note for note in off.notes)


def test_a_sidecar_that_declares_no_source_there_is_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    still(Path("a.png"))
    report = gk.finish("a.png", "o.png", preset="video", settings=["skin_texture.strength=0"])
    told = yaml.safe_load(Path(report.sidecar).read_text())
    Path("bad.grainkit.txt").write_text(yaml.safe_dump({**told, "source_profile": "camera"}))
    assert cli.main(["finish", "a.png", "-o", "x.png", "--recipe", "bad.grainkit.txt"]) == 2
    assert "no source 'camera'" in capsys.readouterr().err
    assert not Path("x.png").exists()


def test_a_sidecar_on_another_file_is_said(tmp_path):
    one, other = still(tmp_path / "a.png"), still(tmp_path / "b.png", phase=1.0)
    off = ["skin_texture.strength=0", "highlight_guard.strength=0"]
    made = gk.finish(one, tmp_path / "o.png", preset="video", settings=off)
    again, wrong = (gk.finish(each, tmp_path / f"{n}.png", recipe=made.sidecar) for n, each in enumerate((one, other)))
    assert not [note for note in again.notes if "SHA-256" in note]
    assert [note for note in wrong.notes if note.startswith("this is not the file that the sidecar tells of")]


def test_what_was_not_adapted_is_not_adapted_when_it_is_made_again(tmp_path):
    made = gk.finish(still(tmp_path / "a.png"), tmp_path / "o.jpg", preset="social", adapt=False)
    assert gk.load_recipe("social").adapt.still
    assert not gk.load_recipe(made.sidecar).adapt.still
