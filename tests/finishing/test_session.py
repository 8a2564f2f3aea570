"""Frames asked for one by one come out as a run over the whole clip gives them."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

import grainkit as gk
from grainkit.picture.frame import Frame
from grainkit.recipe.overrides import override

#: Grain that is held by frames, and grain that moves with the picture, which has to be followed from the cut before.
PLAIN = ("skin_texture.strength=0", "cinema_grain.hold=2")
LOCKED = ("skin_texture.strength=0", "cinema_grain.carrier=locked", "cinema_grain.strength=4")


@pytest.fixture(scope="module")
def clip(samples):
    with gk.open_source(samples / "clip.mp4", stop=6) as source:
        frames = list(source)
    # A cut: the same picture upside down.
    turned = [
        replace(f, planes=tuple(np.ascontiguousarray(p[::-1, ::-1]) for p in f.planes), index=6 + f.index)
        for f in frames[:5]
    ]
    return [*frames, *turned]


def recipe_of(settings):
    return override(gk.load_recipe("video"), settings)


def whole(clip, recipe):
    with gk.Session(recipe) as session, gk.Finisher(recipe, session.backend) as finisher:
        return list(finisher.frames(clip, session.info(clip[0])))


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))


@pytest.mark.parametrize("settings", [PLAIN, LOCKED])
def test_in_any_order_they_are_those_of_the_whole_clip(clip, settings):
    recipe = recipe_of(settings)
    expected = whole(clip, recipe)
    with gk.Session(recipe) as session:
        for number in (8, 9, 2, 3, 0, 10, 10):
            assert same(session.frame(number, clip.__getitem__), expected[number])


def test_only_the_shot_is_analysed_once_more(clip):
    asked = []

    def get(number):
        asked.append(number)
        return clip[number]

    with gk.Session(recipe_of(LOCKED)) as session:
        session.frame(10, get)
        asked.clear()
        session.frame(8, get)
        assert set(asked) == {6, 7, 8}
        asked.clear()
        session.frame(9, get)
        assert asked == [9]


def test_what_remembers_nothing_asks_for_no_other_frame(clip):
    asked = []

    def get(number):
        asked.append(number)
        return clip[number]

    with gk.Session(recipe_of(PLAIN)) as session:
        session.frame(7, get)
    assert set(asked) == {7}


def test_a_batch_goes_on_where_the_last_one_ended():
    rng = np.random.default_rng(3)
    base = rng.integers(40, 200, (1, 24, 32, 3)).repeat(8, axis=2).repeat(8, axis=1)
    rgb = np.concatenate([np.roll(base, 2 * at, axis=2) for at in range(4)]).astype(np.uint8)
    recipe = recipe_of(LOCKED)
    with gk.Session(recipe) as session:
        at_once = session.batch(rgb)
    with gk.Session(recipe) as session:
        parts = np.concatenate([session.batch(rgb[:2]), session.batch(rgb[2:], first=2)])
    assert at_once.dtype == np.uint8
    assert at_once.shape == rgb.shape
    assert not np.array_equal(at_once, rgb)
    assert np.array_equal(at_once, parts)


def test_a_frame_of_another_number_is_refused(clip):
    with gk.Session(recipe_of(PLAIN)) as session:
        with pytest.raises(gk.InputError, match="frame 3 was asked for, and frame 0 came; give a Frame with index=3"):
            session.frame(3, lambda _: clip[0])
        with pytest.raises(gk.InputError):
            session.frame(-1, clip.__getitem__)


def test_rgb_goes_in_and_comes_out():
    rgb = np.random.default_rng(1).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    assert np.array_equal(Frame.from_rgb(rgb).to_rgb(), rgb)


def test_planes_become_rgb(clip):
    rgb = clip[0].to_rgb()
    assert rgb.shape == (clip[0].height, clip[0].width, 3)
    assert rgb.dtype == np.uint8
    grey = Frame((np.full((8, 8), 235, np.uint8), *(np.full((4, 4), 128, np.uint8) for _ in range(2))), gk.Color())
    assert np.abs(grey.to_rgb().astype(int) - 255).max() <= 1


def test_a_writer_matches_a_source(samples, tmp_path):
    out = tmp_path / "copy.nut"
    with gk.open_source(samples / "clip.mp4", stop=3) as source, gk.open_writer(out, source.info) as writer:
        frames = list(source)
        for frame in frames:
            writer.write(frame)
    with gk.open_source(out) as copied:
        for frame, again in zip(frames, copied, strict=True):
            assert same(frame, again)
    with pytest.raises(gk.OutputError, match="exists already"):
        gk.open_writer(out, source.info).__enter__()


def test_a_writer_that_fails_leaves_nothing(samples, tmp_path):
    def write():
        with (
            gk.open_source(samples / "clip.mp4", stop=3) as source,
            gk.open_writer(tmp_path / "copy.mp4", source.info) as writer,
        ):
            writer.write(next(iter(source)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert list(tmp_path.iterdir()) == []


def lacking(source, out):
    with gk.open_writer(out, source.info) as writer:
        with pytest.raises(gk.InputError, match="takes a Frame, not 3"):
            writer.write(3)
        with pytest.raises(gk.InputError, match="a writer takes frames of one size"):
            writer.write(Frame.from_rgb(np.zeros((8, 8, 3), np.uint8)))
        writer.write(next(iter(source)))


def test_a_writer_takes_frames_of_its_clip_and_no_input_is_overwritten(samples, tmp_path):
    source_file = tmp_path / "in.mp4"
    source_file.write_bytes((samples / "clip.mp4").read_bytes())
    with (
        gk.open_source(source_file, stop=1) as source,
        pytest.raises(gk.OutputError, match="never overwritten"),
        gk.open_writer(source_file, source.info, overwrite=True),
    ):
        pass
    with gk.open_source(source_file, stop=1) as source, pytest.raises(gk.OutputError, match="lacks a frame"):
        lacking(source, tmp_path / "lacking.nut")
    assert not (tmp_path / "lacking.nut").exists()
    assert source_file.read_bytes() == (samples / "clip.mp4").read_bytes()


def test_what_a_session_cannot_take_is_said_in_a_line():
    rgb = np.full((32, 40, 3), 90, np.uint8)

    def growing(number):
        return Frame.from_rgb(np.full((32 + 2 * number, 40, 3), 90, np.uint8), index=number)

    with gk.Session(recipe_of(LOCKED)) as session:
        session.frame(0, growing)
        with pytest.raises(gk.InputError, match=r"frame 1 is 40x34 .* a session is for frames of one size and colour"):
            session.frame(1, growing)
        with pytest.raises(gk.InputError, match="takes an array, not a list"):
            session.batch([rgb])
        with pytest.raises(gk.InputError, match="index = 'a' is no frame's number"):
            session.batch(rgb[None], first="a")
        with pytest.raises(gk.InputError, match="get = 3 is no function"):
            session.frame(0, 3)
    with pytest.raises(gk.InputError, match="the session is closed"):
        session.frame(0, growing)
    with pytest.raises(gk.InputError, match="uint8, uint16 or float32"):
        Frame.from_rgb(rgb.astype(np.int32))


def test_an_error_of_the_hosts_spoils_no_later_frame(clip):
    recipe = recipe_of(LOCKED)
    expected = whole(clip, recipe)

    def failing(number):
        if number == 9:
            raise ZeroDivisionError
        return clip[number]

    with gk.Session(recipe) as session:
        session.frame(1, clip.__getitem__)
        with pytest.raises(ZeroDivisionError):
            session.frame(10, failing)
        assert all(same(session.frame(n, clip.__getitem__), expected[n]) for n in (4, 8, 10))


def test_frames_after_a_batch_that_began_midway_are_those_of_the_clip():
    rng = np.random.default_rng(4)
    base = rng.integers(40, 200, (16, 20, 3)).repeat(8, axis=1).repeat(8, axis=0).astype(np.uint8)

    def get(number):
        return Frame.from_rgb(np.roll(base, number, axis=1), index=number)

    recipe = recipe_of(LOCKED)
    with gk.Session(recipe) as session:
        expected = session.frame(4, get).to_rgb()
    with gk.Session(recipe) as session:
        session.batch(np.stack([get(n).to_rgb() for n in (2, 3)]), first=2)
        assert np.array_equal(session.frame(4, get).to_rgb(), expected)
        with pytest.raises(gk.InputError, match="one size and colour"):
            session.batch(base.astype(np.uint16)[None], first=5)


def test_a_session_that_is_let_go_ends_at_once(clip):
    recipe = override(gk.load_recipe("video"), ["skin_texture.strength=1"])
    session = gk.Session(recipe)
    session.frame(0, clip.__getitem__)
    held = weakref.ref(session._run)
    gc.disable()
    try:
        session.backend.close()
        del session
        assert held() is None
    finally:
        gc.enable()
