"""An error that nobody foresaw is one line for the user, and a traceback for whoever asks for it."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import TypingError
from PIL import UnidentifiedImageError

import grainkit
from grainkit import unforeseen
from grainkit.hosts.cli import command as cli
from grainkit.io.clip_sink import VideoSink
from grainkit.io.clip_source import VideoSource
from grainkit.io.stills import StillSource
from tests.drawn import clip, leftovers, still

PLAIN = ["--no-adapt", "--set", "skin_texture.strength=0", "--quiet"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(capsys):
    """Run the command, which must fail: (exit status, standard error)."""

    def running(*arguments):
        status = cli.main([*arguments, *PLAIN] if arguments[0] == "finish" else list(arguments))
        captured = capsys.readouterr()
        assert captured.out == ""
        return status, captured.err

    return running


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


def frames_then(error):
    """A reader that gives two frames and then fails."""
    whole = VideoSource.__iter__

    def some(self):
        frames = whole(self)
        yield next(frames)
        yield next(frames)
        raise error

    return some


NUMBA = TypingError("Failed in nopython mode pipeline (step: nopython frontend)\nNo implementation of function add")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("division by zero"), "test_unforeseen failed with ZeroDivisionError: division by zero; "),
        (NUMBA, "failed with TypingError: Failed in nopython mode pipeline (step: nopython frontend) No impl"),
        (KeyError("sRGB"), "failed with KeyError: 'sRGB'; "),
        (AssertionError(), "failed with AssertionError; "),
        (UnidentifiedImageError("cannot identify image file"), "PIL "),
        (OSError("image file is truncated"), "failed with OSError: image file is truncated"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_reader_that_fails_unforeseen_is_one_line(monkeypatch, refused, folder, error, said):
    clip(Path("clip.mp4"), codec="libx264")
    monkeypatch.setattr(VideoSource, "__init__", failing(error))
    status, err = refused("finish", "clip.mp4", "-o", "out.mp4")
    assert status == 1
    assert err.startswith("grainkit: while reading clip.mp4, ")
    assert said in err
    assert "report" in err
    assert "--debug" in err
    assert err.count("\n") == 1
    assert sorted(p.name for p in folder.iterdir()) == ["clip.mp4"]


def test_whose_error_it_is_when_pythons_own_code_raises_it(monkeypatch, refused):
    clip(Path("clip.mp4"), codec="libx264")
    with monkeypatch.context() as patch:
        patch.setattr("grainkit.io.clip_source.fraction", lambda value: Fraction("no number"))
        err = refused("finish", "clip.mp4", "-o", "out.mp4")[1]
        assert "test_unforeseen failed with ValueError: Invalid literal for Fraction: 'no number'" in err
    monkeypatch.setattr("grainkit.io.clip_source._picture_stream", lambda *_: None)
    err = refused("finish", "clip.mp4", "-o", "out.mp4")[1]
    assert f"grainkit {grainkit.__version__} failed with AttributeError: 'NoneType' object has no attribute" in err


def test_debug_shows_where_it_came_from(monkeypatch, refused):
    clip(Path("clip.mp4"), codec="libx264")
    monkeypatch.setattr(VideoSource, "__init__", failing(ZeroDivisionError("division by zero")))
    status, err = refused("finish", "clip.mp4", "-o", "out.mp4", "--debug")
    assert status == 1
    assert err.startswith("Traceback (most recent call last):")
    assert "in _opened" in err
    assert err.splitlines()[-1].startswith("grainkit: while reading clip.mp4, ")


def test_what_is_foreseen_shows_it_too(refused):
    status, err = refused("finish", "gone.mp4", "--debug")
    assert status == 2
    assert "FileNotFoundError" in err
    assert err.splitlines()[-1].startswith("grainkit: gone.mp4: no such file")
    assert "Traceback" not in refused("finish", "gone.mp4")[1]


def test_what_was_being_done_is_told_of_every_stage(monkeypatch, refused, folder):
    clip(Path("clip.mp4"), codec="libx264", frames=5)
    command = ["finish", "clip.mp4", "-o", "out.mp4", "--backend", "cpu"]
    with monkeypatch.context() as patch:
        patch.setattr(VideoSource, "__iter__", frames_then(RuntimeError("lost")))
        assert refused(*command)[1].startswith("grainkit: while reading clip.mp4, ")
    with monkeypatch.context() as patch:
        patch.setattr(
            "grainkit.finishing.finisher.Finisher.frames",
            lambda *_: frames_then(RuntimeError("lost"))(VideoSource("clip.mp4")),
        )
        assert refused(*command)[1].startswith("grainkit: while finishing clip.mp4, ")
    for method in ("write", "commit"):
        with monkeypatch.context() as patch:
            patch.setattr(VideoSink, method, failing(RuntimeError("lost")))
            assert refused(*command)[1].startswith("grainkit: while writing out.mp4, ")
    assert [p.name for p in folder.iterdir()] == ["clip.mp4"]
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    ("arguments", "inside"),
    [
        (["presets"], "grainkit.recipe.presets.preset_names"),
        (["doctor"], "grainkit.report.doctor.examine"),
        (["bench"], "grainkit.report.bench.machine"),
        (["finish", "a.png"], "grainkit.job.inputs.expand_inputs"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_command_ends_so(monkeypatch, refused, arguments, inside):
    monkeypatch.setattr(inside, failing(np.linalg.LinAlgError("singular\nmatrix")))
    status, err = refused(*arguments)
    assert status == 1
    assert err.startswith(f"grainkit: while running grainkit {arguments[0]}, numpy {np.__version__} failed with LinAlg")
    assert "singular matrix" in err
    assert err.count("\n") == 1
    assert refused(*arguments, "--debug")[1].startswith("Traceback")


def reads_but(monkeypatch, name, error):
    whole = StillSource.__init__

    def reading(self, path, **options):
        if Path(path).name == name:
            raise error
        whole(self, path, **options)

    monkeypatch.setattr(StillSource, "__init__", reading)


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), MemoryError(), PermissionError(13, "no", "b.png")])
def test_one_of_a_series_that_fails_so_is_one_alone(monkeypatch, capsys, error):
    for name in "abc":
        still(Path(f"{name}.png"))
    reads_but(monkeypatch, "b.png", error)
    status = cli.main(["finish", "a.png", "b.png", "c.png", "-o", "out/", "--workers", "1", *PLAIN])
    err = capsys.readouterr().err.splitlines()
    assert status == 1
    assert len(err) == 2
    assert "b.png" in err[0]
    assert err[1] == "grainkit: 1 of 3 inputs failed, 2 done; failed: b.png"
    assert sorted(p.name for p in Path("out").glob("*.jpg")) == ["a.social.jpg", "c.social.jpg"]


APART = """
import sys
from pathlib import Path
from grainkit.hosts.cli import command as cli
from grainkit.io.stills import StillSource

whole = StillSource.__init__

def reading(self, path, **options):
    if Path(path).name == "b.png":
        raise ZeroDivisionError("by zero")
    whole(self, path, **options)

StillSource.__init__ = reading
if __name__ == "__main__":
    sys.exit(cli.command())
"""


@pytest.mark.slow
@pytest.mark.parametrize("debug", [False, True])
def test_nor_does_it_end_a_process_of_its_own(folder, debug):
    """The processes of a series import the program that started them, and so its reader."""
    for name in "abc":
        still(Path(f"{name}.png"))
    Path("program.py").write_text(APART)
    command = [sys.executable, "program.py", "finish", "a.png", "b.png", "c.png", "-o", "out/", "--workers", "2"]
    done = subprocess.run(
        [*command, *PLAIN, *(["--debug"] if debug else [])], capture_output=True, text=True, check=False
    )
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[-2].startswith("grainkit: while reading b.png, ")
    assert "ZeroDivisionError: by zero" in lines[-2]
    assert lines[-1] == "grainkit: 1 of 3 inputs failed, 2 done; failed: b.png"
    assert ("Traceback" in done.stderr) is debug
    assert debug or len(lines) == 2
    assert sorted(p.name for p in Path("out").glob("*.jpg")) == ["a.social.jpg", "c.social.jpg"]


def test_long_words_are_cut_and_the_innermost_doing_is_told():
    error = ValueError("x" * 1000)
    with pytest.raises(ValueError, match="x"), unforeseen.doing("finishing a"), unforeseen.doing("reading a"):
        raise error
    line = unforeseen.in_one_line(error)
    assert line.startswith("while reading a, ")
    assert len(line) < 500


def test_an_error_that_has_no_words_is_told_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "Mute: (it has no words: RuntimeError)" in unforeseen.what_failed(Mute())
