"""The command: what it prints where, what it ends with, and what it leaves behind."""

import errno
import io
import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from grainkit import __version__
from grainkit.hosts.cli import command as cli
from grainkit.recipe.presets import preset_names
from tests.drawn import clip, frames_of, leftovers, numbered, still, y4m_of

GRAINKIT = [sys.executable, "-c", "import sys; from grainkit.hosts.cli.command import main; sys.exit(main())"]
NONE = ["--set", "highlight_guard.strength=0", "--set", "cinema_grain.strength=0"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run the command: (exit status, standard output, standard error)."""

    def running(*arguments):
        status = cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return running


def names(folder=Path()):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def one_line(said):
    return said.startswith("grainkit: ") and said.count("\n") == 1 and "Traceback" not in said


# What it says


def test_a_finished_still_is_one_line_with_notes_aside(run):
    still(Path("a.png"))
    status, out, err = run("finish", "a.png", "--preset", "social/x")
    assert status == 0
    assert out.startswith("a.social-x.jpg  64x48 jpeg 8-bit 4:4:4, cpu, ")
    assert out.count("\n") == 1
    assert all(line.startswith(("grainkit: note: ", "grainkit: adapting to ")) for line in err.splitlines())
    assert names() == ["a.png", "a.social-x.jpg", "a.social-x.jpg.grainkit.txt"]


@pytest.mark.parametrize(("name", "shown"), [(b"caf\xe9.png", b"caf\\udce9"), ("\u4eba.png".encode(), b"\\u4eba")])
def test_a_name_that_the_console_cannot_show_ends_nothing(folder, monkeypatch, name, shown):
    room = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(room, encoding="ascii"))
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    still(folder / "plain.png").rename(path)
    assert cli.main(["finish", str(path), "--no-adapt", "--set", "skin_texture.strength=0"]) == 0
    assert shown in room.getvalue()


def test_json_is_one_object_and_the_only_output(run):
    still(Path("a.png"))
    status, out, err = run("finish", "a.png", "-o", "b.png", "--json", "--seed", "4", "--quiet")
    report = json.loads(out)
    assert (status, err) == (0, "")
    assert (report["output"], report["seed"], report["kind"], report["frames"]) == ("b.png", 4, "still", 1)
    assert report["sidecar"] == "b.png.grainkit.txt"
    status, out, err = run("finish", "gone.png", "--json")
    assert (status, out) == (2, "")
    assert one_line(err)


def test_quiet_says_nothing(run):
    still(Path("a.png"))
    assert run("finish", "a.png", "--quiet") == (0, "", "")


def test_a_damaged_clip_is_noted_once(run, folder):
    whole = clip(folder / "c.mkv", codec="libx264", frames=48).read_bytes()
    (folder / "c.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    status, _, err = run("finish", "c.mkv", "-o", "o.mp4", "--allow-truncated")
    assert status == 0
    assert err.count("truncated or damaged") == 1


def test_dry_run_prints_the_plan_and_writes_nothing(run):
    clip(Path("c.nut"))
    status, out, _ = run("finish", "c.nut", "--preset", "social/reel", "--dry-run", "--set", "cinema_grain.size=1.7")
    assert status == 0
    for said in ("name: c.social-reel.mp4", "codec: libx264", "pixel_format: yuv420p", "size: 1.7"):
        assert said in out
    plan = json.loads(run("finish", "c.nut", "--dry-run", "--json")[1])
    assert plan["input"]["kind"] == "clip"
    assert names() == ["c.nut"]


def test_presets_are_listed_and_one_is_printed_whole(run):
    status, out, _ = run("presets")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == preset_names()
    assert sorted(json.loads(run("presets", "--json")[1])) == preset_names()
    status, out, _ = run("presets", "social/reel")
    assert "checked_on: " in out
    Path("mine.yaml").write_text(out)
    assert run("presets", "mine.yaml", "--json")[1] == run("presets", "social/reel", "--json")[1]
    status, out, err = run("presets", "socail")
    assert (status, out) == (2, "")
    assert one_line(err)
    assert "did you mean social" in err


def test_doctor(run):
    status, out, _ = run("doctor")
    assert status == 0
    assert "backend cpu" in out
    detail = "encodes, and decodes again"
    assert {"what": "encoder libx264", "works": True, "detail": detail, "remedy": "", "broken": False} in json.loads(
        run("doctor", "--json")[1]
    )["findings"]


@pytest.mark.parametrize("arguments", [["--help"], ["finish", "--help"], ["--version"]])
def test_help_and_version(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0
    assert (__version__ if arguments == ["--version"] else "usage: grainkit") in capsys.readouterr().out


# What cannot be


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["finish", "gone.png"], "no such file"),
        (["finish", "a.pn"], "did you mean a.png"),
        (["finish", "empty.mp4"], "empty"),
        (["finish", "text.mp4"], "not a clip that can be read"),
        (["finish", "zero.png"], "0x0"),
        (["finish", "cut.png"], "truncated"),
        (["finish", "gap/f_%04d.png"], "f_0002.png: missing from the sequence"),
        (["finish", "gap", "--as", "sequence"], "f_0002.png: missing from the sequence"),
        (["finish", "x" * 300 + ".png"], "too long"),
        (["finish", "a.png", "--preset", "socal"], "did you mean social"),
        (["finish", "a.png", "--set", "cinema_grain.strength=99"], "outside 0 to"),
        (["finish", "a.png", "--set", "cinema_grain.strenght=1"], "did you mean strength"),
        (["finish", "a.png", "--set", "cinema_grain"], "KEY=VALUE"),
        (["finish", "gone\n\u2028\x1b[2Jx.png"], "gone???[2Jx.png"),
        (["finish", "a.png", "--max-pixels", "0M"], "not a number of pixels above 0"),
        (["finish", "a.png", "--max-pixels", "3071"], "more than the 3,071 pixels allowed"),
        (["finish", "a.png", "--seed", "-1"], "from 0 to 4294967295"),
        (["finish", "a.png", "--seed", "x"], "from 0 to 4294967295"),
        (["finish", "a.png", "--frames", "5:3"], "0 <= A < B"),
        (["finish", "a.png", "--frames", "5"], "0 <= A < B"),
        (["finish", "a.png", "--frames", "3:"], "frame 0 alone"),
        (["finish", "s", "--frames", "90:"], "has frames 0 to 2"),
        (["finish", "a.png", "--rate", "0"], "not a frame rate"),
        (["finish", "a.png", "--rate", "1/0"], "not a frame rate"),
        (["finish", "a.png", "--rate", "1e99999999999"], "not a frame rate"),
        (["finish", "a.png", "--rate", "23.9760239760239760"], "not a frame rate"),
        (["finish", "a.png", "--recipe", "gone.yaml"], "no recipe file gone.yaml"),
        (["finish", "a.png", "--recipe", "gap"], "is no recipe"),
        (["finish", "a.png", "--recipe", "a.png"], "is no recipe"),
        (["finish", "a.png", "--recipe", "empty.yaml"], "empty"),
        (["finish", "a.png", "-o", "o.xyz"], "not a format"),
        (["finish", "a.png", "-o", "o.mp4"], "does not become a clip"),
        (["finish", "a.png", "-o", "gone/o.png"], "does not exist"),
        (["finish", "a.png", "-o", "a.png/o.png"], "does not exist"),
        (["finish", "a.png", "-o", "a.png"], "is the input"),
        (["finish", "a.png", "-o", "there.png"], "--overwrite"),
        (["finish", "a.png", "a.jpg", "-o", "o.png"], "name a folder"),
        (["finish", "a.png", "a.jpg", "-o", "-"], "name a folder"),
        (["finish", "a.png", "a.jpg", "-o", "new/"], "would become the same file"),
        (["finish", "a.png", "--backend", "cuba"], "did you mean cuda"),
        (["finish", "a.png", "--json", "-o", "-"], "--json and -o -"),
        (["finish", "a.png", "--pilot", "-o", "-"], "leave --pilot out"),
        (["finish", "a.png", "--bogus"], "unrecognized"),
        (["finish"], "required: INPUT"),
        (["finsh", "a.png"], "invalid choice: 'finsh'"),
        ([], "required: COMMAND"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_and_leaves_nothing(run, folder, arguments, said):
    still(Path("a.png"))
    still(Path("a.jpg"))
    Path("there.png").write_text("mine")
    for name in ("empty.mp4", "empty.yaml"):
        Path(name).touch()
    Path("text.mp4").write_text("words\n" * 100)
    whole = Path("a.png").read_bytes()
    Path("cut.png").write_bytes(whole[: len(whole) // 2])
    header = b"IHDR" + bytes(8) + whole[24:29]  # width and height 0, and a checksum that fits
    Path("zero.png").write_bytes(whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:])
    numbered(folder / "s", 3)
    numbered(folder / "gap", 3)
    Path("gap/f_0002.png").unlink()
    before = names()
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert one_line(err)
    assert said in err
    assert names() == before


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("output", ["o.png", "new/"])
def test_a_disk_that_refuses_is_one_line(run, monkeypatch, code, output):
    still(Path("a.png"))
    write = Path.write_bytes

    def refusing(self, data):
        if "grainkit-part" in self.name:
            write(self, data[: len(data) // 2])
            raise OSError(code, os.strerror(code), str(self))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", refusing)
    status, out, err = run("finish", "a.png", "-o", output, "--quiet")
    assert (status, out) == (2, "")
    assert one_line(err)
    assert "with -o" in err
    assert names() == ["a.png"]


# Several inputs


def test_a_series_is_done_one_by_one_and_failures_do_not_stop_it(run):
    for name in ("a.png", "b.png"):
        still(Path(name))
    status, out, err = run("finish", "a.png", "gone.png", "b.png", "-o", "done", "--json")
    told = json.loads(out)
    assert status == 2
    assert [r["output"] for r in told["results"]] == ["done/a.social.jpg", "done/b.social.jpg"]
    assert len(told["failed"]) == 1
    assert "gone.png" in told["failed"][0]
    assert "1 of 3 inputs failed, 2 done" in err


def test_a_folder_of_unrelated_stills_is_a_series(run):
    Path("mixed").mkdir()
    for name in ("cat.png", "dog.jpg"):
        still(Path("mixed") / name)
    status, out, _ = run("finish", "mixed", "-o", "done/", "--seed", "1")
    assert status == 0
    assert [line.split()[1] for line in out.splitlines()] == ["done/cat.social.jpg", "done/dog.social.jpg"]


def test_a_series_that_fails_whole_leaves_no_folder(run):
    assert run("finish", "x.png", "y.png", "-o", "done/")[0] == 2
    assert names() == []


# The process


def piped(*arguments, **options):
    pipe = subprocess.PIPE
    return subprocess.Popen([*GRAINKIT, *map(str, arguments)], stdin=pipe, stdout=pipe, stderr=pipe, **options)


@pytest.mark.slow
def test_y4m_goes_through_a_pipe_unchanged(folder):
    given = y4m_of(clip(folder / "c.nut", pixel_format="yuv420p10le", frames=5))
    with piped("finish", "-", "-o", "-", *NONE) as process:
        out, err = process.communicate(given)
    assert process.returncode == 0, err
    assert out == given


@pytest.mark.slow
def test_a_reader_that_stops_early_is_said_in_one_line(folder):
    clip(folder / "c.nut", width=320, height=240, frames=30)
    with piped("finish", "c.nut", "-o", "-", "--quiet") as process:
        process.stdout.read(1000)
        process.stdout.close()
        assert process.wait(30) == 1
        assert process.stderr.read().decode() == "grainkit: the program that reads the output stopped early\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes a stream")
def test_where_standard_error_is_closed_nothing_but_frames_is_on_standard_output(folder):
    clip(folder / "c.nut")

    def run(*arguments):
        words = shlex.join([*GRAINKIT, "finish", *arguments])
        done = subprocess.run(["sh", "-c", f"{words} 2>&-"], capture_output=True, check=False)
        return done.returncode, done.stdout

    status, out = run("c.nut", "-o", "-", *NONE)
    assert status == 0
    assert out.startswith(b"YUV4MPEG2 ")
    assert run("missing.png", "-o", "-") == (2, b"")


@pytest.mark.parametrize(
    ("name", "value"), [("NUMBA_NUM_THREADS", "0"), ("NUMBA_NUM_THREADS", "abc"), ("NUMBA_DISABLE_JIT", "1")]
)
@pytest.mark.parametrize("command", [["finish", "c.nut"], ["doctor"], ["bench"], ["warm-up"]])
def test_variables_that_numba_cannot_work_by_are_said_in_one_line(folder, name, value, command):
    clip(folder / "c.nut")
    environment = {**os.environ, name: value}
    done = subprocess.run([*GRAINKIT, *command], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert one_line(done.stderr), done.stderr
    assert name in done.stderr


@pytest.mark.slow
def test_what_libraries_print_does_not_go_among_frames(folder):
    clip(folder / "c.nut")
    environment = {**os.environ, "NUMBA_DEBUG_CACHE": "1"}
    command = [*GRAINKIT, "finish", "c.nut", "-o", "-", "--quiet"]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    plain = subprocess.run(command, capture_output=True, check=True)
    assert b"[cache]" in done.stderr
    assert done.stdout == plain.stdout
    assert done.stdout.startswith(b"YUV4MPEG2 ")


@pytest.mark.parametrize("words", [["--preset", "a" * 20_000], ["--set", "a" * 20_000], ["--recipe", "a" * 20_000]])
def test_a_value_of_many_letters_is_cut_in_what_is_said_of_it(run, folder, words):
    still(folder / "a.png")
    status, _, said = run("finish", "a.png", *words)
    assert status == 2
    assert one_line(said)
    assert len(said) < 1000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("arguments", "status"), [(["finish", "c.nut", "-o", "-", "--quiet"], 2), (["presets"], 1)])
def test_standard_output_that_is_full_is_said_in_one_line(folder, arguments, status):
    clip(folder / "c.nut")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*GRAINKIT, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == status
    assert one_line(done.stderr)
    assert {"finish": "standard output", "presets": "while running grainkit presets: "}[arguments[0]] in done.stderr


@pytest.mark.slow
def test_standard_input_that_is_closed_or_no_y4m(folder):
    still(folder / "a.png")
    for stdin, said in ((None, "standard input is closed"), (folder / "a.png", "not Y4M")):
        command = [*GRAINKIT, "finish", "-", "-o", "o.mp4"]
        if stdin is None:
            closing = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
            done = subprocess.run(closing, capture_output=True, text=True, check=False)
        else:
            with stdin.open("rb") as file:
                done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert one_line(done.stderr)
        assert said in done.stderr
    assert names() == ["a.png"]


@pytest.mark.slow
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT, signal.SIGTERM]])
def test_an_interrupt_leaves_nothing(folder, signals):
    """The input is a pipe that says nothing more: a job that only waits can be interrupted too."""
    given = y4m_of(clip(folder / "c.nut", frames=6))
    process = piped("finish", "-", "-o", "o.nut", "--quiet")
    with process:
        process.stdin.write(given[:-100])
        process.stdin.flush()
        until = time.monotonic() + 120
        while not leftovers(folder) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        assert leftovers(folder)
        for number in signals:
            process.send_signal(number)
        assert process.wait(30) == 128 + signals[0]
        assert process.stderr.read().decode() == "grainkit: interrupted; nothing unfinished was left behind\n"
    assert names() == ["c.nut"]


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal_and_wiped(folder):
    clip(folder / "c.nut", frames=5)
    terminal, inner = pty.openpty()
    command = [*GRAINKIT, "finish", "c.nut", "-o", "o.nut"]
    subprocess.run(command, stdout=subprocess.PIPE, stderr=inner, check=True)
    os.close(inner)
    shown = b""
    while select.select([terminal], [], [], 0.2)[0]:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # a terminal with nobody at its other end
            break
    os.close(terminal)
    assert b"c.nut: frame 5/5, " in shown
    assert b"fps" in shown
    assert b"\r\x1b[K" in shown.rpartition(b"frame 5/5")[2]


def test_a_replay_by_the_command_in_the_sidecar(run, folder):
    clip(folder / "c.nut", frames=6)
    run("finish", "c.nut", "-o", "o.nut", "--frames", "2:5", "--seed", "3")
    command = next(line for line in Path("o.nut.grainkit.txt").read_text().splitlines() if "To make it again" in line)
    Path("o.nut").rename("first.nut")
    arguments = command.split("grainkit ", 1)[1].split()
    assert run(*arguments, "-o", "o.nut")[0] == 0
    for one, other in zip(frames_of(folder / "first.nut"), frames_of(folder / "o.nut"), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
