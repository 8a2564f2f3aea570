"""Skin texture as an effect: on stills and clips, the same for any part of a clip, gentle on what has no skin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from skimage.data import coffee

import grainkit as gk
from grainkit.analysis.faces import StillFaces
from grainkit.analysis.lattice import Lattice
from grainkit.effects.skin_texture.clip_skin import ClipSkin
from grainkit.effects.skin_texture.own_skin import OwnSkin
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.effects.skin_texture.still_skin import StillSkin
from grainkit.errors import InputError
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from samples.draw import clip, codes, limited_420, portrait

pytestmark = pytest.mark.slow

ONLY = ("highlight_guard.strength=0", "cinema_grain.strength=0", "skin_texture.strength=1")


@pytest.fixture(scope="module")
def frames():
    pictures = clip(5, 360, 640)
    return [Frame(limited_420(p), Color(), index=i) for i, p in enumerate(pictures)]


@pytest.fixture(scope="module")
def skin(frames) -> np.ndarray:
    """A matte as a user would paint it: white where skin is found in the first frame, black on hair and backdrop."""
    (term,) = terms(frames[:1])
    matte = np.zeros((640, 360), np.float32)
    there = cv2.morphologyEx((term.luma != 0).astype(np.float32), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    matte[term.top :, term.left :][: there.shape[0], : there.shape[1]] = there
    return matte


def terms(frames, **kwargs):
    stage = ClipSkin(SkinTexture(strength=1.0), kwargs.pop("seed", 1))
    return [stage.textured(f).term for f in frames]


def test_faces_that_others_ask_for_too_are_textured_alike(frames):
    alone, shared = (
        StillSkin(SkinTexture(strength=1.0), 1, still).textured(frames[0]).term
        for still in (None, StillFaces(frames[0]))
    )
    assert np.count_nonzero(alone.luma) > 1000
    assert (alone.top, alone.left) == (shared.top, shared.left)
    assert all(np.array_equal(getattr(alone, name), getattr(shared, name)) for name in ("luma", "cb", "cr"))


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


def test_a_dissolve_ends_a_shot_and_the_next_starts_afresh():
    one = portrait(360, 640)
    other = np.ascontiguousarray(np.roll(one[:, ::-1], 80, 0))
    shares = [*[0.0] * 8, *(np.arange(12) + 1) / 13, *[1.0] * 12]
    mixed = [Frame(limited_420(one + np.float32(w) * (other - one)), Color(), index=i) for i, w in enumerate(shares)]
    found = terms(mixed)
    assert all(t.luma.any() for t in found[:8])
    assert not any(t is not None and t.luma.any() for t in found[17:19])
    # What came before has left no trace: as if the shot had begun with the clip.
    first = next(i for i, t in enumerate(found) if i > 18 and t is not None)
    assert first < 8 + 12 + 6
    alone = terms(mixed[first:])
    assert np.array_equal(found[-1].luma, alone[-1].luma)
    strength = [float(np.abs(t.luma).mean()) for t in found[first : first + 6]]
    assert strength[0] < 0.3 * strength[-1]
    assert strength == sorted(strength)


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
    rgb = codes(portrait(300, 400), 8)

    def layer(light):
        settings = (*ONLY, f"skin_texture.light={light}", "skin_texture.pigment=0")
        out = gk.finish_array(rgb, preset="social", settings=settings, seed=1)
        return (out.astype(float) - rgb)[..., 1]

    left, right, front = (layer(light) for light in ("-50/15", "50/15", "0/0"))
    skin = (left != 0) | (right != 0)
    own = layer("auto")[skin]
    assert np.corrcoef(own, left[skin])[0, 1] > np.corrcoef(own, right[skin])[0, 1] + 0.3
    assert front.std() < 0.75 * left.std()
    assert all(layer(end).any() for end in ("-90/0", "0/90"))


def test_the_sidecar_tells_the_light_and_what_was_generated(tmp_path):
    Image.fromarray(codes(portrait(300, 400), 8)).save(tmp_path / "p.png")
    told = []
    for number, light in enumerate(("auto", "-60/20")):
        settings = (*ONLY, f"skin_texture.light={light}", "skin_texture.age=mature")
        report = gk.finish(tmp_path / "p.png", tmp_path / f"{number}.png", settings=settings, seed=1, adapt=False)
        text = Path(report.sidecar).read_text()
        told.append(yaml.safe_load(text))
        assert f"# Light: {report.light}." in text
        assert "age mature" in text
    assert [t["touched"]["generated"] for t in told] == [["skin_texture"]] * 2
    assert [t["touched"]["retouched"] for t in told] == [[]] * 2
    assert told[0]["light"].startswith("from the left")
    assert told[0]["light"].endswith("(estimated)")
    assert told[0]["measured"]["light"]["azimuth"] < -15
    assert told[1]["light"] == (
        "from the left and from above: azimuth -60, elevation +20 degrees, grazing 0.88 (declared)"
    )
    assert told[1]["measured"] == {"light": {"azimuth": -60.0, "elevation": 20.0, "grazing": 0.88}}


def test_where_no_skin_is_found_the_sidecar_claims_none(tmp_path):
    Image.fromarray(coffee()[:200, :300]).save(tmp_path / "c.png")
    report = gk.finish(tmp_path / "c.png", tmp_path / "o.png", settings=["skin_texture.strength=1"], adapt=False)
    told = yaml.safe_load(Path(report.sidecar).read_text())
    assert (told["light"], told["measured"]) == ("", {})
    assert told["touched"]["generated"] == []
    assert told["touched"]["retouched"] == ["highlight_guard", "cinema_grain"]
    assert "no skin was found to texture" in told["notes"]


def test_a_matte_of_ones_own_says_where_texture_goes():
    rgb = codes(portrait(450, 600), 8)
    found = (gk.finish_array(rgb, preset="social", settings=ONLY, seed=1) != rgb).any(-1)
    left = np.zeros((600, 450), np.float32)
    left[:, :200] = 1
    out = gk.finish_array(rgb, preset="social", settings=ONLY, seed=1, matte=left)
    changed = (out != rgb).any(-1)
    assert changed[:, :195].any()
    assert not changed[:, 205:].any()
    # What it says wins over what is found, on lips and hair too.
    assert (changed & ~found)[:, :195].any()
    nothing = gk.finish_array(rgb, preset="social", settings=ONLY, seed=1, matte=np.zeros_like(left))
    assert np.array_equal(nothing, rgb)
    with pytest.raises(InputError, match=r"a matte for this picture is float32 \(600, 450\)"):
        gk.finish_array(rgb, matte=left[:10])


def test_a_matte_over_two_faces_gives_each_px_one_skin():
    portraits = codes(portrait(300, 400), 8)
    pair = np.ascontiguousarray(np.hstack([portraits, portraits[:, ::-1]]))
    settings = (*ONLY, "skin_texture.pigment=0", "skin_texture.light=0/0")
    whole = np.ones((400, 600), np.float32)
    both = gk.finish_array(pair, preset="social", settings=settings, seed=1, matte=whole).astype(int)
    halves = [whole * (np.arange(600) < 300), whole * (np.arange(600) >= 300)]
    alone = [
        gk.finish_array(pair, preset="social", settings=settings, seed=1, matte=m.astype(np.float32)) for m in halves
    ]
    for part, out in zip((np.s_[:, :270], np.s_[:, 330:]), alone, strict=True):
        away = np.abs(both[part] - out[part].astype(int))
        assert (out[part] != pair[part]).any()
        assert away.max() <= 1  # blurs under the matte reach a little across


def test_people_who_share_a_picture_have_skins_of_their_own(monkeypatch):
    one = codes(portrait(300, 400), 8)
    pair = np.hstack([one, one]).astype(np.uint8)
    settings = (*ONLY, "skin_texture.pigment=0", "skin_texture.light=0/0")
    matte = np.ones((400, 600), np.float32)

    def likeness() -> float:
        out = gk.finish_array(pair, preset="social", settings=settings, seed=1, matte=matte)
        added = out[..., 1].astype(int) - pair[..., 1]
        return float(np.corrcoef(added[:, :300].ravel(), added[:, 300:].ravel())[0, 1])

    assert abs(likeness()) < 0.15
    monkeypatch.setattr(OwnSkin, "of", classmethod(lambda cls, seed, index: cls(seed, False)))
    assert likeness() > 0.4  # what one skin for all would give: the measure sees it


def test_the_first_of_a_picture_has_the_skin_of_the_seed_and_no_two_have_one():
    people = [OwnSkin.of(7, index) for index in range(20)]
    assert (people[0].seed, people[0].mirrored) == (7, False)
    assert len(set(people)) == 20
    assert people == [OwnSkin.of(7, index) for index in range(20)]
    places = Lattice(np.arange(12, dtype=np.float32).reshape(2, 3, 2), 0.0, 0.0, 1.0)
    assert people[0].places(places) is places
    np.testing.assert_array_equal(people[1].places(places).values, places.values * (-1, 1))


def test_a_clip_follows_its_mattes(frames, skin):
    whole, left = skin, skin.copy()
    left[:, 170:] = 0
    mattes = [whole, whole, left]
    stage = ClipSkin(SkinTexture(strength=1.0), 1)
    first, second, third = (stage.textured(replace(f, matte=m)).term for f, m in zip(frames[:3], mattes, strict=True))
    assert all((t.luma[:, 180 - t.left :] != 0).any() for t in (first, second))
    assert (third.luma != 0).any()
    assert not third.luma[:, 180 - third.left :].any()


def test_a_matte_that_is_white_beside_skin_takes_nothing_from_it(frames, skin):
    inside = cv2.erode(skin, np.ones((15, 15), np.uint8)) > 0

    def seen(matte):
        stage = ClipSkin(SkinTexture(strength=1.0), 1)
        for frame in frames:
            term = stage.textured(replace(frame, matte=matte)).term
        layer = np.zeros(skin.shape, np.float32)
        layer[term.top :, term.left :][: term.luma.shape[0], : term.luma.shape[1]] = term.luma
        return layer[inside].std()

    assert seen(np.ones_like(skin)) > 0.9 * seen(skin)


def test_what_a_matte_hides_for_a_while_comes_back_with_the_same_pores(frames, skin):
    def last(*levels):
        stage = ClipSkin(SkinTexture(strength=1.0), 1)
        return [
            stage.textured(replace(f, matte=skin * level)).term for f, level in zip(frames[:4], levels, strict=True)
        ][-1]

    # Four frames: on the next one texture is looked at anew, and what was hidden has seen less of it.
    whole, hidden = last(1, 1, 1, 1), last(1, 0, 0, 1)
    assert (whole.luma != 0).any()
    assert np.array_equal(whole.luma, hidden.luma)


def test_any_part_of_a_clip_is_that_part_of_the_whole(samples, tmp_path):
    told = {"preset": "video", "settings": ONLY, "seed": 3}
    whole = gk.finish(samples / "clip.mp4", tmp_path / "whole.nut", frames=(0, 6), **told)
    part = gk.finish(samples / "clip.mp4", tmp_path / "part.nut", frames=(3, 6), **told)
    assert (whole.frames, part.frames) == (6, 3)
    with gk.open_source(tmp_path / "whole.nut") as a, gk.open_source(tmp_path / "part.nut") as b:
        tail = [f.planes for f in a][3:]
        for planes, frame in zip(tail, b, strict=True):
            assert all(np.array_equal(p, q) for p, q in zip(planes, frame.planes, strict=True))
