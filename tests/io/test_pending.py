"""A file or folder under construction: whole at its place, or gone without a trace."""

import errno
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grainkit.errors import OutputError
from grainkit.io.pending import MARK, Pending, kept_folder, output_errors, sweep


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_at_commit_and_not_before(tmp_path):
    pending = Pending(tmp_path / "clip.mp4")
    pending.path.write_text("whole")
    assert pending.path.suffix == ".mp4"
    assert pending.path.parent == tmp_path
    assert [MARK in n for n in names(tmp_path)] == [True]
    pending.commit()
    pending.commit()
    pending.abort()
    assert names(tmp_path) == ["clip.mp4"]
    assert (tmp_path / "clip.mp4").read_text() == "whole"


def test_what_is_aborted_is_gone_and_what_was_there_stays(tmp_path):
    (tmp_path / "a.png").write_text("old")
    pending = Pending(tmp_path / "a.png")
    pending.path.write_text("new")
    pending.abort()
    pending.abort()
    pending.commit()
    assert names(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_text() == "old"


@pytest.mark.parametrize("folder", [False, True])
def test_what_is_forgotten_is_gone(tmp_path, folder):
    pending = Pending(tmp_path / "a", folder=folder)
    if folder:
        (pending.path / "f").write_text("half")
    del pending
    gc.collect()
    assert names(tmp_path) == []


def test_what_is_open_when_python_ends_is_gone(tmp_path):
    imports = "from grainkit.io.pending import Pending; from pathlib import Path"
    code = f"{imports}; kept = Pending(Path({str(tmp_path / 'a.mp4')!r})); assert kept.path.exists()"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert names(tmp_path) == []


def test_a_new_folder_appears_whole(tmp_path):
    pending = Pending(tmp_path / "frames", folder=True)
    (pending.path / "f_1.png").write_text("1")
    assert not (tmp_path / "frames").exists()
    pending.commit()
    assert names(tmp_path) == ["frames"]
    assert names(tmp_path / "frames") == ["f_1.png"]


def test_files_join_a_folder_that_exists(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "f_1.png").write_text("old")
    pending = Pending(tmp_path, folder=True)
    assert pending.path.parent == tmp_path  # beside it there may be no permission, or another disk
    for n in (1, 2):
        (pending.path / f"f_{n}.png").write_text("new")
    pending.commit()
    assert names(tmp_path) == ["f_1.png", "f_2.png", "mine.txt"]
    assert (tmp_path / "f_1.png").read_text() == "new"
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("failing_move", range(6))
def test_a_folder_is_as_it_was_when_a_move_fails(tmp_path, monkeypatch, failing_move):
    for n in (1, 3):
        (tmp_path / f"f_{n}.png").write_text("old")
    pending = Pending(tmp_path, folder=True)
    for n in (1, 2, 3):
        (pending.path / f"f_{n}.png").write_text("new")
    moves, replace = [], Path.replace

    def failing(self, target):
        moves.append(target)
        if len(moves) == failing_move + 1:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    if failing_move < 5:  # two that were there are moved away, three are moved in
        with pytest.raises(KeyboardInterrupt):
            pending.commit()
    else:
        pending.commit()
    monkeypatch.undo()
    pending.abort()
    before = {"f_1.png": "old", "f_3.png": "old"}
    after = {"f_1.png": "new", "f_2.png": "new", "f_3.png": "new"}
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == (before if failing_move < 5 else after)


def test_a_file_may_wait_elsewhere_for_its_folder(tmp_path):
    pending = Pending(tmp_path / "new/note.txt", waits_in=tmp_path)
    pending.path.write_text("x")
    (tmp_path / "new").mkdir()
    pending.commit()
    assert names(tmp_path) == ["new"]
    assert names(tmp_path / "new") == ["note.txt"]


def test_a_long_name_is_no_trouble(tmp_path):
    name = "ä" * 120 + ".png"
    pending = Pending(tmp_path / name)
    pending.commit()
    assert names(tmp_path) == [name]
    pending = Pending(tmp_path / ("x" * 300))
    with pytest.raises(OutputError, match="too long"):
        pending.commit()
    pending.abort()
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("place", ["missing/a.png", "file/a.png"])
def test_places_that_take_no_file(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"^cannot write .*a\.png: .*with -o$"):
        Pending(tmp_path / place)


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EISDIR]
)
def test_refusals_come_with_a_remedy(code):
    with pytest.raises(OutputError, match=r"^cannot write out\.mp4: .* -o$") as caught, output_errors("out.mp4"):
        raise OSError(code, os.strerror(code))
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "gone"), OSError(errno.EIO, "bad disk")])
def test_what_has_no_remedy_goes_through(error):
    with pytest.raises(type(error)) as caught, output_errors("out.mp4"):
        raise error
    assert caught.value is error


# Left by a run that was killed

KILLED = """
import os, signal, sys
from pathlib import Path
from grainkit.io.pending import Pending
made = [Pending(Path(sys.argv[1])), Pending(Path(sys.argv[2]), folder=True)]
(made[1].path / "f_1.png").write_text("half")
print("made", flush=True)
os.kill(os.getpid(), signal.SIGKILL) if sys.argv[3] == "killed" else sys.stdin.read()
"""


@pytest.fixture
def maker(tmp_path):
    """Start a process that makes a file and a folder of files, and is killed, or waits."""
    started = []

    def start(then):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "a.png"), str(tmp_path / "frames"), then]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert started[-1].stdout.readline() == b"made\n"
        if then == "killed":
            started[-1].wait(30)

    yield start
    for process in started:
        process.communicate(timeout=30)


def test_what_a_killed_run_left_is_swept_and_nothing_else(tmp_path, maker):
    mine = [f"a.png{MARK}", f".a{MARK}notes.png", f".a{MARK}12-xyz.png", f"x.a{MARK}12-0123abcd.png"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    maker("killed")
    maker("waits")
    held = Pending(tmp_path / "b.png")
    before = names(tmp_path)
    assert len(before) == len(mine) + 5
    swept = sweep(tmp_path, tmp_path / "a.png")
    assert len(swept) == 2
    assert sorted({*before} - {p.name for p in swept}) == names(tmp_path)
    assert {*mine, held.path.name} < {*names(tmp_path)}
    held.commit()
    assert sweep(tmp_path / "gone", tmp_path / "gone/a.png") == []


def test_what_is_kept_for_another_run_goes_only_with_its_own_destination(tmp_path):
    kept = Pending(tmp_path / "frames", folder=True, kept="0123abcd")
    (kept.path / "f_1.png").write_text("whole")
    assert sweep(tmp_path, tmp_path / "frames") == []  # it is held
    with pytest.raises(OutputError, match="another run is making"):
        Pending(tmp_path / "frames", folder=True, kept="0123abcd")
    kept.abort()
    assert kept_folder(tmp_path / "frames", "0123abcd") == kept.path
    assert sweep(tmp_path, tmp_path / "other.png") == []
    again = Pending(tmp_path / "frames", folder=True, kept="0123abcd")
    assert names(again.path) == ["f_1.png"]
    again.abort()
    assert sweep(tmp_path, tmp_path / "frames") == [kept.path]
    Pending(tmp_path / "frames", folder=True, kept="0123abcd").abort()  # nothing in it: nothing to keep
    assert names(tmp_path) == []


@pytest.mark.parametrize("killed_at", range(8))
def test_a_run_killed_while_it_moves_files_is_undone_by_the_next(tmp_path, killed_at):
    """Moves, in order: the list into place, f_1 out and in, f_2 in, f_3 out and in, and then the list goes."""
    for n in (1, 3):
        (tmp_path / f"f_{n}.png").write_text("old")
    code = f"""
import os, signal, sys
from pathlib import Path
from grainkit.io.pending import Pending
pending = Pending(Path({str(tmp_path)!r}), folder=True)
for n in (1, 2, 3):
    (pending.path / f"f_{{n}}.png").write_text("new")
left = {killed_at}
def dying(event, args):
    global left
    if event == "os.rename" or (event == "os.remove" and str(args[0]).endswith("moving")):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
sys.addaudithook(dying)
pending.commit()
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == (0 if killed_at == 7 else -9)
    sweep(tmp_path, tmp_path)
    before = {"f_1.png": "old", "f_3.png": "old"}
    after = {"f_1.png": "new", "f_2.png": "new", "f_3.png": "new"}
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == (after if killed_at == 7 else before)
