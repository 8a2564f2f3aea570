"""The host build under AddressSanitizer and UBSan, and with a thread per CUDA thread under ThreadSanitizer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cudacheck import host

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = {"asan": ["libasan.so", "libubsan.so", "libstdc++.so.6"], "tsan": ["libtsan.so"]}


def run(mode: str, *fault: str) -> subprocess.CompletedProcess[str]:
    if host.missing():
        pytest.skip(host.missing())
    found = []
    for library in LIBRARIES[mode]:
        asked = subprocess.run(["g++", f"-print-file-name={library}"], capture_output=True, text=True, check=True)
        path = asked.stdout.strip()
        if not os.path.isabs(path):
            pytest.skip(f"g++ has no {library}")
        found.append(path)
    environment = {
        **os.environ, "LD_PRELOAD": " ".join(found), "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "exitcode=66",
        "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.cudacheck.sanitized", mode, *fault]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """What the runs said that the tests which were asked for need; two go on at a time."""
    mine = [item.callspec.params for item in request.session.items if item.path == request.path]  # type: ignore[attr-defined]
    wanted = dict.fromkeys((told["mode"], *([told["fault"]] if "fault" in told else [])) for told in mine)
    with ThreadPoolExecutor(2) as pool:
        runs = {each: pool.submit(run, *each) for each in wanted}
        yield lambda *each: runs[each].result()


@pytest.mark.parametrize("mode", ["asan", "tsan"])
def test_the_pass_is_clean(mode, outcome):
    done = outcome(mode)
    assert done.stdout.strip() == "clean", done.stderr[-3000:]
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("mode", "fault", "said"),
    [
        ("asan", "right edge", "heap-buffer-overflow"),
        ("asan", "lower edge", "heap-buffer-overflow"),
        ("tsan", "missing barrier", "data race"),
        ("tsan", "missing last barrier", "data race"),
        ("asan", "tile one too wide", "heap-buffer-overflow"),
        ("tsan", "missing barrier of weigh", "data race"),
    ],
)
def test_a_planted_fault_is_caught(mode, fault, said, outcome):
    done = outcome(mode, fault)
    assert done.returncode != 0
    assert said in done.stderr, done.stderr[-3000:]
