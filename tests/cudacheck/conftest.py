"""CuPy replaced by the stand-in, its kernels run on this CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from grainkit.backends import open_backend
from grainkit.backends.base import Backend
from tests.cudacheck import host
from tests.cudacheck.stand_in import stand_in


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], ModuleType]:
    """Puts a stand-in where `import cupy` finds it."""

    def put(module: ModuleType) -> ModuleType:
        monkeypatch.setitem(sys.modules, "cupy", module)
        return module

    return put


@pytest.fixture
def card(install: Callable[[ModuleType], ModuleType]) -> ModuleType:
    """A card whose kernels are the host build, run as late as can be."""
    if host.missing():
        pytest.skip(host.missing())
    return install(stand_in(host.HostKernel))


@pytest.fixture(scope="module")
def cpu() -> Iterator[Backend]:
    backend = open_backend("cpu", workers=2)
    yield backend
    backend.close()
