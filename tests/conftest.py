"""Fixtures that many tests share."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import pytest

from grainkit.machine import caches

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


def pytest_configure(config: pytest.Config) -> None:
    _hear_interrupts()
    _share_skins(config)


def _hear_interrupts() -> None:
    """A shell has what it runs in the background ignore Ctrl-C, which commands that tests start would inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _share_skins(config: pytest.Config) -> None:
    """Has all processes of one run keep the skins that they bake in one folder, which is removed after it.

    A skin is baked once a run and read from then on; what the user keeps, and earlier runs baked, is never read.
    The processes of pytest-xdist inherit the variable from the one that starts them.
    """
    if hasattr(config, "workerinput"):
        return
    folder = tempfile.TemporaryDirectory(prefix="grainkit-skins-")
    patch = pytest.MonkeyPatch()
    patch.setenv(caches.VARIABLE, folder.name)
    config.add_cleanup(patch.undo)
    config.add_cleanup(folder.cleanup)


@pytest.fixture(scope="session")
def media() -> Path:
    """Real portraits and clips that are not part of the project; tests that need them skip without."""
    if not MEDIA.is_dir():
        pytest.skip(f"no pictures of real people here ({MEDIA.name} is not beside the checkout)")
    return MEDIA


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn samples, once for all tests: portrait.png, portrait16.tif, clip.mp4, frames/."""
    from samples.draw import draw

    folder = tmp_path_factory.mktemp("samples")
    draw(folder)
    return folder
