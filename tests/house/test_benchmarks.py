"""The benchmarks keep step with the package: they are run by hand, and nobody else would notice."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).resolve().parents[2] / "benchmarks").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_every_name_that_a_benchmark_imports_is_there(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").main)
