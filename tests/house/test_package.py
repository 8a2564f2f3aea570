"""What users install: a wheel built from the sdist works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from grainkit.backends.kernel_source import flatten

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, "--sdist", str(ROOT)], check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 and later
    with tarfile.open(archive) as sdist:
        sdist.extractall(folder, **safely)
    (unpacked,) = (p for p in folder.iterdir() if p.is_dir())
    subprocess.run([*build, "--wheel", str(unpacked)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return target


def run(installed: Path, where: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=where, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_wheel_holds_kernels_presets_data_and_the_type_marker(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    kernels = {f"grainkit/_kernels/{p.name}" for p in (ROOT / "kernels").iterdir()}
    data = {
        str(p.relative_to(ROOT))
        for folder in ("presets", "sources", "data")
        for p in (ROOT / "grainkit" / folder).rglob("*")
        if p.is_file()
    }
    assert kernels
    assert kernels <= names
    assert len(data) > 20
    assert data <= names
    assert "grainkit/py.typed" in names
    assert not [n for n in names if n.startswith(("tests/", "samples/", "benchmarks/"))]


def test_it_runs_away_from_the_checkout(installed, tmp_path):
    where = run(installed, tmp_path, "-c", "import grainkit; print(grainkit.__file__)")
    assert where.strip().startswith(str(installed))
    listed = run(installed, tmp_path, "-m", "grainkit", "presets")
    assert "social/reel" in listed


def test_it_finishes_a_picture_away_from_the_checkout(installed, tmp_path):
    code = (
        "import numpy as np, grainkit as gk\n"
        "picture = np.full((40, 60, 3), 120, np.uint8)\n"
        "out = gk.finish_array(picture, preset='social', seed=7)\n"
        "assert out.shape == picture.shape and out.dtype == picture.dtype and (out != picture).any()\n"
        "assert (out == gk.finish_array(picture, preset='social', seed=7)).all()"
    )
    run(installed, tmp_path, "-c", code)


def test_kernels_are_found_away_from_the_checkout_and_are_the_checkouts(installed, tmp_path):
    code = (
        "from grainkit.backends.kernel_source import directory, flatten; print(directory()); print(flatten('chroma'))"
    )
    where, text = run(installed, tmp_path, "-c", code).split("\n", 1)
    assert where == str(installed / "grainkit" / "_kernels")
    assert text == flatten("chroma") + "\n"
    assert "#include" not in text


def test_backend_cuda_says_in_one_line_what_is_missing_and_auto_says_what_it_took(installed, tmp_path):
    picture = tmp_path / "a.png"
    Image.new("RGB", (40, 30), (120, 100, 90)).save(picture)
    command = [sys.executable, "-c", _WITHOUT_CUPY, "finish", str(picture), "--set", "skin_texture.strength=0"]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    asked = subprocess.run(
        [*command, "--backend", "cuda"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.startswith("grainkit: the CUDA backend needs CuPy, which is not installed: pip install")
    assert asked.stderr.count("\n") == 1
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    environment["PATH"] = f"{tmp_path}{os.pathsep}{environment.get('PATH', '')}"
    auto = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert auto.returncode == 0
    assert "note: finished on the CPU: the CUDA backend needs CuPy" in auto.stderr


#: The command on a machine without CuPy, whether or not this one has it.
_WITHOUT_CUPY = """
import sys
sys.modules["cupy"] = None
from grainkit.hosts.cli.command import main
sys.exit(main())
"""
