"""Fixtures that many tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


def pytest_configure() -> None:
    """A shell has what it runs in the background ignore Ctrl-C, which commands that tests start would inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
