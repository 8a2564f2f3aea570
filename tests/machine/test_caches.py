"""Where caches go on a machine with no home, a package that cannot be written, or nothing that can."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from grainkit.effects.skin_texture.atlas import load_atlas
from grainkit.machine import caches, compiling, jit
from grainkit.report import doctor

#: A function of a package whose `__pycache__` is a file: nobody can write there, the administrator neither.
SOURCE = """
from grainkit.machine.jit import njit

@njit(cache=True)
def twice(x):
    return 2 * x
"""
CALL = """
import sys; sys.path.insert(0, sys.argv[1])
from grainkit.machine import jit
from grainkit.machine.compiling import watched
from fixed import twice
from pathlib import Path
import numba
with watched(told=False, shown=False) as seen:
    assert twice(21) == 42
place = jit.kept(Path(sys.argv[1]))
print(seen.functions, place.folder, place.passing, numba.config.CACHE_DIR == "")
"""


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine where neither the package nor a home can be written."""
    (tmp_path / "file").write_text("")
    for name in ("NUMBA_CACHE_DIR", caches.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "file"))
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(caches.tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def call(nowhere):
    """Call a function of a package that cannot be written, in a process of its own: what CALL prints."""
    package = nowhere / "package"
    package.mkdir()
    (package / "fixed.py").write_text(SOURCE)
    (package / "__pycache__").write_text("")

    def run(**environment: str) -> list[str]:
        command = [sys.executable, "-c", CALL, str(package)]
        told = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        done = subprocess.run(command, capture_output=True, text=True, env=told, cwd=nowhere)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


@pytest.mark.slow
def test_without_home_compiled_code_is_kept_under_the_temporary_folder(call, nowhere):
    kept = str(caches.place().folder / "compiled")
    assert kept.startswith(str(nowhere / "temporary" / "grainkit"))
    assert call() == ["1", kept, "True", "True"]
    assert call() == ["0", kept, "True", "True"]
    assert stat.S_IMODE(Path(kept).parent.stat().st_mode) == 0o700


def test_a_home_that_can_be_written_comes_first(call, nowhere):
    (nowhere / "home").mkdir()
    kept = str(nowhere / "home" / "grainkit" / "compiled")
    assert call(XDG_CACHE_HOME=str(nowhere / "home")) == ["1", kept, "False", "True"]


@pytest.mark.slow
def test_numba_cache_dir_is_honoured(call, nowhere):
    kept = str(nowhere / "mine")
    assert call(NUMBA_CACHE_DIR=kept) == ["1", kept, "False", "False"]
    assert call(NUMBA_CACHE_DIR=kept) == ["0", kept, "False", "False"]


@pytest.mark.slow
def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(call, nowhere):
    (nowhere / "temporary" / caches.place().folder.name).chmod(0o755)  # open to others: not ours to trust
    assert call() == ["1", "None", "False", "True"]
    assert call() == ["1", "None", "False", "True"]


@pytest.mark.slow
def test_a_cache_that_others_filled_and_that_cannot_be_written_is_copied(call, nowhere):
    """As in an image: warmed up by its maker, used by another."""
    mine = nowhere / "mine"
    assert call(NUMBA_CACHE_DIR=str(mine))[0] == "1"
    (folder,) = mine.iterdir()
    filled = nowhere / "filled"
    mine.rename(filled)
    # Run as root, tests can write anywhere: told that it cannot be written.
    code = (
        "import grainkit.machine.caches as c; real = c.writable\n"
        "c.writable = lambda p: p.name != 'filled' and real(p)\n"
    )
    command = [sys.executable, "-c", code + CALL, str(nowhere / "package")]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(filled)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split()[:1] == ["0"]
    copied = caches.place().folder / "compiled" / folder.name
    assert sorted(p.name for p in copied.iterdir()) == sorted(p.name for p in (filled / folder.name).iterdir())


@pytest.mark.slow
def test_code_compiled_for_a_type_that_has_another_name_now_is_compiled_again(nowhere):
    source = """
from typing import NamedTuple
from grainkit.machine.jit import uncounted

class Before(NamedTuple):
    number: int

@uncounted()
def twice(x):
    return 2 * x.number

assert twice(Before(21)) == 42
print(sum(twice.stats.cache_hits.values()))
"""
    hits = []
    for name in ("Before", "Before", "Now", "Now"):
        (nowhere / "renamed.py").write_text(source.replace("Before", name))
        os.utime(nowhere / "renamed.py", (1e9, 1e9 + (name == "Now")))  # numba looks at the time and the size
        told = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(nowhere / "kept")}
        command = [sys.executable, "-c", "import renamed"]
        done = subprocess.run(command, capture_output=True, text=True, env=told, cwd=nowhere)
        assert done.returncode == 0, done.stderr
        hits.append(done.stdout.strip())
    assert hits == ["0", "1", "0", "1"]


def test_a_folder_of_another_user_or_open_to_others_is_refused(nowhere, monkeypatch):
    safe = caches.place()
    assert safe.kind == "temporary"
    assert "file" in safe.why
    safe.folder.chmod(0o770)
    assert caches.place().folder is None
    assert caches.place().why.endswith("is open to other users")
    safe.folder.chmod(0o700)
    monkeypatch.setattr(caches, "user", lambda: os.getuid() + 1)
    safe.folder.rename(safe.folder.with_name(f"grainkit-{os.getuid() + 1}"))
    assert caches.place().why.endswith("is another user's")
    monkeypatch.undo()


def test_a_link_in_the_temporary_folder_is_not_followed(nowhere):
    (nowhere / "elsewhere").mkdir(mode=0o700)
    folder = caches.place().folder
    folder.rmdir()
    folder.symlink_to(nowhere / "elsewhere")
    assert caches.place().why.endswith("is no folder")


def test_a_temporary_folder_where_others_may_replace_it_is_refused(nowhere):
    (nowhere / "temporary").chmod(0o777)
    assert caches.place().why.endswith("lies where other users may replace it")
    (nowhere / "temporary").chmod(0o1777)
    assert caches.place().kind == "temporary"


def test_the_folder_one_stands_in_is_no_temporary_folder(nowhere, monkeypatch):
    monkeypatch.delenv("TMPDIR")
    monkeypatch.chdir(nowhere)
    monkeypatch.setattr(caches.tempfile, "gettempdir", lambda: str(nowhere))
    assert caches.place() == caches.Place(None, "none", caches.place().why)
    assert list(nowhere.glob("grainkit*")) == []


def test_without_any_home_nothing_is_made_in_the_folder_one_stands_in(nowhere, monkeypatch):
    """Older platformdirs leave `~` as it is, newer ones raise an error."""
    monkeypatch.chdir(nowhere)
    monkeypatch.setattr(caches, "user_cache_path", lambda *_, **__: Path("~/.cache/grainkit"))
    assert caches.place().why == "there is no home folder"

    def refusing(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(caches, "user_cache_path", refusing)
    assert caches.place().why == "there is no home folder"
    assert not (nowhere / "~").exists()


@pytest.mark.slow
def test_skins_are_baked_where_they_cannot_be_kept(nowhere, monkeypatch):
    monkeypatch.setattr("grainkit.effects.skin_texture.atlas.cache_folder", lambda: None)
    assert load_atlas(3, "young", 0.24).texel == 0.24


@pytest.mark.parametrize("home", ["", "home"])
def test_cupy_is_told_of_a_folder_only_where_it_has_none(nowhere, monkeypatch, home):
    monkeypatch.delenv("CUPY_CACHE_DIR", raising=False)
    if home:
        (nowhere / home).mkdir()
        monkeypatch.setenv("HOME", str(nowhere / home))
    before = dict(os.environ)
    caches.find_for_cupy()
    said = {k: v for k, v in os.environ.items() if before.get(k) != v}
    assert said == ({} if home else {"CUPY_CACHE_DIR": str(caches.place().folder / "cuda")})
    monkeypatch.delenv("CUPY_CACHE_DIR", raising=False)


# What is said of it


def test_what_is_said_before_compiling_begins():
    here, there = jit.Kept(Path("/x")), jit.Kept(Path("/tmp/x"), passing=True, why="/y cannot be written")
    assert compiling.announcement(here, cold=True) == "compiling for this machine, once; about 40 s"
    assert compiling.announcement(here, cold=False) == "compiling what was not needed here before, once"
    assert "kept in /tmp/x, as /y cannot be written; set NUMBA_CACHE_DIR" in compiling.announcement(there, cold=True)
    none = compiling.announcement(jit.Kept(None, why="/y cannot be written"), cold=True)
    assert "every time, as it cannot be kept: /y cannot be written; set NUMBA_CACHE_DIR" in none
    assert "once" not in none


TELL = """
import sys; sys.path.insert(0, sys.argv[1])
from grainkit.machine.compiling import watched
from fixed import twice
with watched(told=sys.argv[2] == "told", shown=False):
    twice(21)
"""


@pytest.mark.slow
def test_it_is_said_once_on_stderr_and_never_where_all_is_compiled(nowhere):
    package = nowhere / "package"
    package.mkdir()
    (package / "fixed.py").write_text(SOURCE + SOURCE.replace("2 * x", "other(x)").replace("twice", "other_twice"))
    (package / "fixed.py").write_text(SOURCE.replace("twice", "other") + SOURCE.replace("2 * x", "other(x)"))

    def run(told: str, cache: str) -> tuple[str, str]:
        command = [sys.executable, "-c", TELL, str(package), told]
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(nowhere / cache)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout, done.stderr

    assert run("told", "a") == ("", "grainkit: compiling for this machine, once; about 40 s\n")
    assert run("told", "a") == ("", "")
    assert run("quiet", "b") == ("", "")


def test_the_doctor_says_where_compiled_code_is_kept(monkeypatch):
    monkeypatch.setattr(doctor, "kept", lambda: jit.Kept(None, why="/y cannot be written"))
    found = {f.what: f for f in doctor.examine()}["compiled code"]
    assert not found.works
    assert "/y cannot be written" in found.detail
    assert "NUMBA_CACHE_DIR" in found.remedy
    passing = jit.Kept(Path("/tmp/x"), passing=True, why="/y cannot be written")
    monkeypatch.setattr(doctor, "kept", lambda: passing)
    found = {f.what: f for f in doctor.examine()}["compiled code"]
    assert not found.works
    assert found.detail == "kept in /tmp/x, as /y cannot be written"


_FULL = """
import logging, resource, sys; sys.path.insert(0, sys.argv[1])
logging.getLogger("grainkit").addHandler(logging.NullHandler())
from grainkit.machine.compiling import watched
from fixed import twice
with watched(told=True, shown=False):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # as a disk without room: files can be made, and take nothing
    print(twice(21), twice(1.5))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on what files may take")
def test_a_full_disk_costs_what_would_be_kept_and_nothing_else(nowhere):
    package = nowhere / "package"
    package.mkdir()
    (package / "fixed.py").write_text(SOURCE)
    where = {**os.environ, "NUMBA_CACHE_DIR": str(nowhere / "full"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", _FULL, str(package)]
    run = subprocess.run(command, capture_output=True, text=True, env=where, check=False)
    assert run.stdout == "42 3.0\n", run.stderr
    assert run.stderr.count("cannot be kept") == 1
    assert "free some space" in run.stderr
