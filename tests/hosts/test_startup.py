"""What the command does as libraries load: numba's cache is reached into where it is known, and nowhere else."""

import os
import subprocess
import sys

import numba
import pytest

from grainkit.hosts.cli import startup

#: Loads as the command does, and tells whether numba's own way to read its cache is there still; runs a kernel.
LOADED = """
import sys; from grainkit.hosts.cli import startup
startup.before_libraries()
{change}
startup.load()
from numba.core import caching
print(caching.Cache.load_overload.__module__)
from grainkit.picture.taps import _cover, covers
taps = covers(4, 1, 0.5, 16)
print(taps.first.tolist(), taps.weights.tolist())
print(sum(_cover.stats.cache_hits.values()), 'numba.cpython.unicode' in sys.modules)
"""


def loaded(folder, change=""):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", LOADED.format(change=change)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.splitlines()


def test_what_was_compiled_is_read_without_what_compiles(tmp_path):
    ours, same = "grainkit.hosts.cli.startup", f"[2, 4, 6, 8] {[[0.5, 0.5, 0.0]] * 4}"
    assert loaded(tmp_path) == [ours, same, "0 True"]
    assert loaded(tmp_path) == [ours, same, "1 False"]
    # A version that is not known reads the same code in its own way, with all that compiles beside it.
    assert loaded(tmp_path, "startup.TESTED_NUMBA = ()") == ["numba.core.caching", same, "1 True"]


def test_the_numba_that_is_installed_was_tested():
    assert tuple(numba.__version__.split(".")[:2]) in startup.TESTED_NUMBA


@pytest.mark.parametrize("version", ["0.60.2", "0.99.0", "1.61.0", "1.0", "0.691.0", "", "dev"])
def test_another_numba_is_left_alone(monkeypatch, version):
    from numba.core import caching

    whole = caching.Cache.load_overload
    startup.leave_registries_to_the_compiler(version)
    assert caching.Cache.load_overload is whole
