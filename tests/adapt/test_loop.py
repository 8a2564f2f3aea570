"""The loop that adapts a recipe to its proxies, and what it does to a job."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from grainkit.adapt.bounds import Settings
from grainkit.adapt.loop import adapt
from grainkit.adapt.offer import proxies_of
from grainkit.adapt.rounds import missed
from grainkit.adapt.trial import Outcome, Tried
from grainkit.codec.measures import Measures
from grainkit.codec.windows import choose_windows, gathered
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.job.dry_run import dry_run
from grainkit.job.finish import finish
from grainkit.job.request import FinishRequest, Watch
from grainkit.picture.color import Color
from grainkit.picture.frame import Frame
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.recipe import KINDS
from grainkit.recipe.targets import Proxy, Targets
from tests.drawn import clip, numbered, still, y4m_of

Q75 = Proxy(quality=75)
FINE = Measures(
    highlights_share=0.0, p999=240.0, hue_degrees=1.0, luma_given_up=1.0, cambi=1.0, rho=0.8, retained=1.0, dead=0.0,
    freeze=None, pulse=None, blocking=1.0, flicker=None,
)  # fmt: skip


class Pretend:
    """A trial whose measures are functions of the settings, one a proxy."""

    def __init__(self, *codecs, predicted=lambda s: 1.0, growth=lambda s: 0.1, untreated=FINE, given_up=lambda g: None):
        self.proxies = tuple(Proxy(quality=75 + n) for n in range(len(codecs)))
        self._codecs, self._predicted, self._growth, self._plain = codecs, predicted, growth, untreated
        self._given_up, self.seen = given_up, []

    def untreated(self):
        return tuple(Outcome(proxy, self._plain, 1000, None) for proxy in self.proxies)

    def tried(self, recipe):
        settings = Settings.of(recipe)
        self.seen.append(settings)
        return Tried(
            tuple(
                Outcome(proxy, codec(settings), 1100, self._growth(settings))
                for proxy, codec in zip(self.proxies, self._codecs, strict=True)
            )
        )

    def predicted(self, grain):
        return self._predicted(grain)

    def given_up(self, guard):
        return self._given_up(guard)


@pytest.fixture
def recipe():
    return load_recipe("social")


def fine(settings):
    return FINE


def test_the_first_guess_is_the_weakest_grain_that_is_predicted_to_be_kept(recipe):
    trial = Pretend(fine, predicted=lambda grain: grain.strength / 3)
    found = adapt(recipe, "still", trial)
    assert trial.seen[0].strength == pytest.approx(0.65 * 3, rel=0.06)
    assert trial.seen[0].size == 1.2
    assert len(found.rounds) == 1
    assert found.rounds[0].misses == ()


def test_grain_that_is_lost_at_any_strength_is_tried_coarser_then_only_dithers(recipe):
    trial = Pretend(fine, predicted=lambda grain: 0.9 if grain.size > 1.5 else 0.1)
    assert adapt(recipe, "still", trial).rounds[0].settings.size == pytest.approx(1.2 * 1.2 * 1.2, abs=0.3)
    eaten = Pretend(lambda s: replace(FINE, rho=0.1, dead=0.5), predicted=lambda grain: 0.1)
    found = adapt(recipe, "still", eaten)
    assert found.rounds[0].settings == found.asked
    assert found.rounds[0].misses == ()


def test_without_a_model_it_begins_with_what_was_asked(recipe):
    trial = Pretend(fine, predicted=lambda grain: None)
    found = adapt(recipe, "still", trial)
    assert trial.seen == [replace(found.asked, patches=4)]
    assert replace(found.recipe, adapt=recipe.adapt) == recipe


def test_without_a_model_the_first_try_shows_whether_grain_can_be_kept(recipe):
    def keeps(share):
        return adapt(recipe, "still", Pretend(lambda s: replace(FINE, rho=share), predicted=lambda grain: None))

    assert keeps(0.1).rounds[0].misses == ()
    assert {miss.target for miss in keeps(0.4).rounds[0].misses} == {"rho"}


def test_bands_ask_for_more_grain_and_get_it_within_bounds(recipe):
    found = adapt(recipe, "still", Pretend(lambda s: replace(FINE, cambi=3.0 / s.strength)))
    best = found.rounds[found.chosen]
    assert 1.5 <= best.settings.strength <= 2.0 * recipe.adapt.stronger
    assert best.misses == ()
    hopeless = adapt(recipe, "still", Pretend(lambda s: replace(FINE, cambi=20.0)))
    assert len(hopeless.rounds) <= 4
    assert max(r.settings.strength for r in hopeless.rounds) <= 2.0 * recipe.adapt.stronger
    assert "smooth areas will still show bands" in hopeless.note()
    assert "(index 20, limit 2)" in hopeless.note()


def test_bytes_beyond_the_cap_make_grain_coarser_then_weaker(recipe):
    trial = Pretend(fine, predicted=lambda grain: None, growth=lambda s: 0.5 * s.strength / s.size**0.5)
    found = adapt(recipe, "still", trial)
    assert trial.seen[1].size > trial.seen[0].size
    assert found.rounds[found.chosen].outcomes[0].growth < found.rounds[0].outcomes[0].growth


def test_the_ceiling_falls_by_what_decodes_too_bright_on_the_worst_proxy(recipe):
    def overshoot(codes):
        return lambda s: replace(FINE, p999=255 * s.ceiling + codes)

    mild, bad = overshoot(4), overshoot(10)
    found = adapt(recipe, "still", Pretend(mild, bad, mild, predicted=lambda grain: None))
    best = found.rounds[found.chosen]
    assert best.misses == ()
    assert best.settings.ceiling == pytest.approx((255 - 10) / 255, abs=0.008)
    assert 1 - best.settings.knee >= 2.99 * (1 - best.settings.ceiling)
    assert found.rounds[0].misses[0].proxy == "jpeg q76 4:2:0"
    far = adapt(recipe, "still", Pretend(overshoot(60))).rounds[-1].settings
    assert far.knee == pytest.approx(0.9 - recipe.adapt.lower)
    assert 1 - far.knee == pytest.approx(3 * (1 - far.ceiling), abs=0.001)


def test_no_more_light_is_given_up_than_may_be(recipe):
    def dim(settings):
        return replace(FINE, luma_given_up=100 * (1 - settings.ceiling), p999=255 * settings.ceiling + 14)

    found = adapt(recipe, "still", Pretend(dim))
    best = found.rounds[found.chosen]
    assert best.settings.ceiling == pytest.approx(0.976, abs=0.001)
    assert [miss.target for miss in best.misses] == ["p999"]
    dark = override(recipe, ["highlight_guard.ceiling=0.93", "highlight_guard.knee=0.88"])
    assert adapt(dark, "still", Pretend(dim)).recipe.for_kind("still").effect(HighlightGuard).ceiling > 0.97


def test_what_is_fixed_or_off_stays(recipe):
    def bad(settings):
        return replace(FINE, cambi=9.0, p999=270.0, rho=0.1, luma_given_up=9.0)

    every = ("cinema_grain.strength", "cinema_grain.size", "highlight_guard.knee", "highlight_guard.ceiling")
    assert len(adapt(recipe, "still", Pretend(bad), every).rounds) == 1
    off = override(recipe, ["cinema_grain.strength=0", "highlight_guard.strength=0"])
    found = adapt(off, "still", Pretend(bad))
    assert len(found.rounds) == 1
    assert found.recipe.for_kind("still").effects == off.for_kind("still").effects
    held = adapt(recipe, "still", Pretend(bad), ["cinema_grain.strength"])
    assert {r.settings.strength for r in held.rounds} == {2.0}
    assert len({r.settings.ceiling for r in held.rounds}) > 1


def test_a_clip_is_given_up_on_where_a_correction_brings_nothing(recipe):
    def hopeless(settings):
        return replace(FINE, p999=290.0 + settings.ceiling)

    rounds = {k: adapt(recipe, k, Pretend(hopeless, predicted=lambda g: None)) for k in KINDS}
    assert len(rounds["clip"].rounds) == 2 < len(rounds["still"].rounds)


def test_flicker_takes_grain_to_what_it_allows_at_once(recipe):
    own, plain = 0.6, replace(FINE, flicker=0.6)
    trial = Pretend(
        lambda s: replace(FINE, flicker=(own**2 + s.strength**2) ** 0.5), untreated=plain, predicted=lambda g: None
    )
    found = adapt(override(recipe, ["clip.effects.cinema_grain.strength=0.8"]), "clip", trial)
    assert [bool(each.misses) for each in found.rounds] == [True, False]


# Carriers


def eaten_unless_locked(grain):
    return 0.5 * grain.strength if grain.carrier == "locked" else 0.05


def test_a_clip_whose_animated_grain_would_be_lost_gets_the_least_locked_grain_that_is_kept(recipe):
    trial = Pretend(fine, predicted=eaten_unless_locked)
    found = adapt(recipe, "clip", trial)
    assert [(s.carrier, s.strength) for s in trial.seen] == [("locked", pytest.approx(1.3, rel=0.03))]
    assert found.recipe.for_kind("clip").effect(CinemaGrain).carrier == "locked"
    assert found.recipe.for_kind("still").effect(CinemaGrain).carrier == "animated"
    assert "grain moving with the picture (locked) instead of new in every frame" in found.note()
    assert found.as_mapping()["rounds"][0]["settings"]["cinema_grain.carrier"] == "locked"


def test_locked_grain_stays_within_its_bound_and_what_is_still_lost_is_said(recipe):
    trial = Pretend(lambda s: replace(FINE, rho=0.4), predicted=lambda g: 0.5 * eaten_unless_locked(g))
    found = adapt(recipe, "clip", trial)
    assert max(s.strength for s in trial.seen) == recipe.adapt.locked == 2.0
    assert "40 % of the grain will be left" in found.note()


@pytest.mark.parametrize(
    ("settings", "fixed"),
    [
        (["adapt.locked=0"], []), ([], ["cinema_grain.carrier"]), ([], ["cinema_grain.strength"]),
        (["clip.effects.cinema_grain.strength=0"], []),
    ],
)  # fmt: skip
def test_the_carrier_stays_where_it_may_not_change(recipe, settings, fixed):
    trial = Pretend(lambda s: replace(FINE, rho=0.1), predicted=eaten_unless_locked)
    adapt(override(recipe, settings), "clip", trial, fixed)
    assert {s.carrier for s in trial.seen} == {"animated"}


def test_stills_and_masters_are_never_locked(recipe):
    lost = Pretend(lambda s: replace(FINE, rho=0.1), predicted=eaten_unless_locked)
    adapt(recipe, "still", lost)
    adapt(load_recipe("video/master"), "clip", lost)
    assert {s.carrier for s in lost.seen} == {"animated"}


def test_without_a_model_the_carrier_changes_once_too_little_is_seen_to_be_left(recipe):
    def codec(settings):
        return replace(FINE, rho=0.7 if settings.carrier == "locked" else 0.1)

    trial = Pretend(codec, predicted=lambda grain: eaten_unless_locked(grain) if trial.seen else None)
    found = adapt(recipe, "clip", trial)
    assert [s.carrier for s in trial.seen] == ["animated", "locked"]
    assert found.chosen == 1
    assert found.rounds[1].misses == ()


def test_grain_that_flickers_and_is_lost_at_once_changes_its_carrier(recipe):
    def codec(settings):
        return FINE if settings.carrier == "locked" else replace(FINE, rho=0.5, flicker=2.0)

    trial = Pretend(codec, predicted=lambda grain: None, untreated=replace(FINE, flicker=1.0))
    adapt(recipe, "clip", trial)
    assert [s.carrier for s in trial.seen] == ["animated", "locked"]


def test_grain_that_flickers_where_locking_is_not_worth_it_is_only_made_weaker(recipe):
    def codec(settings):
        return replace(FINE, cambi=9.0, flicker=1.0 + settings.strength)

    trial = Pretend(codec, predicted=lambda grain: 0.0, untreated=replace(FINE, flicker=1.0))
    adapt(recipe, "clip", trial)
    assert {s.carrier for s in trial.seen} == {"animated"}
    assert trial.seen[1].strength < trial.seen[0].strength


def test_locked_grain_that_flickers_at_its_weakest_is_taken_back(recipe):
    def codec(settings):
        return replace(FINE, flicker=9.0 + settings.strength if settings.carrier == "locked" else 1.0)

    trial = Pretend(codec, predicted=eaten_unless_locked, untreated=replace(FINE, flicker=1.0))
    found = adapt(recipe, "clip", trial)
    assert [s.carrier for s in trial.seen] == ["locked", "animated"]
    assert found.rounds[found.chosen].settings.strength == found.asked.strength


# Highlights of clips


def test_a_clips_first_ceiling_is_as_far_below_white_as_it_decodes_above_and_as_the_light_allows(recipe):
    def codec(settings):
        return replace(FINE, p999=255 * settings.ceiling + 11, luma_given_up=share * 255 * (1 - settings.ceiling))

    burnt = replace(FINE, p999=267.0, highlights_share=0.05)
    for share, ceiling in ((0.1, 1 - 12 / 255), (0.3, 1 - 2.5 / 255 / 0.3)):
        trial = Pretend(
            codec, untreated=burnt, given_up=lambda guard, share=share: share * 255 * (1 - guard.ceiling)
        )  # fmt: skip
        found = adapt(recipe, "clip", trial)
        assert trial.seen[0].ceiling == pytest.approx(ceiling, abs=0.003)
        assert len(found.rounds) == 1
        assert ("brightest highlights will reach" in found.note()) == (share == 0.3)


def test_a_clip_that_does_not_burn_keeps_its_shoulder(recipe):
    found = adapt(recipe, "clip", Pretend(fine, given_up=lambda guard: 0.2))
    own = recipe.for_kind("clip").effect(HighlightGuard)
    assert (found.rounds[0].settings.knee, found.rounds[0].settings.ceiling) == (own.knee, own.ceiling)


def test_a_film_gauge_says_how_large_grain_is(recipe):
    gauge = override(recipe, ["cinema_grain.film=super16"])
    eaten = Pretend(fine, predicted=lambda grain: 0.9 if grain.size > 1.2 else 0.1, growth=lambda s: 0.9)
    assert {r.settings.size for r in adapt(gauge, "still", eaten).rounds} == {1.2}
    assert {r.settings.size for r in adapt(recipe, "still", eaten).rounds} != {1.2}


def test_the_best_of_what_was_tried_is_taken_and_only_for_its_kind(recipe):
    def worse_each_time(settings):
        return replace(FINE, cambi=2.5 + settings.strength)

    found = adapt(recipe, "still", Pretend(worse_each_time))
    assert found.chosen == 0
    assert len(found.rounds) > 1
    assert found.recipe.for_kind("still").effect(CinemaGrain).strength == found.rounds[0].settings.strength
    assert found.recipe.for_kind("clip").effects == recipe.for_kind("clip").effects
    assert not found.recipe.adapt.still


def test_limits_bend_to_what_the_input_is():
    def names(measures, plain=FINE, kept=True):
        outcomes, untreated = [Outcome(Q75, measures, 1, 0.0)], [Outcome(Q75, plain, 1, None)]
        return {miss.target for miss in missed(outcomes, untreated, Targets(), kept=kept)}

    assert names(replace(FINE, cambi=3.0)) == {"cambi"}
    assert names(replace(FINE, cambi=3.0), replace(FINE, cambi=8.0)) == set()
    assert names(replace(FINE, cambi=5.0), replace(FINE, cambi=8.0)) == {"cambi"}
    assert names(replace(FINE, hue_degrees=5.0), replace(FINE, hue_degrees=6.0)) == set()
    assert names(replace(FINE, rho=0.1, dead=0.5)) == {"rho", "dead"}
    assert names(replace(FINE, rho=0.1, dead=0.5), kept=False) == set()
    assert names(replace(FINE, highlights_share=None, p999=None, rho=None)) == set()
    assert names(replace(FINE, flicker=0.5), replace(FINE, flicker=0.3)) == {"flicker"}


# Where a clip is looked at


def frames(lumas):
    for index, luma in enumerate(lumas):
        yield Frame((np.full((32, 48), luma, np.uint8) if np.isscalar(luma) else luma,), Color(), index)


def test_windows_are_the_darkest_the_liveliest_and_the_brightest():
    rng = np.random.default_rng(0)
    lumas = [100] * 24 + [30] * 12 + [100] * 12 + [rng.integers(60, 140, (32, 48), np.uint8) for _ in range(12)]
    lumas += [100] * 12 + [230] * 12 + [100] * 12
    windows = choose_windows(frames(lumas))
    assert [(w.first, w.end, w.reason) for w in windows] == [
        (24, 36, "darkest smooth"), (48, 60, "most motion"), (72, 84, "brightest"),
    ]  # fmt: skip
    held = list(gathered(frames(lumas), windows))
    assert [[f.index for f in run] for run in held] == [list(range(w.first, w.end)) for w in windows]


def test_a_short_clip_is_one_window_and_an_empty_one_none():
    (window,) = choose_windows(frames([50] * 5))
    assert (window.first, window.end) == (0, 5)
    assert choose_windows(frames([])) == ()
    late = (
        {"first": w.first, "end": w.end} for w in choose_windows(replace(f, index=f.index + 7) for f in frames([9] * 3))
    )
    assert list(late) == [{"first": 7, "end": 10}]


# In a job


def portrait(path: Path) -> Path:
    return still(path, 320, 240)


@pytest.mark.slow
def test_a_social_still_is_adapted_told_and_replayed(tmp_path):
    source = portrait(tmp_path / "a.png")
    said = []
    report = finish(source, tmp_path / "b.jpg", preset="social", announce=said.append)
    assert len(said) == 1
    assert said[0].startswith("adapting to the platform's JPEG: the picture is tried up to 4 times, about ")
    assert "s of CPU time" in said[0]
    assert any(note.startswith("adapted to the platform's JPEG: ") for note in report.notes)
    told = yaml.safe_load(Path(report.sidecar).read_text())
    rounds = told["measured"]["adapt"]["rounds"]
    assert 1 <= len(rounds) <= 4
    assert all(each["after"][0]["proxy"] == "jpeg q75 4:2:0" for each in rounds)
    chosen = rounds[told["measured"]["adapt"]["chosen"] - 1]["settings"]
    assert told["applied"]["cinema_grain"]["strength"] == chosen["cinema_grain.strength"]
    again = finish(source, tmp_path / "c.jpg", recipe=report.sidecar)
    assert again.sha256 == report.sha256
    twice = finish(source, tmp_path / "d.jpg", preset="social")
    assert twice.sha256 == report.sha256


def test_it_can_be_left_out_and_what_was_set_stays(tmp_path):
    source = portrait(tmp_path / "a.png")
    plain = finish(source, tmp_path / "b.jpg", preset="social", adapt=False)
    assert not any(note.startswith("adapted") for note in plain.notes)
    held = finish(source, tmp_path / "c.jpg", preset="social", settings=["cinema_grain.strength=1.7"])
    told = yaml.safe_load(Path(held.sidecar).read_text())
    assert told["applied"]["cinema_grain"]["strength"] == 1.7
    assert dry_run(FinishRequest.of(source, preset="social"))["adapt"].startswith("adapting to the platform's JPEG: ")
    assert dry_run(FinishRequest.of(source, preset="social", adapt=False))["adapt"] == "no"
    assert dry_run(FinishRequest.of(source, preset="print"))["adapt"] == "no"


SMALL = """\
grainkit: 1
name: small
extends: social
proxies:
  - {codec: x264, kbps: 150, width: 96, height: 96}
  - {codec: vp9, crf: 40}
  - {codec: av1, crf: 45}
adapt: {rounds: 2}
"""


@pytest.mark.slow
def test_a_clip_is_adapted_when_asked_through_its_own_proxies(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    source = clip(tmp_path / "c.nut", width=192, height=144, frames=16)
    plain = finish(source, tmp_path / "p.mp4", recipe=tmp_path / "small.yaml")
    assert not any(note.startswith("adapted") for note in plain.notes)
    first, second = (
        finish(source, tmp_path / f"{n}.nut", recipe=tmp_path / "small.yaml", adapt=True) for n in range(2)
    )
    told = yaml.safe_load(Path(first.sidecar).read_text())["measured"]["adapt"]
    assert [one["proxy"] for one in told["untreated"]] == ["x264 150 kb/s in 96x96", "vp9 crf 40", "av1 crf 45"]
    assert len(told["rounds"]) <= 2
    assert all(one["crf"] for each in told["rounds"] for one in each["after"])
    assert first.sha256 == second.sha256
    assert yaml.safe_load(Path(second.sidecar).read_text())["measured"]["adapt"] == told


@pytest.mark.slow
def test_sequences_are_adapted_too(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    pattern = numbered(tmp_path / "in", 4)
    report = finish(pattern, tmp_path / "out.nut", recipe=tmp_path / "small.yaml", adapt=True)
    assert any(note.startswith("adapted to the platform's H.264, VP9 and AV1: ") for note in report.notes)


def test_where_it_cannot_be_done_it_says_so(tmp_path):
    source = portrait(tmp_path / "a.png")
    with pytest.raises(RecipeError, match=r"preset print says of no platform .* leave --adapt out"):
        finish(source, tmp_path / "b.tif", preset="print", adapt=True)
    with pytest.raises(OutputError, match="name a file with -o"):
        finish(clip(tmp_path / "c.nut"), "-", preset="social", adapt=True)
    with pytest.raises(InputError, match="can be read once; name a file"):
        dry_run(
            FinishRequest.of("-", tmp_path / "d.mp4", preset="social", adapt=True),
            Watch(stdin=BytesIO(y4m_of(clip(tmp_path / "e.nut")))),
        )


def test_the_proxies_of_a_kind(recipe):
    assert {p.codec for p in proxies_of(recipe, "still")} == {"jpeg"}
    assert {p.codec for p in proxies_of(recipe, "clip")} == {"x264"}


def test_a_matte_of_ones_own_says_where_skin_is(tmp_path):
    source = portrait(tmp_path / "a.png")
    matte = np.zeros((240, 320), np.uint8)
    matte[60:180, 80:240] = 255
    Image.fromarray(matte).save(tmp_path / "m.png")
    told = [
        yaml.safe_load(Path(report.sidecar).read_text())["measured"]["adapt"]
        for report in (
            finish(source, tmp_path / "b.jpg", preset="social"),
            finish(source, tmp_path / "c.jpg", preset="social", matte=tmp_path / "m.png"),
        )
    ]
    # The same encode, judged in another place.
    assert told[0]["untreated"][0]["bytes"] == told[1]["untreated"][0]["bytes"]
    assert told[0]["untreated"][0]["retained"] != told[1]["untreated"][0]["retained"]


def test_grain_that_is_carried_as_metadata_is_left_alone(tmp_path):
    source = clip(tmp_path / "c.nut", width=192, height=144, frames=6)
    report = finish(source, tmp_path / "o.mp4", preset="video/av1", adapt=True)
    asked = load_recipe("video/av1").for_kind("clip").effect(CinemaGrain)
    rounds = yaml.safe_load(Path(report.sidecar).read_text())["measured"]["adapt"]["rounds"]
    assert {one["settings"]["cinema_grain.strength"] for one in rounds} == {asked.strength}
    assert {one["settings"]["cinema_grain.size"] for one in rounds} == {asked.size}
