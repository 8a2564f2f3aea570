"""Locked grain: as much as asked, on what moves, weaker behind it, the same for any part of a clip."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import grainkit as gk
from grainkit.adapt.trial import ClipTrial
from grainkit.backends import open_backend
from grainkit.backends.pass_term import LUMA_ONE, PassTerm, combined
from grainkit.effects.grain.locked import BACKDROP, LockedStage
from grainkit.effects.grain.locked_tile import SIDE, STD, grain_tile
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.finishing.planning import own_format_plan
from grainkit.io.base import SourceInfo
from grainkit.picture.color import Color, Range
from grainkit.picture.frame import Frame
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.targets import Proxy
from tests.drawn import numbered, still
from tests.scenes import HEIGHT, WIDTH, cut, scene

GRAIN = CinemaGrain(strength=3.0, curve="midtone", carrier="locked")
ONLY = ("highlight_guard.strength=0", "skin_texture.strength=0", "cinema_grain.strength=3", "cinema_grain.curve=flat")
LOCKED = (*ONLY, "cinema_grain.carrier=locked")


def framed(luma, index=0, color=None):
    color = color or Color()
    grey = np.full((-(-luma.shape[0] // 2), -(-luma.shape[1] // 2)), 128, luma.dtype)
    return Frame((luma, grey, grey), color, index=index)


def codes(picture):
    return np.clip(np.rint(picture), 16, 235).astype(np.uint8)


def added(frame, term):
    """What the pass will add, codes of 255 of the range."""
    return (frame.planes[0] - 16.0) * term.luma / LUMA_ONE * 255 / 219


@pytest.mark.slow
def test_the_tile_is_grain_of_the_deviation_that_is_read_and_joins_itself():
    words = grain_tile(1).reshape(SIDE, SIDE)
    texels = (words & 0xFF).astype(np.uint8).view(np.int8).astype(np.float64)
    assert abs(texels.mean()) < 0.01
    between = (texels + np.roll(texels, -1, 1) + np.roll(texels, -1, 0) + np.roll(texels, -1, (0, 1))) / 4
    assert between.std() < STD < texels.std()
    assert (texels[:, -1] * texels[:, 0]).mean() / texels.var() == pytest.approx(
        (texels[:, 0] * texels[:, 1]).mean() / texels.var(), abs=0.05
    )
    # A word is the four texels of a reading.
    assert np.array_equal((words >> 24).astype(np.uint8).view(np.int8), np.roll(texels, -1, (0, 1)).astype(np.int8))
    # No mottle: nothing is left of it when it is seen from afar.
    assert cv2.GaussianBlur(texels, (0, 0), 20).std() < 0.01 * STD
    assert not np.array_equal(grain_tile(2), grain_tile(1))


@pytest.mark.parametrize("level", [40, 126, 200])
def test_it_is_as_strong_as_asked_of_a_backdrop(level):
    frame = framed(np.full((400, 600), level, np.uint8))
    noise = added(frame, LockedStage(GRAIN, 1, 1.4).term(frame))
    luma = (level - 16) / 219
    assert noise.std() == pytest.approx(BACKDROP * 255 * GRAIN.deviation(np.array([luma]))[0], rel=0.05)
    assert abs(noise.mean()) < 0.02


def test_it_moves_with_the_picture():
    step = 4
    frames = [framed(codes(cut(scene(), 50 + step * t, 50)), t) for t in range(6)]
    stage = LockedStage(replace(GRAIN, curve="flat"), 1, 1.4)
    noise = [added(f, stage.term(f)) for f in frames]
    first, last = noise[0][40:-40, 60:-60], np.roll(noise[-1], 5 * step, axis=1)[40:-40, 60:-60]
    assert np.corrcoef(first.ravel(), last.ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(first.ravel(), noise[-1][40:-40, 60:-60].ravel())[0, 1]) < 0.05
    # With no people in it, a picture that moves is given all of it in the end.
    assert BACKDROP * 1.2 < noise[-1].std() / 3 < 1.05


def test_people_get_all_of_it(samples):
    with gk.open_source(samples / "clip.mp4") as source:
        frame = next(iter(source))
    noise = added(frame, LockedStage(replace(GRAIN, curve="flat"), 1, 1.4).term(frame))
    height, width = noise.shape
    head = noise[height // 3 : height // 2, width * 2 // 5 : width * 3 // 5]
    corner = noise[: height // 10, : width // 8]
    assert head.std() == pytest.approx(3.0, rel=0.1)
    assert corner.std() == pytest.approx(3.0 * BACKDROP, rel=0.15)


def test_a_cut_starts_another_grain():
    a, b = (framed(codes(cut(scene(seed), 50, 50))) for seed in (0, 5))
    b = replace(b, planes=(255 - b.planes[0], *(p + 60 for p in b.planes[1:])))
    stage = LockedStage(replace(GRAIN, curve="flat"), 1, 1.4)
    one, same, other = (
        added(f, stage.term(replace(f, index=i))) for i, f in enumerate((a, a, b))
    )  # fmt: skip
    assert np.array_equal(one, same)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("depth", [10, 16, 32])
def test_depth_changes_nothing_but_precision(depth):
    luma = codes(cut(scene(), 50, 50))
    base = LockedStage(GRAIN, 1, 1.4).term(framed(luma)).luma
    color = replace(Color(), depth=depth)
    if depth == 32:
        deep = ((luma - np.float32(16)) / np.float32(219)).astype(np.float32)
    else:
        deep = luma.astype(np.uint16) << (depth - 8)
    found = LockedStage(GRAIN, 1, 1.4).term(framed(deep, color=color)).luma
    assert np.abs(found.astype(int) - base).max() < 0.04 * np.abs(base).max()


def test_awkward_floats_are_taken():
    plane = np.full((64, 64), 0.5, np.float32)
    plane[:4, :4] = [[np.nan], [np.inf], [-np.inf], [-0.2]]
    color = replace(Color(), depth=32, range=Range.FULL)
    stage = LockedStage(GRAIN, 1, 1.4)
    for index in range(3):
        term = stage.term(framed(plane, index, color))
    assert np.abs(term.luma).max() < LUMA_ONE


def test_terms_add_up():
    whole = PassTerm(0, 0, *(np.full(s, 100, np.int16) for s in ((9, 11), (5, 6), (5, 6))))
    part = PassTerm(4, 6, np.full((5, 5), 7, np.int16), *(np.full((3, 3), 5, np.int16) for _ in range(2)))
    both = combined(whole, part, (2, 2))
    assert both.luma[3, 6] == both.luma[4, 5] == 100
    assert (both.luma[4:, 6:] == 107).all()
    assert (both.cb[2:, 3:] == 105).all()
    assert both.cb[1, 3] == 100
    assert (whole.luma == 100).all()


@pytest.mark.slow
def test_any_part_of_a_clip_is_that_part_of_the_whole(samples, tmp_path):
    told = {"preset": "video", "settings": (*LOCKED, "cinema_grain.fresh=0.2", "skin_texture.strength=1"), "seed": 3}
    gk.finish(samples / "clip.mp4", tmp_path / "whole.nut", frames=(0, 6), **told)
    gk.finish(samples / "clip.mp4", tmp_path / "part.nut", frames=(3, 6), **told)
    with gk.open_source(tmp_path / "whole.nut") as a, gk.open_source(tmp_path / "part.nut") as b:
        tail = [f.planes for f in a][3:]
        for planes, frame in zip(tail, b, strict=True):
            assert all(np.array_equal(p, q) for p, q in zip(planes, frame.planes, strict=True))


def test_a_clip_says_that_its_grain_is_locked(samples, tmp_path):
    report = gk.finish(samples / "clip.mp4", tmp_path / "out.nut", preset="video", settings=LOCKED, frames=(0, 2))
    told = yaml.safe_load(Path(report.sidecar).read_text())
    assert told["applied"]["cinema_grain"]["carrier"] == "locked"
    assert any("grain moves with the picture" in note for note in report.notes)


def test_a_sequence_of_rgb_gets_it(tmp_path):
    pattern = numbered(tmp_path / "in", 3, width=96, height=64)
    gk.finish(pattern, tmp_path / "out" / "f_%04d.png", preset="video", settings=LOCKED)
    with gk.open_source(pattern) as before, gk.open_source(tmp_path / "out" / "f_%04d.png") as after:
        for a, b in zip(before, after, strict=True):
            changed = b.planes[0].astype(float) - a.planes[0]
            assert changed.std() * 255 == pytest.approx(3 * BACKDROP, rel=0.5)


def test_in_a_still_it_is_the_same_as_animated(tmp_path):
    rgb = np.full((48, 64, 3), 120, np.uint8)
    assert np.array_equal(gk.finish_array(rgb, settings=LOCKED, seed=1), gk.finish_array(rgb, settings=ONLY, seed=1))
    report = gk.finish(still(tmp_path / "a.png"), tmp_path / "b.png", preset="social", settings=LOCKED)
    assert any("nothing moves in a still" in note for note in report.notes)


def test_a_trial_lays_it_too_and_it_outlives_animated_grain():
    frames = [framed(codes(0.3 * (cut(scene(), 50 + 3 * t, 50) - 110) + 110), t) for t in range(8)]
    info = SourceInfo("drawn", None, "clip", WIDTH, HEIGHT, Color(), rate=Fraction(24))
    plan = own_format_plan(
        info, override(load_recipe("video"), [*LOCKED, "cinema_grain.strength=8", "cinema_grain.size=4"])
    )
    grain = plan.recipe.effect(CinemaGrain)
    animated = plan.recipe.with_effect(replace(grain, carrier="animated", strength=8 * BACKDROP))
    backend = open_backend("cpu")
    with ThreadPoolExecutor(1) as threads:
        trial = ClipTrial(plan, [frames], (Proxy(codec="x264", crf=30),), backend, threads)
        kept, lost = (trial.tried(recipe).outcomes[0].measures.rho for recipe in (plan.recipe, animated))
    backend.close()
    # Two pictures are judged, one of them the key frame, which keeps both.
    assert kept > lost + 0.05
    assert trial.predicted(grain) == pytest.approx(kept, abs=0.15)


def test_strength_0_keeps_every_bit():
    off = override(load_recipe("video"), [*LOCKED, "cinema_grain.strength=0"])
    frames = [framed(codes(cut(scene(), 50 + t, 50)), t) for t in range(2)]
    info = SourceInfo("drawn", None, "clip", WIDTH, HEIGHT, Color())
    with gk.Finisher(off, "cpu") as finisher:
        for before, after in zip(frames, finisher.frames(frames, info), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(before.planes, after.planes, strict=True))
