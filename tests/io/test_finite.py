"""NaN and infinities in float stills."""

from __future__ import annotations

import numpy as np
import OpenEXR
import pytest
import tifffile

import grainkit as gk
from grainkit.io.finite import made_finite


@pytest.mark.parametrize("ending", [".exr", ".tif"])
def test_what_is_no_number_is_made_one_and_said(tmp_path, ending):
    rgb = np.full((4, 5, 3), 0.25, np.float32)
    rgb[1, 2] = np.nan, np.inf, -np.inf
    path = tmp_path / f"a{ending}"
    if ending == ".exr":
        OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": rgb}).write(str(path))
    else:
        tifffile.imwrite(path, rgb, photometric="rgb")
    with gk.open_source(path) as source:
        (frame,) = source
    assert any("3 of its samples were no finite numbers" in note for note in source.info.notes)
    np.testing.assert_array_equal(frame.rgb[1, 2], np.float32([0.0, 65504.0, -65504.0]))
    assert np.isfinite(frame.planes[0]).all()
    report = gk.finish(path, tmp_path / "o.png", preset="video/sequence", settings=["skin_texture.strength=0"])
    assert any("finite" in note for note in report.notes)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_finite_samples_are_the_same_array(dtype):
    samples = np.zeros((2, 3), dtype)
    found, count = made_finite(samples)
    assert found is samples
    assert count == 0
