"""Going on with what an earlier run has done: the same bits as without a break, and nobody else's file touched."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grainkit.errors import OutputError
from grainkit.hosts.cli import command as cli
from grainkit.io import sequence
from grainkit.job.finish import finish
from tests.drawn import clip, leftovers, numbered, still

QUICK = ("skin_texture.strength=0",)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def broken_off(monkeypatch, after, source, output, **told):
    """A run with resume that ends as a disk fails on it after so many files."""
    stored, encode = [], sequence.encode_still

    def failing(frame, *given):
        if len(stored) == after:
            raise OSError(5, "bad disk")
        stored.append(frame.index)
        return encode(frame, *given)

    monkeypatch.setattr(sequence, "encode_still", failing)
    monkeypatch.setattr(sequence, "_threads", lambda: 1)
    with pytest.raises(OSError, match="bad disk"):
        finish(source, output, resume=True, settings=QUICK, **told)
    monkeypatch.undo()
    return stored


@pytest.mark.parametrize("settings", [QUICK, ()], ids=["grain", "texture"])
@pytest.mark.parametrize("there", [False, True])
def test_a_sequence_goes_on_where_it_broke_off(tmp_path, monkeypatch, settings, there):
    source = numbered(tmp_path / "in", 7, first=11)
    if there:
        (tmp_path / "out").mkdir()
    told = {"preset": "video", "seed": 3, "frames": (1, 7)}
    finish(source, tmp_path / "whole/f_%04d.png", settings=settings, **told)
    monkeypatch.setattr(sys.modules[__name__], "QUICK", settings)
    broken_off(monkeypatch, 4, source, tmp_path / "out/f_%04d.png", **told)
    assert list(tmp_path.glob("out/*.png")) == []
    encoded, encode = [], sequence.encode_still
    monkeypatch.setattr(
        sequence, "encode_still", lambda frame, *given: (encoded.append(frame.index), encode(frame, *given))[1]
    )
    report = finish(source, tmp_path / "out/f_%04d.png", resume=True, settings=settings, **told)
    assert sorted(encoded) == [4, 5, 6]  # the last that was whole, and what was not
    assert (report.frames, report.kept, report.skipped) == (6, 3, False)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert leftovers(tmp_path) == []


def test_a_file_that_was_torn_and_all_after_it_are_made_again(tmp_path, monkeypatch):
    source = numbered(tmp_path / "in", 6)
    finish(source, tmp_path / "whole/f_%04d.png", settings=QUICK)
    broken_off(monkeypatch, 5, source, tmp_path / "out/f_%04d.png")
    (kept,) = leftovers(tmp_path)
    torn = kept / "f_0003.png"
    torn.write_bytes(torn.read_bytes()[:-9])
    assert finish(source, tmp_path / "out/f_%04d.png", resume=True, settings=QUICK).kept == 1
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("change", ["recipe", "input", "frames"])
def test_another_job_takes_nothing_over(tmp_path, monkeypatch, change):
    source = numbered(tmp_path / "in", 6)
    broken_off(monkeypatch, 4, source, tmp_path / "out/f_%04d.png", seed=1)
    told = {"seed": 2 if change == "recipe" else 1, "frames": (0, 5) if change == "frames" else (0, None)}
    if change == "input":
        still(tmp_path / "in/f_0006.png", 48, 32, phase=0.4)
    assert finish(source, tmp_path / "out/f_%04d.png", resume=True, settings=QUICK, **told).kept == 0
    finish(source, tmp_path / "whole/f_%04d.png", settings=QUICK, **told)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert leftovers(tmp_path) == []


def test_an_ordinary_run_to_the_same_place_sweeps_what_was_kept(tmp_path, monkeypatch):
    source = numbered(tmp_path / "in", 3)
    broken_off(monkeypatch, 2, source, tmp_path / "out/f_%04d.png")
    assert len(leftovers(tmp_path)) == 1
    finish(source, tmp_path / "other.nut", settings=QUICK)
    assert len(leftovers(tmp_path)) == 1
    finish(source, tmp_path / "out/f_%04d.png", settings=QUICK)
    assert leftovers(tmp_path) == []


def test_a_series_does_what_is_missing_damaged_or_of_another_recipe(folder, capsys):
    for name in "abcd":
        still(folder / f"{name}.png", phase=ord(name) / 9)
    series = [
        "finish",
        *(f"{name}.png" for name in "abcd"),
        "-o",
        "out/",
        "--preset",
        "social/x",
        "--seed",
        "2",
        "--no-adapt",
    ]
    assert cli.main(series) == 0
    whole = contents(folder / "out")
    (folder / "out/a.social-x.jpg").unlink()
    damaged = folder / "out/b.social-x.jpg"
    damaged.write_bytes(damaged.read_bytes()[:-200])
    assert cli.main([*series[:2], "-o", "out/c.social-x.jpg", "--overwrite", "--seed", "9", "--no-adapt"]) == 0
    stamp = (folder / "out/d.social-x.jpg").stat().st_mtime_ns
    capsys.readouterr()
    assert cli.main([*series, "--resume"]) == 0
    assert [("was done already" in line) for line in capsys.readouterr().out.splitlines()] == [
        False,
        False,
        False,
        True,
    ]
    assert contents(folder / "out") == whole
    assert (folder / "out/d.social-x.jpg").stat().st_mtime_ns == stamp
    assert cli.main([*series, "--resume", "--json", "--quiet"]) == 0
    assert capsys.readouterr().out.count('"skipped": true') == 4


def test_a_file_that_is_not_known_to_be_grainkits_stays(tmp_path):
    source = still(tmp_path / "a.png")
    (tmp_path / "out.png").write_text("mine")
    with pytest.raises(OutputError, match="no sidecar beside it says that grainkit made it"):
        finish(source, tmp_path / "out.png", resume=True, settings=QUICK)
    assert (tmp_path / "out.png").read_text() == "mine"
    finish(source, tmp_path / "out.png", resume=True, overwrite=True, settings=QUICK)


def test_a_run_killed_between_output_and_sidecar_is_known_for_this_job(tmp_path):
    clip(tmp_path / "c.nut", frames=3)
    code = """
import os, signal, sys
from grainkit.job.finish import finish
def dying(event, args):
    if event == "os.rename" and str(args[1]).endswith(".grainkit.txt"):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(dying)
finish("c.nut", "out.nut", settings=("skin_texture.strength=0",), adapt=False)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "out.nut").exists()
    assert not (tmp_path / "out.nut.grainkit.txt").exists()
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(OutputError, match="--overwrite"):
            finish("c.nut", "out.nut", settings=QUICK, adapt=False, resume=True, seed=9)
        finish("c.nut", "out.nut", settings=QUICK, adapt=False, resume=True)
    finally:
        os.chdir(before)
    assert finish(tmp_path / "c.nut", tmp_path / "out.nut", settings=QUICK, adapt=False, resume=True).skipped
    assert leftovers(tmp_path) == []


def test_a_pipe_cannot_be_gone_on_with(folder):
    clip(Path("c.nut"), frames=2)
    with pytest.raises(OutputError, match="leave it out"):
        finish("c.nut", "-", resume=True, settings=QUICK)
