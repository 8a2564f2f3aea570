"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


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
