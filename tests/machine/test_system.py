"""Windows and macOS, which these tests cannot run on: nothing is used that they lack, and what can be acted is."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PureWindowsPath

import pytest

from grainkit.effects.grain.av1.table import read_table
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.errors import OutputError
from grainkit.hosts.cli import command as cli
from grainkit.io import names, sequence
from grainkit.io.names import folds_case, refuse_name
from grainkit.io.pending import Pending, sweep
from grainkit.job import series
from grainkit.job.sidecar import sidecar_path
from grainkit.machine import system
from grainkit.recipe.presets import load_recipe
from grainkit.report import bench
from grainkit.scale.interrupts import interrupts
from grainkit.scale.processes import SideBySide
from tests.drawn import leftovers, still
from tests.like_windows import MODULES, OS, SIGNAL

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "grainkit"
#: What opens no file of ours as text.
OTHER_OPENERS = {"av", "Image", "os", "codec_context"}
#: Folders that only Unix has.
PLACES = ("/dev/", "/proc/", "/sys/", "/tmp", "/etc/", "/var/")


def absent(source: str, *, guarded: bool) -> list[str]:
    """What a module uses that Windows lacks, or has otherwise, a line each. guarded: names are looked for first."""
    return [f"line {node.lineno}: {said}" for node, said in _found(ast.parse(source), guarded)]


def _found(tree: ast.AST, guarded: bool) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and not guarded:
            name = node.attr
            if (node.value.id == "os" and name in OS) or (node.value.id == "signal" and name in SIGNAL):
                yield node, f"{node.value.id}.{name}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            if not guarded:
                yield from ((node, f"import of {name}") for name in modules if name in MODULES)
            if isinstance(node, ast.ImportFrom):
                lacking = {"os": OS, "signal": SIGNAL}.get(str(node.module), frozenset())
                yield from ((node, f"{node.module}.{a.name}") for a in node.names if a.name in lacking)
                if node.module == "multiprocessing":
                    taken = {a.name for a in node.names} - {"get_context", "parent_process"}
                    yield from ((node, f"multiprocessing.{name} without a context") for name in sorted(taken))
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith(PLACES)
            and not guarded
        ):
            yield node, f"{node.value!r}"
        if isinstance(node, ast.Call):
            yield from ((node, said) for said in _called(node))


def _called(node: ast.Call) -> Iterator[str]:
    given = {keyword.arg for keyword in node.keywords}
    first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    if isinstance(node.func, ast.Name):
        name, owner = node.func.id, ""
    elif isinstance(node.func, ast.Attribute):
        name = node.func.attr
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else getattr(node.func.value, "attr", "")
    else:
        return
    if name == "open" and owner not in OTHER_OPENERS and "encoding" not in given:
        at = 0 if owner or isinstance(node.func, ast.Attribute) else 1
        mode = node.args[at].value if len(node.args) > at and isinstance(node.args[at], ast.Constant) else "r"
        if "b" not in str(mode):
            yield "open() of text without an encoding"
    if isinstance(node.func, ast.Attribute) and name in ("read_text", "write_text") and "encoding" not in given:
        yield f"{name}() without an encoding"
    if name == "write_text" and "newline" not in given:
        yield "write_text() makes other line ends there"
    if name == "get_context" and first != "spawn":
        yield "get_context() without 'spawn'"
    if name in ("Pool", "ProcessPoolExecutor"):
        yield f"{name}: processes come from SideBySide"
    started = name in ("run", "Popen", "call", "check_call", "check_output")
    if started and given & {"text", "universal_newlines"} and "encoding" not in given:
        yield f"{name}() as text without an encoding"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_is_used_that_windows_lacks(path):
    """`system.py` alone asks for such names, and looks whether they are there."""
    assert absent(path.read_text(encoding="utf-8"), guarded=path.name == "system.py") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import os; os.getuid()", "os.getuid"),
        ("import os; os.open('a', os.O_RDONLY | os.O_DIRECTORY)", "os.O_DIRECTORY"),
        ("from os import fork", "os.fork"),
        ("def f():\n    import fcntl", "import of fcntl"),
        ("import signal; signal.SIGHUP", "signal.SIGHUP"),
        ("from multiprocessing import Pool", "multiprocessing.Pool without a context"),
        ("get_context('fork')", "get_context() without 'spawn'"),
        ("ProcessPoolExecutor(2)", "processes come from SideBySide"),
        ("open('a')", "open() of text without an encoding"),
        ("open('a', 'w')", "open() of text without an encoding"),
        ("path.open()", "open() of text without an encoding"),
        ("path.read_text()", "read_text() without an encoding"),
        ("path.write_text('a', encoding='utf-8')", "write_text() makes other line ends there"),
        ("subprocess.run(['a'], text=True)", "run() as text without an encoding"),
        ("open('/proc/self/status', 'rb')", "'/proc/self/status'"),
    ],
)
def test_what_windows_lacks_is_found(line, said):
    assert any(said in one for one in absent(line, guarded=False))


@pytest.mark.parametrize("line", ["open('a', 'rb')", "path.open('rb')", "av.open('a')", "os.open('a', 2)"])
def test_what_it_has_is_not(line):
    assert absent(line, guarded=False) == []


# As on Windows, in a process of its own

BEGIN = """
from tests.like_windows import become; become()
import os, sys
from pathlib import Path
from grainkit.machine import system
from grainkit.errors import OutputError
from grainkit.io import pending
from grainkit.io.pending import LOCK, MARK, Pending, sweep
assert not (system.OPEN_FILES_MOVE or system.ENDS_WHEN_ASKED or hasattr(os, "getuid"))
pending._OPEN_FOR = 0.001
room = Path(sys.argv[1])
def names(folder=room): return sorted(p.name for p in folder.iterdir())
def refused(work, said):
    try: work()
    except OutputError as error: assert said in str(error), error
    else: raise AssertionError("it was not refused")
"""


def like_windows(code: str, room: Path, *arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-c", BEGIN + code, str(room), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=400)
    assert done.returncode == status, done.stderr
    return done.stdout


def test_the_act_refuses_what_windows_does(tmp_path):
    code = """
import errno
(room / "a").write_bytes(b"1")
for work in (
    lambda f: os.replace(room / "a", room / "b"), lambda f: os.unlink(room / "a"), lambda f: os.open(room, os.O_RDONLY),
    lambda f: os.fsync(f.fileno()), lambda f: room.rename(room.with_name("x")),
):
    with open(room / "a", "rb") as file:
        try: work(file)
        except OSError as error: print(error.errno)
assert names() == ["a"]
"""
    said = like_windows(code, tmp_path).split()
    assert said == ["13", "13", "13", "9", "13"]


def test_a_file_and_a_folder_are_put_in_place(tmp_path):
    code = """
made = Pending(room / "a.png")
made.path.write_bytes(b"new")
assert len(names()) == 2 and all(MARK in name for name in names())
assert [n for n in names() if n.endswith(LOCK)] == [made.path.name + LOCK]
made.commit()
assert names() == ["a.png"], names()
again = Pending(room / "a.png"); again.path.write_bytes(b"newer"); again.commit()
left = Pending(room / "a.png"); left.path.write_bytes(b"half"); left.abort()
assert names() == ["a.png"] and (room / "a.png").read_bytes() == b"newer"
for content in (b"1", b"2"):
    folder = Pending(room / "frames", folder=True)
    (folder.path / "f_1.png").write_bytes(content)
    (folder.path / "f_2.png").write_bytes(content)
    folder.commit()
    assert names() == ["a.png", "frames"], names()
    assert names(room / "frames") == ["f_1.png", "f_2.png"]
    assert (room / "frames" / "f_2.png").read_bytes() == content
"""
    like_windows(code, tmp_path)


def test_an_output_that_is_open_in_another_program_is_said_and_kept(tmp_path):
    code = """
(room / "a.png").write_bytes(b"old")
made = Pending(room / "a.png"); made.path.write_bytes(b"new")
with open(room / "a.png", "rb"):
    refused(made.commit, "a.png: it is open in another program, or read-only; close it there, or choose another name")
    made.abort()
assert names() == ["a.png"] and (room / "a.png").read_bytes() == b"old"
(room / "f").mkdir()
for n in (1, 2, 3): (room / "f" / f"f_{n}.png").write_bytes(b"old")
folder = Pending(room / "f", folder=True)
for n in (1, 2, 3): (folder.path / f"f_{n}.png").write_bytes(b"new")
with open(room / "f" / "f_2.png", "rb"):
    refused(folder.commit, "f_2.png: it is open in another program")
    folder.abort()
assert names(room / "f") == ["f_1.png", "f_2.png", "f_3.png"], names(room / "f")
assert {p.read_bytes() for p in (room / "f").iterdir()} == {b"old"}
"""
    like_windows(code, tmp_path)


def test_a_file_that_is_open_for_a_moment_is_waited_for(tmp_path):
    code = """
import threading, time
pending._OPEN_FOR = 0.1
made = Pending(room / "a.png"); made.path.write_bytes(b"new")
looked = open(made.path, "rb")
threading.Timer(0.3, looked.close).start()
made.commit()
assert (room / "a.png").read_bytes() == b"new"
"""
    like_windows(code, tmp_path)


@pytest.mark.slow
def test_what_a_killed_run_left_is_swept_and_what_is_held_or_kept_is_not(tmp_path):
    killed = """
made = [Pending(room / "a.png"), Pending(room / "frames", folder=True)]
(made[1].path / "f_1.png").write_bytes(b"half")
os._exit(9)
"""
    like_windows(killed, tmp_path, status=9)
    assert len(list(tmp_path.iterdir())) == 4
    code = """
held = Pending(room / "b.png")
foreign = room / f".c{MARK}12-0123abcd.png"; foreign.write_bytes(b"made where locks are on the file itself")
assert len(sweep(room, room / "a.png")) == 2
assert names() == sorted([held.path.name, held.path.name + LOCK, foreign.name]), names()
held.commit(); foreign.unlink()
orphan = room / f".d{MARK}12-0123abcd.png{LOCK}"; orphan.write_bytes(b"")
sweep(room, room / "a.png")
assert names() == ["b.png"], names()
kept = Pending(room / "frames", folder=True, kept="0123abcd")
(kept.path / "f_1.png").write_bytes(b"whole")
refused(lambda: Pending(room / "frames", folder=True, kept="0123abcd"), "another run is making")
assert sweep(room, room / "frames") == []
kept.abort()
again = Pending(room / "frames", folder=True, kept="0123abcd")
assert names(again.path) == ["f_1.png"]
again.commit()
assert names() == ["b.png", "frames"], names()
"""
    like_windows(code, tmp_path)


@pytest.mark.slow
def test_a_run_killed_while_it_moved_files_is_undone(tmp_path):
    (tmp_path / "f_1.png").write_text("old")
    killed = """
folder = Pending(room, folder=True)
for n in (1, 2): (folder.path / f"f_{n}.png").write_bytes(b"new")
real, left = os.replace, [3]
def dying(*args):
    if left[0] == 0: os._exit(9)
    left[0] -= 1
    real(*args)
os.replace = dying
folder.commit()
"""
    like_windows(killed, tmp_path, status=9)
    like_windows("assert len(sweep(room, room)) == 1; assert names() == ['f_1.png'], names()", tmp_path)
    assert (tmp_path / "f_1.png").read_text() == "old"


@pytest.mark.slow
def test_the_whole_command_runs_there(tmp_path, samples):
    """Still, clip and sequence, over what is there already and again: whole, with nothing left, and nothing read-only
    flushed or renamed while it is open, by FFmpeg neither."""
    code = """
from grainkit.hosts.cli import command as cli
source = Path(sys.argv[2])
plain = ["--no-adapt", "--set", "skin_texture.strength=0", "--quiet", "--overwrite", "--workers", "1"]
jobs = [
    [source / "portrait.png", "-o", room / "a.jpg"],
    [source / "clip.mp4", "-o", room / "a.mp4", "--frames", "0:4"],
    [source / "frames", "-o", room / "f_%02d.png", "--preset", "video/sequence", "--resume"],
    [source / "portrait.png", source / "portrait16.tif", "-o", f"{room}/series/"],
]
for _ in range(2):
    for job in jobs: assert cli.main(["finish", *map(str, job), *plain]) == 0
assert cli.main(["finish", str(source / "clip.mp4"), "-o", str(room / "nul.mp4")]) == 2
assert not [n for n in names() if MARK in n], names()
with open(room / "a.mp4", "rb"): assert cli.main(["finish", *map(str, jobs[1]), *plain]) == 2
assert not [n for n in names() if MARK in n], names()
"""
    like_windows(code, tmp_path, str(samples))
    assert (tmp_path / "a.jpg").stat().st_size > 1000
    assert len(list(tmp_path.glob("f_*.png"))) == 6
    assert sorted(p.name for p in (tmp_path / "series").glob("*.jpg")) == [
        "portrait.social.jpg",
        "portrait16.social.jpg",
    ]


# Processes that are asked by a word


def patient(job):
    """Work that goes on, in Python, until it is interrupted."""
    made = Pending(Path(job))
    Path(f"{job}.begun").touch()
    while made:
        time.sleep(0.01)


@pytest.mark.slow
def test_processes_that_hear_no_signal_are_asked_and_clean_up(tmp_path, monkeypatch):
    monkeypatch.setattr(system, "ENDS_WHEN_ASKED", False)
    monkeypatch.setattr("multiprocessing.context.SpawnProcess.terminate", lambda self: pytest.fail("ended on the spot"))

    def interrupt_once_begun():
        while len(list(tmp_path.glob("*.begun"))) < 2:
            time.sleep(0.02)
        begun.append(len(leftovers(tmp_path)))
        signal.raise_signal(signal.SIGINT)

    begun: list[int] = []
    asker = threading.Thread(target=interrupt_once_begun)
    with interrupts(), closing(SideBySide(2).map(patient, [str(tmp_path / "0"), str(tmp_path / "1")])) as found:
        asker.start()
        with pytest.raises(KeyboardInterrupt):
            next(found)
    asker.join()
    assert begun == [2]
    assert leftovers(tmp_path) == []


# Names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nul.png", "is the name of a device"),
        ("out/CON", "is the name of a device"),
        ("aux.tar.png", "is the name of a device"),
        ("com1.mp4", "is the name of a device"),
        ("LPT9 .png", "is the name of a device"),
        ("nul/a.png", "is the name of a device"),
        ("clip:1.mp4", "holds ':', which no name may"),
        ("what?.png", "holds '?', which no name may"),
        ("a\tb.png", r"holds '\t', which no name may"),
        ("out./a.png", "ends in a dot, which Windows leaves out"),
        ("a.png ", "ends in a space, which Windows leaves out"),
    ],
)
def test_names_that_windows_takes_otherwise_are_refused_there(tmp_path, monkeypatch, name, said):
    refuse_name(tmp_path / name)  # not here
    monkeypatch.setattr(system, "NAMES_LIKE_WINDOWS", True)
    with pytest.raises(OutputError, match=f"^cannot write .*{re.escape(said)}; choose another name with -o$"):
        refuse_name(tmp_path / name)
    with pytest.raises(OutputError, match=re.escape(said)):
        Pending(tmp_path / name)


@pytest.mark.parametrize("name", ["console.png", "a.nul", "nullify.png", "com10.png", ".hidden.png", "../ä.png"])
def test_names_that_it_takes_are_not(monkeypatch, name):
    monkeypatch.setattr(system, "NAMES_LIKE_WINDOWS", True)
    refuse_name(Path(name))


def test_a_reserved_name_is_refused_before_any_work(tmp_path, monkeypatch, capsys):
    still(tmp_path / "a.png")
    monkeypatch.setattr(system, "NAMES_LIKE_WINDOWS", True)
    assert cli.main(["finish", str(tmp_path / "a.png"), "-o", str(tmp_path / "aux.png"), "--dry-run"]) == 2
    assert "'aux.png' is the name of a device" in capsys.readouterr().err


def test_a_folder_is_named_with_the_systems_own_separator_too(tmp_path, monkeypatch):
    assert series.series_output(["a.png", "b.png"], "v1.5/") == "v1.5/"
    with pytest.raises(OutputError, match="do not fit"):
        series.series_output(["a.png", "b.png"], "v1.5\\")
    monkeypatch.setattr(names, "_SEPARATORS", ("/", "\\"))
    assert series.series_output(["a.png", "b.png"], "v1.5\\") == "v1.5\\"
    assert series.series_output(["a.png", "b.png"], "v1") == "v1/"


# Where case tells no files apart: names of one file in both cases, as hard links, are what such a folder shows.


def both_cases(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    os.link(folder / name, folder / name.swapcase())


def test_a_folder_tells_whether_it_folds_case(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    assert not folds_case(tmp_path)
    assert not folds_case(tmp_path / "new" / "er")
    (tmp_path / "a.png").unlink()
    both_cases(tmp_path, "a.png")
    assert folds_case(tmp_path)
    assert folds_case(tmp_path / "new" / "er")


def test_inputs_whose_outputs_differ_by_case_alone_are_refused_where_they_are_one(tmp_path, monkeypatch):
    inputs = [str(tmp_path / "A.png"), str(tmp_path / "b.png"), str(tmp_path / "a.tif")]
    out = f"{tmp_path}/out/"
    assert series.series_output(inputs, out) == out
    monkeypatch.setattr(series, "folds_case", lambda folder: folder == Path(out))
    with pytest.raises(OutputError, match=r"A\.png and .*a\.tif would become the same file"):
        series.series_output(inputs, out)
    assert series.series_output(inputs, None) is None
    monkeypatch.setattr(series, "folds_case", lambda folder: folder == tmp_path)
    with pytest.raises(OutputError, match="would become the same file"):
        series.series_output(inputs, None)


def test_an_input_of_another_case_is_never_overwritten(tmp_path, capsys):
    still(tmp_path / "A.PNG")
    before = (tmp_path / "A.PNG").read_bytes()
    os.link(tmp_path / "A.PNG", tmp_path / "a.png")
    assert cli.main(["finish", str(tmp_path / "A.PNG"), "-o", str(tmp_path / "a.png"), "--overwrite"]) == 2
    assert "it is the input, which is never overwritten" in capsys.readouterr().err
    assert (tmp_path / "A.PNG").read_bytes() == before


def test_numbered_files_of_another_case_are_seen_where_they_are_the_same(tmp_path, monkeypatch):
    (tmp_path / "F_001.PNG").write_bytes(b"x")
    pattern = sequence.parse_pattern(tmp_path / "f_%03d.png")
    assert pattern.numbers() == []
    os.link(tmp_path / "F_001.PNG", tmp_path / "f_001.png")
    monkeypatch.setattr(sequence, "_listed", lambda folder: [tmp_path / "F_001.PNG"])  # as it lists one
    assert pattern.numbers() == [1]


# Texts that came over from there


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
def test_recipes_sidecars_and_grain_tables_with_crlf_and_a_mark_are_read(tmp_path, begin):
    text = (
        "grainkit: 1\r\nextends: social\r\nname: mine\r\nstill:\r\n  effects:\r\n    cinema_grain:\r\n"
        "      strength: 1.25\r\n"
    )
    (tmp_path / "a.yaml").write_bytes(begin + text.encode())
    assert load_recipe(str(tmp_path / "a.yaml")).for_kind("still").effect(CinemaGrain).strength == 1.25
    still(tmp_path / "a.png")
    plain = ["--no-adapt", "--set", "skin_texture.strength=0", "--quiet"]
    assert cli.main(["finish", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), *plain]) == 0
    sidecar = tmp_path / "b.png.grainkit.txt"
    sidecar.write_bytes(begin + sidecar.read_bytes().replace(b"\n", b"\r\n"))
    again = ["finish", str(tmp_path / "a.png"), "-o", str(tmp_path / "c.png"), "--recipe", str(sidecar), "--quiet"]
    assert cli.main(again) == 0
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()
    table = (
        "filmgrn1\r\nE 0 9223372036854775807 1 7391 1\r\n\tp 0 6 0 8 0 1 128 192 256 128 192 256\r\n"
        "\tsY 2 0 20 255 20\r\n\tsCb 0\r\n\tsCr 0\r\n\tcY\r\n\tcCb 0\r\n\tcCr 0\r\n"
    )
    (tmp_path / "a.tbl").write_bytes(begin + table.encode())
    (entry,) = read_table(tmp_path / "a.tbl", clip=True).entries
    assert entry[2].luma_points == ((0, 20), (255, 20))


def test_what_powershell_leads_into_a_file_is_read(tmp_path, capsys):
    assert cli.main(["presets", "print/a4"]) == 0
    text = capsys.readouterr().out.replace("\n", "\r\n")
    (tmp_path / "mine.yaml").write_bytes(text.encode("utf-16"))
    assert load_recipe(str(tmp_path / "mine.yaml")).still == load_recipe("print/a4").still
    row = bench.Row("cover", (640, 480), 8, 1.0, 1.0, 1.0, 1.0)
    kept = json.dumps(bench.as_mapping({"backend": "cpu"}, [row]))
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "kept.json").write_bytes(kept.encode(encoding))
        assert bench.load(tmp_path / "kept.json") == ({"backend": "cpu"}, [row])


def test_a_drive_letter_is_no_scheme_and_its_percent_no_pattern(monkeypatch):
    monkeypatch.setattr(system, "NAMES_LIKE_WINDOWS", True)
    for place in (r"C:\100%\f_%05d.png", r"C:f_%05d.png", r"\\nas\share\f_%05d.png", r"\\?\C:\long\f_%05d.png"):
        refuse_name(PureWindowsPath(place))
    monkeypatch.setattr(sequence, "Path", PureWindowsPath)
    pattern = sequence.parse_pattern(r"C:\100%\f_%05d.png")
    assert pattern.path(7) == PureWindowsPath(r"C:\100%\f_00007.png")
    assert str(sidecar_path(PureWindowsPath(r"C:\100%\f_%05d.png"))) == r"C:\100%\f.png.grainkit.txt"
    assert sequence.parse_pattern(r"C:\100%d\a.png") is None


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_console_that_lacks_characters_is_no_error(tmp_path, encoding):
    named = ["ł雪.png", os.fsdecode(b"a\xff.png")]
    for name in named:
        still(tmp_path / name)
    command = [sys.executable, "-m", "grainkit", "finish", *named, "-o", "out/", "--no-adapt"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    plain = ["--set", "skin_texture.strength=0", "--workers", "1"]
    done = subprocess.run([*command, *plain], cwd=tmp_path, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"a\\udcff.social.jpg" in done.stdout
    assert ("ł雪" if encoding == "utf-8" else "\\u0142\\u96ea").encode() in done.stdout


# macOS


def test_on_macos_the_disk_itself_is_flushed_once_for_many_files(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(system.fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(system.fcntl, "fcntl", lambda handle, what: asked.append(what))
    made = Pending(tmp_path / "frames", folder=True)
    for n in range(3):
        (made.path / f"f_{n}.png").write_bytes(b"x")
    made.commit()
    assert asked == [51]
    one = Pending(tmp_path / "a.png")
    one.commit()
    assert asked == [51, 51]

    def refusing(handle, what):
        raise OSError(45, "Operation not supported")

    monkeypatch.setattr(system.fcntl, "fcntl", refusing)  # a network disk
    Pending(tmp_path / "b.png").commit()
    assert (tmp_path / "b.png").exists()


def test_a_disk_that_both_share_keeps_what_either_holds(tmp_path, monkeypatch):
    """Here the lock is on the file; one that Windows holds by a file beside it is heeded."""
    monkeypatch.setattr(system, "OPEN_FILES_MOVE", False)
    theirs = Pending(tmp_path / "a.png")
    monkeypatch.setattr(system, "OPEN_FILES_MOVE", True)
    assert sweep(tmp_path, tmp_path / "a.png") == []
    ours = Pending(tmp_path / "b.png")
    monkeypatch.setattr(system, "OPEN_FILES_MOVE", False)
    assert sweep(tmp_path, tmp_path / "a.png") == []
    theirs.commit()
    monkeypatch.setattr(system, "OPEN_FILES_MOVE", True)
    ours.commit()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]
