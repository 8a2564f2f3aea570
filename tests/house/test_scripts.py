"""The scripts of the checkout: which Python they take, and what they say where there is none."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

#: Stands in for a Python: it says which one it is, makes environments of itself, and writes down what pip is asked for.
PYTHON = """#!/bin/sh
case "$1 $2" in
"-c "*nvrtc*) cat nvrtc-is-missing 2>&- || true ;;
"-c "*executable*) echo "{version} $0" ;;
"-c "*) echo "{version}" ;;
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip")
    echo "{version} $*" >>pip.log
    if [ -e offline ]; then echo "no index" >&2; exit 1; fi
    rm -f nvrtc-is-missing ;;
"-m pytest") echo "$*" ;;
*) exit 1 ;;
esac
"""
#: What pyenv leaves on PATH for a version that is not chosen.
SHIM = '#!/bin/sh\necho "pyenv: ${0##*/}: command not found" >&2\nexit 127\n'


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path):
    """A checkout of scripts and pyproject.toml alone, on a machine without any Python."""
    shutil.copytree(SCRIPTS, tmp_path / "checkout" / "scripts")
    shutil.copy(SCRIPTS.parent / "pyproject.toml", tmp_path / "checkout")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "chmod", "cksum", "cp", "dirname", "env", "grep", "mkdir", "rm", "sed", "sh", "sort"):
        (tools / name).symlink_to(shutil.which(name))
    return tmp_path / "checkout"


def run(checkout, name, *arguments):
    place = checkout.parent
    environment = {"PATH": f"{place / 'bin'}{os.pathsep}{place / 'tools'}", "PYENV_ROOT": str(place / "pyenv")}
    return subprocess.run(
        [checkout / "scripts" / name, *arguments],
        env=environment,
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def on_path(checkout, name, text):
    return executable(checkout.parent / "bin" / name, text)


def of_pyenv(checkout, version):
    place = checkout.parent / "pyenv" / "versions" / version / "bin" / "python"
    return executable(place, PYTHON.format(version=version.rpartition(".")[0]))


def test_pythons_are_those_on_path_and_then_pyenvs(checkout):
    old = on_path(checkout, "python3.11", PYTHON.format(version="3.11"))
    on_path(checkout, "python3.12", SHIM)
    on_path(checkout, "python3", PYTHON.format(version="3.14"))
    middle = of_pyenv(checkout, "3.12.10")
    for version in ("3.10.1", "3.11.9", "3.12.9", "3.14.0"):
        of_pyenv(checkout, version)
    done = run(checkout, "pythons")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"3.11 {old}", f"3.12 {middle}"]


def test_a_plain_python3_of_a_supported_version_will_do(checkout):
    on_path(checkout, "python3.13", SHIM)
    plain = on_path(checkout, "python3", PYTHON.format(version="3.13"))
    assert run(checkout, "pythons").stdout == f"3.13 {plain}\n"


def test_setup_takes_no_python_that_is_not_supported(checkout):
    """It took any python3 from 3.11 on: 3.14, on which there is no numba."""
    on_path(checkout, "python3", PYTHON.format(version="3.14"))
    on_path(checkout, "python3.13", SHIM)
    of_pyenv(checkout, "3.14.0")
    done = run(checkout, "setup")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("scripts/setup: grainkit needs Python 3.11 or 3.12 or 3.13, ")
    assert not (checkout / ".venv").exists()
    of_pyenv(checkout, "3.12.1")
    assert run(checkout, "setup").returncode == 0
    assert {line.split()[0] for line in (checkout / "pip.log").read_text().splitlines()} == {"3.12"}


def test_setup_makes_an_environment_of_an_unsupported_python_again(checkout):
    executable(checkout / ".venv" / "bin" / "python", PYTHON.format(version="3.14"))
    (checkout / ".venv" / "of the old one").touch()
    sum_ = subprocess.run(["cksum"], input=(checkout / "pyproject.toml").read_bytes(), capture_output=True, check=True)
    (checkout / ".venv" / ".grainkit-setup").write_bytes(sum_.stdout)
    assert run(checkout, "setup").returncode == 2  # nothing to make it with
    assert (checkout / ".venv" / "of the old one").exists()
    on_path(checkout, "python3.12", PYTHON.format(version="3.12"))
    assert run(checkout, "setup").returncode == 0
    assert not (checkout / ".venv" / "of the old one").exists()
    assert "pip install" in (checkout / "pip.log").read_text()

    (checkout / "pip.log").unlink()
    again = run(checkout, "setup")
    assert (again.returncode, again.stderr) == (0, "")
    assert not (checkout / "pip.log").exists()


def test_setup_keeps_an_environment_of_a_supported_python(checkout):
    on_path(checkout, "python3.13", PYTHON.format(version="3.13"))
    executable(checkout / ".venv" / "bin" / "python", PYTHON.format(version="3.11"))
    (checkout / ".venv" / "of the old one").touch()
    assert run(checkout, "setup").returncode == 0
    assert (checkout / ".venv" / "of the old one").exists()
    assert "3.11 -m pip install" in (checkout / "pip.log").read_text()


NVRTC_SKIPS = "scripts/test: the tests that compile the CUDA kernels with NVRTC skip: "


@pytest.fixture
def set_up(checkout):
    """The checkout after its first scripts/setup, without NVRTC."""
    on_path(checkout, "python3.13", PYTHON.format(version="3.13"))
    assert run(checkout, "setup").returncode == 0
    (checkout / "pip.log").unlink()
    (checkout / "nvrtc-is-missing").write_text("it is not installed\n")
    return checkout


def test_the_tests_get_nvrtc_first(set_up):
    done = run(set_up, "test", "-x", "tests/io")
    assert (done.returncode, done.stdout, done.stderr) == (0, "-m pytest -n auto --dist loadfile -x tests/io\n", "")
    assert (set_up / "pip.log").read_text().endswith("-e .[cudacheck]\n")
    (set_up / "pip.log").unlink()
    assert run(set_up, "test").stderr == ""
    assert not (set_up / "pip.log").exists()


def test_where_nvrtc_cannot_be_had_one_line_says_what_skips_and_why(set_up):
    (set_up / "offline").touch()
    done = run(set_up, "test")
    assert done.stderr == f"{NVRTC_SKIPS}it cannot be installed (no index)\n"
    assert done.stdout == "-m pytest -n auto --dist loadfile\n"


def test_quick_tests_are_those_not_marked_slow_and_install_nothing(set_up):
    done = run(set_up, "test", "--quick", "tests/io")
    assert done.stdout == "-m pytest -n auto --dist loadfile -m not slow tests/io\n"
    assert done.stderr == f"{NVRTC_SKIPS}it is not installed\n"
    assert not (set_up / "pip.log").exists()


@pytest.fixture
def check_wheel(monkeypatch):
    """The module, on a machine with 3.12 and 3.13 beside the 3.11 of .venv; nothing is built or installed."""
    spec = spec_from_file_location("check_wheel", SCRIPTS / "check_wheel.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    here = {"3.13": Path("/here/3.13"), "3.12": Path("/here/3.12"), "3.11": Path("/here/3.11")}
    monkeypatch.setattr(module, "pythons", lambda: here)
    monkeypatch.setattr(module, "OWN", "3.11")
    monkeypatch.setattr(module, "built", lambda: Path("grainkit.whl"))
    monkeypatch.setattr(module, "drawn", lambda: Path("inputs"))
    return module


def checked(module, monkeypatch, capsys, outcomes, *arguments):
    """(Exit status, versions that were checked, what was said) where `outcomes` says what comes of each."""
    asked = []

    def check(version, *_, **__):
        asked.append(version)
        if version in outcomes:
            raise outcomes[version]

    monkeypatch.setattr(module, "check", check)
    monkeypatch.setattr(sys, "argv", ["check-wheel", *arguments])
    return module.main(), asked, capsys.readouterr().out


def test_the_wheel_is_checked_on_the_other_pythons_and_each_outcome_is_told(check_wheel, monkeypatch, capsys):
    outcomes = {"3.13": check_wheel.Failed("it said no"), "3.12": check_wheel.Unreachable()}
    status, asked, said = checked(check_wheel, monkeypatch, capsys, outcomes)
    assert (status, asked) == (1, ["3.13", "3.12"])
    assert "found Python 3.13 (/here/3.13), Python 3.12 (/here/3.12)" in said
    assert "Python 3.13 FAILED: it said no" in said
    assert "Python 3.12 skipped: the package index cannot be reached" in said
    assert checked(check_wheel, monkeypatch, capsys, outcomes, "3.12")[:2] == (0, ["3.12"])


def test_where_there_is_no_other_python_the_wheel_check_says_so(check_wheel, monkeypatch, capsys):
    monkeypatch.setattr(check_wheel, "pythons", lambda: {"3.11": Path("/here")})
    status, asked, said = checked(check_wheel, monkeypatch, capsys, {})
    assert (status, asked) == (0, [])
    assert "skipped: there is no supported Python here but that of .venv, 3.11" in said
    status, asked, said = checked(check_wheel, monkeypatch, capsys, {}, "3.9")
    assert (status, asked) == (0, [])
    assert "Python 3.9 skipped: it is not found here" in said


def test_an_environment_is_made_again_when_what_it_is_made_of_changes(check_wheel, monkeypatch, tmp_path):
    """And one that could not be filled is not taken for whole; an index without even pip is one that is not reached."""
    monkeypatch.setattr(check_wheel, "WORK", tmp_path / "wheel")
    monkeypatch.setattr(check_wheel, "CHECKOUT", tmp_path)
    project = {"dependencies": ["numba>=0.61,<0.69", "av>=18.0,<20"], "optional-dependencies": {"test": ["pytest>=8"]}}
    said, refused = [], []

    def ran(command, *_):
        words = [str(word) for word in command]
        said.append(words)
        if any(word in refused for word in words):
            raise check_wheel.Failed("no")
        if "venv" in words:
            Path(words[-1]).mkdir(parents=True)
        return b"Python 3.12.1"

    def made(**more):
        said.clear()
        text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in project.items() if isinstance(value, list))
        extra = f"[project.optional-dependencies]\ntest = {json.dumps(project['optional-dependencies']['test'])}"
        (tmp_path / "pyproject.toml").write_text(f"[project]\n{text}\n{extra}\n")
        options = {"lowest": False, "tests": False, **more}
        check_wheel.environment("3.12", Path("/base"), Path("grainkit.whl"), **options)
        return any("install" in words for words in said)

    monkeypatch.setattr(check_wheel, "ran", ran)
    assert made()
    assert not made()
    project["dependencies"][1] = "av>=18.0,<21"
    assert made()
    assert not made()
    assert made(lowest=True)
    assert (tmp_path / "wheel" / "3.12-lowest" / "constraints.txt").read_text() == "numba==0.61\nav==18.0\n"
    assert made(tests=True)
    assert "grainkit.whl[test]" in said[-1]
    project["dependencies"][1] = "av>=18.0,<22"
    refused.append("install")
    with pytest.raises(check_wheel.Failed):
        made()
    refused.append("download")
    with pytest.raises(check_wheel.Unreachable):
        made()
    refused.clear()
    assert made()


def test_the_lowest_versions_are_told_from_every_bound():
    """Each is a version that can be asked for, and each dependency has an upper bound."""
    project = tomllib.loads((SCRIPTS.parent / "pyproject.toml").read_text())["project"]
    for need in project["dependencies"]:
        assert re.fullmatch(r"[\w-]+>=\d+(\.\d+)+,<\d+(\.\d+)*", need), need
