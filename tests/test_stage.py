"""Skin texture as an effect: on stills and clips, the same for any part of a clip, gentle on what has no skin."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import coffee

import grainkit as gk
from grainkit.color import Color
from grainkit.effects.skin_texture import SkinTexture
from grainkit.frame import Frame
from grainkit.texture.stage import TextureStage
from samples.draw import clip, codes, limited_420, portrait

ONLY = ("highlight_guard.strength=0", "cinema_grain.strength=0", "skin_texture.strength=1")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GRAINKIT_CACHE", str(tmp_path_factory.getbasetemp() / "atlases"))


@pytest.fixture(scope="module")
def frames():
    pictures = clip(5, 360, 640)
    return [Frame(limited_420(p), Color(), index=i) for i, p in enumerate(pictures)]


def terms(frames, **kwargs):
    stage = TextureStage(SkinTexture(strength=1.0), kwargs.pop("seed", 1), moving=True)
    return [stage.term(f) for f in frames]


def test_a_waxy_still_gets_texture_on_skin_and_nothing_elsewhere():
    rgb = codes(portrait(450, 600), 8)
    out = gk.finish_array(rgb, preset="social", settings=ONLY, seed=1)
    changed = (out != rgb).any(-1)
    assert 0.05 < changed.mean() < 0.5
    assert not changed[:50].any()
    assert not changed[:, :40].any()
    assert np.array_equal(out, gk.finish_array(rgb, preset="social", settings=ONLY, seed=1))
    assert not np.array_equal(out, gk.finish_array(rgb, preset="social", settings=ONLY, seed=2))


@pytest.mark.parametrize(
    "picture", [coffee(), np.zeros((64, 64, 3), np.uint8), np.full((16, 16, 3), 180, np.uint8)], ids=str
)
def test_pictures_without_skin_keep_every_bit(picture):
    picture = np.ascontiguousarray(picture)
    assert np.array_equal(gk.finish_array(picture, preset="social", settings=ONLY), picture)


def test_the_same_frames_give_the_same_terms(frames):
    a, b = terms(frames), terms(frames)
    assert all(x is not None for x in a)
    assert all(np.array_equal(x.luma, y.luma) and np.array_equal(x.cb, y.cb) for x, y in zip(a, b, strict=True))


def test_a_cut_starts_afresh(frames):
    """After a cut nothing of the shot before is left: the second shot is as if it were the first."""
    other = [Frame(limited_420(coffee()[:400, :600].astype(np.float32) / 255), Color(), index=9)]
    alone = terms(frames[:2])
    after = terms([*frames[2:4], *other, *frames[:2]])[-2:]
    assert all(np.array_equal(x.luma, y.luma) for x, y in zip(alone, after, strict=True))


def test_texture_moves_with_the_face(frames):
    """In screen coordinates the layer changes; it does not stay behind like dirt on the lens."""
    first, last = (t for i, t in enumerate(terms(frames)) if i in (0, 4))
    top, left = max(first.top, last.top), max(first.left, last.left)
    bottom = min(t.top + t.luma.shape[0] for t in (first, last))
    right = min(t.left + t.luma.shape[1] for t in (first, last))
    a, b = (t.luma[top - t.top : bottom - t.top, left - t.left : right - t.left].astype(float) for t in (first, last))
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.2


def test_a_declared_light_stands_in_for_the_estimate():
    """The drawn portrait is lit from the left: from the right its relief turns over, at the camera it is weaker."""
    rgb = codes(portrait(450, 600), 8)

    def layer(light):
        settings = (*ONLY, f"skin_texture.light={light}", "skin_texture.pigment=0")
        out = gk.finish_array(rgb, preset="social", settings=settings, seed=1)
        return (out.astype(float) - rgb)[..., 1]

    left, right, front = (layer(light) for light in ("-50/15", "50/15", "0/0"))
    skin = (left != 0) | (right != 0)
    assert (
        np.corrcoef(layer("auto")[skin], left[skin])[0, 1] > np.corrcoef(layer("auto")[skin], right[skin])[0, 1] + 0.3
    )
    assert front.std() < 0.75 * left.std()
    assert all(layer(end).any() for end in ("-90/0", "90/0", "0/90", "0/-90"))


def test_any_part_of_a_clip_is_that_part_of_the_whole(samples, tmp_path):
    told = {"preset": "video", "settings": ONLY, "seed": 3}
    whole = gk.finish(samples / "clip.mp4", tmp_path / "whole.nut", frames=(0, 6), **told)
    part = gk.finish(samples / "clip.mp4", tmp_path / "part.nut", frames=(3, 6), **told)
    assert (whole.frames, part.frames) == (6, 3)
    with gk.open_source(tmp_path / "whole.nut") as a, gk.open_source(tmp_path / "part.nut") as b:
        tail = [f.planes for f in a][3:]
        for planes, frame in zip(tail, b, strict=True):
            assert all(np.array_equal(p, q) for p, q in zip(planes, frame.planes, strict=True))
