"""What a frame's planes hold: analysis reads frames straight from a source as it reads those of a job."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import grainkit as gk
from grainkit.analysis.cuts import CutDetector, described
from grainkit.analysis.faces import StillFaces
from grainkit.analysis.matte import skin_colour, skin_matte
from grainkit.analysis.picture import chroma_cells, luma_of, luma_shrunk, rgb_of
from grainkit.finishing.finisher import conformed
from grainkit.finishing.planning import own_format_plan
from grainkit.picture.color import Color, Range
from tests.drawn import clip, still


def first(path):
    with gk.open_source(path) as source:
        return source.info, next(iter(source))


def as_in_a_job(info, frame):
    """The frame as a Finisher hands it to the analysis."""
    return conformed(frame, own_format_plan(info, gk.load_recipe("social")))


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_levels_say_how_the_planes_of_a_still_are_read(tmp_path, ending):
    info, frame = first(still(tmp_path / f"a.{ending}"))
    assert frame.color.depth == 8
    assert {plane.dtype for plane in frame.planes} == {np.dtype(np.float32)}
    assert frame.levels == ((0.0, 1.0),) * 3
    working = as_in_a_job(info, frame)
    (zero, one), _, _ = frame.levels
    np.testing.assert_array_equal((frame.planes[0] - zero) / one, working.planes[0])


def test_levels_of_codes_are_those_of_their_depth_and_range(tmp_path):
    _, frame = first(clip(tmp_path / "c.nut", pixel_format="yuv422p10le"))
    assert frame.levels == ((64.0, 876.0), (512.0, 896.0), (512.0, 896.0))
    full = replace(frame, color=replace(frame.color, range=Range.FULL, depth=8))
    assert full.levels == ((0.0, 255.0), (128.0, 255.0), (128.0, 255.0))
    assert Color(depth=32).levels() == ((0.0, 1.0),) * 3


@pytest.mark.parametrize("path", ["a.png", "g.png", "c.nut"])
def test_every_look_at_a_frame_of_rgb_is_that_of_a_job(tmp_path, path):
    """Stills, grey ones, and clips of R'G'B', whose planes are float although their samples have eight bits."""
    if path == "c.nut":
        clip(tmp_path / path, pixel_format="bgr0")
    else:
        still(tmp_path / path, mode="L" if path == "g.png" else "RGB")
    info, frame = first(tmp_path / path)
    working = as_in_a_job(info, frame)
    looks = [luma_of, rgb_of, lambda f: luma_shrunk(f, 0.25, 0, 0, 12, 16), lambda f: described(f)[1]]
    if path != "g.png":
        looks.append(lambda f: chroma_cells(f, 0.125, 0, 0, 6, 8))
    for look in looks:
        np.testing.assert_array_equal(look(frame), look(working))
    assert 0.3 < float(luma_of(frame).mean()) < 0.7


def test_a_cut_between_stills_is_seen(tmp_path):
    cuts = CutDetector()
    dark, light = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 240, np.uint8)
    light[:, ::2] = (200, 90, 20)
    for name, picture in (("dark.png", dark), ("light.png", light)):
        Image.fromarray(picture).save(tmp_path / name)
    _, one = first(tmp_path / "dark.png")
    _, other = first(tmp_path / "light.png")
    assert [cuts.is_cut(frame) for frame in (one, one, other)] == [False, False, True]


def test_faces_and_skin_of_a_still_are_found_without_a_job(samples):
    """As the Finisher finds them: on the frame that `gk.open_source` gives, at its own depth of 8."""
    info, frame = first(samples / "portrait.png")
    assert frame.color.depth == 8
    faces, known = StillFaces(frame), StillFaces(as_in_a_job(info, frame))
    assert len(faces.faces) == len(known.faces) == 1
    np.testing.assert_array_equal(faces.faces[0].points, known.faces[0].points)
    picture = faces.picture
    face = faces.faces[0].scaled(faces.scale)
    colour = skin_colour(picture, face)
    assert colour is not None
    person = np.ones(picture.shape[:2], np.float32)
    matte = skin_matte(picture, face, colour, person)
    x, y = face.center
    assert matte[int(y), int(x)] > 0.9
    assert matte.mean() < 0.6
