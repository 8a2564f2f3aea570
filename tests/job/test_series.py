"""A series: what is wrong with one input hides nothing of the others, and its end says what became of each."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from grainkit.hosts.cli import command as cli
from grainkit.job import run
from grainkit.job.report import Report
from grainkit.job.request import FinishRequest, Watch
from grainkit.job.series_summary import series_summary
from tests.drawn import clip, numbered, still

OFF = ["--set", "skin_texture.strength=0", "--set", "highlight_guard.patches=0", "--no-adapt"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def finish(*arguments: str) -> int:
    return cli.main(["finish", *arguments, *OFF])


@pytest.fixture
def mixed() -> Path:
    """A folder of five stills, one damaged, and what else lies in folders; another may not be written."""
    at = Path("mixed")
    at.mkdir()
    for name in ("ant", "bee", "cow", "dog"):
        still(at / f"{name}.png")
    (at / "elk.png").write_bytes((at / "ant.png").read_bytes()[:60])
    (at / "notes.txt").write_text("mine")
    (at / ".DS_Store").touch()
    (at / "raw").mkdir()
    Path("out/bee.social.jpg").mkdir(parents=True)  # in the way, also for who may write anywhere
    return at


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_fails_hides_nothing_and_the_end_says_it(
    mixed: Path, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finish("mixed", "-o", "out/", "--workers", workers) == 2
    assert {p.name for p in Path("out").glob("*.jpg") if p.is_file()} == {
        f"{n}.social.jpg" for n in ("ant", "cow", "dog")
    }
    err = capsys.readouterr().err.splitlines()
    assert err[-1] == (
        "grainkit: 2 of 8 inputs failed, 3 done, 3 skipped; skipped, hidden: mixed/.DS_Store; skipped, no still by its "
        "name: mixed/notes.txt; skipped, a folder in the folder: mixed/raw; failed: mixed/bee.png, mixed/elk.png"
    )
    assert any("elk.png" in line for line in err[:-1])
    assert any("bee.social.jpg" in line for line in err[:-1])


def test_json_names_them_all(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finish("mixed", "-o", "out/", "--json", "--quiet") == 2
    told = json.loads(capsys.readouterr().out)
    assert [Path(r["output"]).name for r in told["results"]] == [f"{n}.social.jpg" for n in ("ant", "cow", "dog")]
    assert told["failed_inputs"] == ["mixed/bee.png", "mixed/elk.png"]
    assert len(told["failed"]) == 2
    assert {s["input"]: s["reason"] for s in told["skipped"]} == {
        "mixed/.DS_Store": "hidden",
        "mixed/notes.txt": "no still by its name",
        "mixed/raw": "a folder in the folder",
    }


def test_an_error_of_the_system_hides_nothing_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        still(Path(name))
    whole = run.run

    def failing(request: FinishRequest, watch: Watch) -> Report:
        if request.input == "b.png":
            raise OSError(5, "Input/output error", "b.png")
        return whole(request, watch)

    monkeypatch.setattr(run, "run", failing)
    assert finish("a.png", "b.png", "c.png", "-o", "out/") == 1
    assert len(list(Path("out").glob("*.jpg"))) == 2
    err = capsys.readouterr().err
    assert "grainkit: b.png: Input/output error" in err
    assert "1 of 3 inputs failed, 2 done; failed: b.png" in err


def test_what_was_done_already_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "b.png"):
        still(Path(name))
    assert finish("a.png", "b.png", "-o", "out/") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "grainkit: 2 inputs done"
    Path("out/b.social.jpg").unlink()
    assert finish("a.png", "b.png", "-o", "out/", "--resume") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "grainkit: 1 input done, 1 skipped; skipped, done already: a.png"


def test_a_summary_of_thousands_stays_one_line() -> None:
    names = [f"{n}.png" for n in range(2000)]
    said = series_summary(names[:10], dict.fromkeys(names[10:1000], "done already"), names[1000:])
    assert said.startswith("1000 of 2000 inputs failed, 10 done, 990 skipped; ")
    assert said.endswith("failed: 1000.png, 1001.png, 1002.png, 1003.png, 1004.png and 995 more")
    assert len(said) < 250


@pytest.mark.parametrize(
    ("inputs", "preset", "twins"),
    [
        (["a.png", "a.jpg"], "social", True),
        (["x/a.png", "a.png"], "social", True),
        (["a.mp4", "a.mov"], "social", True),
        (["a.png", "a.mp4"], "social", False),
        (["f.mp4", "s/f_%04d.png"], "social", True),
        (["s", "s.mp4"], "social", True),
        (["s", "t"], "social", False),
        (["s", "t"], "video/sequence", True),  # both have f_0001.png, in one folder
        (["s/f_%04d.png", "t"], "video/sequence", True),
    ],
)
def test_outputs_of_one_name_are_caught_before_anything_is_written(
    inputs: list[str], preset: str, twins: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "a.jpg", "x/a.png"):
        Path(name).parent.mkdir(exist_ok=True)
        still(Path(name))
    for name in ("a.mp4", "a.mov", "f.mp4", "s.mp4"):
        clip(Path(name), codec="libx264", frames=2)
    for name in ("s", "t"):
        numbered(Path(name), 3)
    told = ["-o", "out/", "--preset", preset, *(["--as", "sequence"] if inputs[0] in ("s", "s/f_%04d.png") else [])]
    assert (cli.main(["finish", *inputs, *told, "--dry-run", "--quiet"]) == 2) == twins
    assert ("would become the same file" in capsys.readouterr().err) == twins
    assert not Path("out").exists()


def test_beside_their_inputs_twins_in_two_folders_are_none() -> None:
    for name in ("x/a.png", "y/a.png"):
        Path(name).parent.mkdir()
        still(Path(name))
    assert finish("x/a.png", "y/a.png") == 0
    assert len(list(Path().rglob("a.social.jpg"))) == 2


def test_a_folder_of_one_still_goes_into_a_folder_too() -> None:
    Path("in").mkdir()
    still(Path("in/a.png"))
    assert finish("in", "-o", "done") == 0
    assert Path("done/a.social.jpg").is_file()
    assert finish("in", "-o", "one.png") == 0
    assert Path("one.png").is_file()


def test_a_folder_into_none_is_said_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        still(Path(name))
    assert cli.main(["finish", "a.png", "b.png", "-o", "no/such/"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"the folder {tmp_path / 'no'} does not exist" in lines[0]


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes of a file system")
def test_links_to_nothing_and_pipes_are_named_as_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    at = Path("odd")
    at.mkdir()
    still(at / "a.png")
    (at / "d.png").symlink_to("missing.png")
    os.mkfifo(at / "ff.png")
    assert finish(str(at), "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == [
        {"input": "odd/d.png", "reason": "a link to nothing"},
        {"input": "odd/ff.png", "reason": "no file: a pipe, a socket or a device"},
    ]


def test_a_folder_finished_twice_takes_the_originals_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for name in ("a.png", "b.png"):
        still(Path("in") / name)
    quick = ["--set", "skin_texture.strength=0", "--no-adapt", "--preset", "social/x"]
    assert cli.main(["finish", "in/", *quick]) == 0
    capsys.readouterr()
    assert cli.main(["finish", "in/", *quick, "--overwrite", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(each["input"]).name for each in told["results"]] == ["a.png", "b.png"]
    assert {each["reason"] for each in told["skipped"]} == {"grainkit made it: its sidecar is beside it"}
    assert len(told["skipped"]) == 2


def test_an_output_that_decides_is_said_to_have_decided(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    numbered(Path("in"), 3)
    assert cli.main(["finish", "in/", "-o", "x.mp4", "--dry-run"]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert "one sequence, because of -o x.mp4; --as stills finishes each on its own" in first
