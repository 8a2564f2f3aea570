"""A series by several processes: the same files and words as by one, and none of them outlives the command."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from grainkit.hosts.cli import command as cli
from grainkit.io.pending import Pending
from grainkit.job import series
from grainkit.job.series import at_once
from grainkit.scale.executors import Ended
from grainkit.scale.processes import SideBySide
from tests.drawn import leftovers, still

pytestmark = pytest.mark.slow

PLAIN = ["--no-adapt", "--set", "skin_texture.strength=0"]


def worked(job):
    """What the processes of these tests do: a file under construction at a time, some of them for ever."""
    pending = Pending(Path(job["to"]))
    pending.path.write_text("half")
    if job["what"] == "wait":
        Path(f"{job['to']}.begun").touch()
        time.sleep(600)
    if job["what"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(job["what"] == "slow")
    pending.commit()
    return job["to"], os.environ["OPENCV_FOR_THREADS_NUM"]


def jobs(folder, *what):
    return [{"to": str(folder / f"{at}.txt"), "what": each} for at, each in enumerate(what)]


def until(true, seconds=240.0):
    """Wait for what must come to pass; each process may have the pass to compile first."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_results_keep_their_order_and_one_that_is_killed_is_one_alone(tmp_path):
    done = []
    asked = jobs(tmp_path, "slow", "die", "quick", "quick")
    found = list(SideBySide(2, done.append).map(worked, asked))
    assert found[1] == Ended(-signal.SIGKILL)
    share = str(max(1, (os.cpu_count() or 1) // 2))
    assert [each for each in found if not isinstance(each, Ended)] == [(asked[n]["to"], share) for n in (0, 2, 3)]
    assert done == [1, 2, 3, 4]


def test_who_stops_early_leaves_nothing_running_or_half_done(tmp_path):
    with closing(SideBySide(3).map(worked, jobs(tmp_path, "quick", "wait", "wait"))) as found:
        assert next(found)[0] == str(tmp_path / "0.txt")
        until(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
        assert len(leftovers(tmp_path)) == 2
    assert leftovers(tmp_path) == []


@pytest.fixture
def stills(tmp_path, monkeypatch):
    """A folder of three stills and one that is none, from which the command is run."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "stills"
    folder.mkdir()
    for at, name in enumerate(("ant", "cow", "dog")):
        still(folder / f"{name}.png", 96, 64, phase=at / 3)
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n but not for long")
    return tmp_path


def test_two_processes_make_the_same_files_and_words_as_one(stills, capsys):
    said = []
    for count, out in ((1, "one/"), (2, "two/")):
        status = cli.main(["finish", "stills", "-o", out, "--workers", str(count), *PLAIN])
        captured = capsys.readouterr()
        lines = [line.rpartition(", ")[0] for line in captured.out.replace(out, "").splitlines()]
        said.append((status, lines, captured.err.replace(out, "")))
    assert said[0] == said[1]
    assert said[0][0] == 2
    assert [line.split()[0] for line in said[0][1]] == ["[1/4]", "[3/4]", "[4/4]"]
    assert "bad.png" in said[0][2]
    files = [sorted(p.name for p in (stills / out).iterdir()) for out in ("one", "two")]
    assert files[0] == files[1]
    assert len(files[0]) == 6
    for name in files[0]:
        assert (stills / "one" / name).read_bytes() == (stills / "two" / name).read_bytes()


def test_what_is_done_is_left_out_and_all_failing_leaves_no_folder(stills, capsys):
    (stills / "stills" / "bad.png").unlink()
    command = ["finish", "stills", "-o", "out/", "--workers", "2", "--json", "--quiet", *PLAIN]
    assert cli.main(command) == 0
    (stills / "out" / "cow.social.jpg").unlink()
    capsys.readouterr()
    assert cli.main([*command, "--resume"]) == 0
    assert [each["skipped"] for each in json.loads(capsys.readouterr().out)["results"]] == [True, False, True]
    assert cli.main(["finish", "x.png", "y.png", "-o", "none/", "--workers", "2"]) == 2
    assert not (stills / "none").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_command_takes_its_processes_with_it(tmp_path, number):
    one = still(tmp_path / "first.png", 1200, 900)
    for at in range(59):
        shutil.copy(one, tmp_path / f"{chr(97 + at % 26)}{at}x.png")
    command = [
        sys.executable,
        "-m",
        "grainkit",
        "finish",
        str(tmp_path),
        "-o",
        f"{tmp_path}/out/",
        "--workers",
        "2",
        *PLAIN,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        # Of three, one at least is done with: what is being put in its place as the signal comes is taken back.
        until(lambda: len(list(tmp_path.glob("out/[!.]*.txt"))) >= 3)
        if number == signal.SIGKILL:
            process.kill()  # it alone
        else:
            os.killpg(process.pid, number)  # as a terminal does
        _, said = process.communicate(timeout=240)

    def gone():
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    until(gone)
    if number == signal.SIGINT:
        assert process.returncode == 128 + number
        assert said.decode().splitlines()[-1] == "grainkit: interrupted; nothing unfinished was left behind"
        assert b"Traceback" not in said
        assert leftovers(tmp_path / "out") == []
    pictures = {p.name for p in (tmp_path / "out").glob("[!.]*.jpg")}
    assert 0 < len(pictures) < 60
    if number == signal.SIGINT:
        # A picture comes before its sidecar, and is whole: a signal between the two may leave it alone.
        assert {p.name for p in (tmp_path / "out").glob("[!.]*.txt")} <= {f"{name}.grainkit.txt" for name in pictures}


def test_how_many_at_once(tmp_path, monkeypatch):
    stills = [str(still(tmp_path / f"{name}.png")) for name in ("a", "b", "c")]
    monkeypatch.setattr(series, "cores", lambda: 8)
    monkeypatch.setattr(series, "memory", lambda: 5 << 30)
    assert at_once(stills, None, "cpu") == 1  # small ones are done before a process has begun
    monkeypatch.setattr(series, "WORTH_IT", 1)
    assert at_once(stills, None, "cpu") == 2  # of 2 GiB each
    monkeypatch.setattr(series, "memory", lambda: 500 << 30)
    assert at_once(stills, None, "cpu") == 3
    assert at_once(stills, 2, "cpu") == 2
    assert at_once(stills, 9, "cuda") == 1
    assert at_once([*stills, "clip.mp4"], 9, "cpu") == 1
    monkeypatch.setattr(series, "find_spec", lambda name: None)
    assert at_once(stills, 9, "auto") == 3
    monkeypatch.setattr(series, "find_spec", lambda name: name)
    assert at_once(stills, 9, "auto") == 1
