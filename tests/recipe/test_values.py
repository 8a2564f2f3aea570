"""Values over a recipe: a slip is named with its place, value and range."""

import math
from dataclasses import fields

import pytest

from grainkit.effects import EFFECTS
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.errors import RecipeError
from grainkit.io.delivery import ClipDelivery, Delivery, StillDelivery
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe, parse_recipe
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.targets import Targets


def recipe(body=""):
    return parse_recipe(f"grainkit: 1\n{body}", "my.yaml")


def refusal(body):
    with pytest.raises(RecipeError) as caught:
        recipe(body)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_effect_is_present_at_its_defaults():
    assert recipe().effects == {name: kind() for name, kind in EFFECTS.items()}


def numeric():
    for place, kind in [
        *((name, kind) for name, kind in EFFECTS.items()),
        ("delivery", Delivery),
        ("delivery.still", StillDelivery),
        ("delivery.clip", ClipDelivery),
        ("targets", Targets),
    ]:
        for f in fields(kind):
            declared = f.metadata.get("param")
            if declared and not declared.choices and not isinstance(f.default, (bool, str)):
                yield pytest.param(place, f, id=f"{place}.{f.name}")


@pytest.mark.parametrize(("place", "field"), list(numeric()))
def test_just_outside_is_refused_by_name_value_range_and_unit(place, field):
    declared = field.metadata["param"]
    whole = isinstance(field.default, int)
    for bound, away in ((declared.low, -math.inf), (declared.high, math.inf)):
        assert math.isfinite(bound), "a range without an end lets any slip through"
        outside = int(bound + math.copysign(1, away)) if whole else math.nextafter(bound, away)
        with pytest.raises(RecipeError) as caught:
            override(Recipe(name="x"), [f"{place}.{field.name}={outside!r}"])
        assert str(caught.value) == f"--set: {place}.{field.name} = {outside!r} is outside {declared.allowed()}"
        assert declared.unit in str(caught.value)
    for slip in (".nan", ".inf", "1e999", "true", "many", "1_0", "9" * 400):
        with pytest.raises(RecipeError, match=rf"^--set: {place}.{field.name} = .*{declared.allowed().split()[0]}"):
            override(Recipe(name="x"), [f"{place}.{field.name}={slip}"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("effects: {cinema_grain: {strength: 30}}", ": cinema_grain.strength = 30 is outside 0 to 24 codes of 255"),
        (
            "clip: {effects: {cinema_grain: {strength: 30}}}",
            ": clip.effects: cinema_grain.strength = 30 is outside 0 to 24 codes of 255",
        ),
        (
            "effects: {cinema_grain: {strenght: 3}}",
            ": effects.cinema_grain has no key 'strenght'; did you mean strength?; it has: strength, ",
        ),
        ("effects: {cinema_grian: {}}", ": effects has no key 'cinema_grian'; did you mean cinema_grain?; it has: "),
        ("effects:", ": effects is empty; leave it out or give any of: "),
        ("effects: {cinema_grain: 3}", ": effects.cinema_grain is 3, not a mapping; "),
        (
            "delivery: {clip: {codek: x}}",
            ": delivery.clip has no key 'codek'; did you mean codec?; it has: container, codec, ",
        ),
        (
            "delivery: {fit: fil}",
            ": delivery.fit = 'fil' is not allowed; it is one of fit, cover, keep, pad; did you mean fit?",
        ),
        ("delivery: {upscale: 1}", ": delivery.upscale = 1 is not allowed; it is true or false"),
        ("delivery: {upscale: yes}", ": delivery.upscale = 'yes' is not allowed; it is true or false"),
        ("delivery: {width: 10.5}", ": delivery.width = 10.5 is not a whole number; allowed: 0 to 65536 px"),
        (
            "delivery: {still: {container: jpeg, depth: 16}}",
            ": delivery.still.depth = 16 is not allowed for jpeg; it is 8 bits",
        ),
        ("delivery: {still: {depth: 12}}", ": delivery.still.depth = 12 is not allowed for png; it is 8 or 16 bits"),
        ("delivery: {clip: {codec: ''}}", ": delivery.clip.codec is empty; mp4 needs an encoder's name"),
        ("delivery: {clip: {codec: [a]}}", ": delivery.clip.codec = ['a'] is not text"),
        ("delivery: {clip: {options: {crf: [1]}}}", ": delivery.clip.options.crf = [1] is not text or a number"),
        ("delivery: {clip: {options: {'a b': 1}}}", ": delivery.clip.options has the key 'a b'; a name is letters"),
        ("delivery: {clip: {options: 3}}", ": delivery.clip.options = 3 is not a mapping"),
        ("seed: 4294967296", ": seed = 4294967296 is outside 0 to "),
        ("seed: -1", ": seed = -1 is outside 0 to "),
        ("name: ../up", ": name = '../up' is not allowed"),
        ("source: one", ": source = 'one' is not a list of text"),
        ("checked_on: 1 Nov", ": checked_on = '1 Nov' is not a day; write it like 2026-11-01"),
        ("checked_on: 20261101", ": checked_on = 20261101 is not a day"),
        ("proxies: [{codec: jpeg}]", ": proxies[0]: jpeg takes a quality of 1 to 100"),
        ("proxies: [{codec: jpeg, quality: 75}, {codec: x264}]", ": proxies[1]: x264 takes either crf or kbps"),
        ("targets: {rho: 2}", ": targets.rho = 2 is outside 0 to 1 x"),
        ("effect: {}", " has no key 'effect'; did you mean effects?; it has: grainkit, extends, name, "),
        ("extends: social/rel", ": no preset 'social/rel'; did you mean social/reel? (there are: print, "),
        ("extends: 3", ": extends = 3 is not the name of a preset"),
    ],
)
def test_a_slip_is_named(body, message):
    assert refusal(body).startswith("my.yaml" + message)


def test_kinds_have_their_own_parameters_until_both_are_told():
    both = recipe("effects: {cinema_grain: {strength: 2, size: 1.2}}\nclip: {effects: {cinema_grain: {strength: 0.5}}}")
    assert [both.for_kind(k).effect(CinemaGrain).strength for k in ("still", "clip")] == [2.0, 0.5]
    assert both.for_kind("clip").effect(CinemaGrain).size == 1.2
    assert both.for_kind("clip").for_kind("still") == both.for_kind("clip")
    told = override(both, ["cinema_grain.strength=3"])
    assert [told.for_kind(k).effect(CinemaGrain).strength for k in ("still", "clip")] == [3.0, 3.0]
    apart = override(both, ["cinema_grain.strength=3", "clip.effects.cinema_grain.strength=1"])
    assert [apart.for_kind(k).effect(CinemaGrain).strength for k in ("still", "clip")] == [3.0, 1.0]
    with pytest.raises(ValueError, match="one of still, clip"):
        both.for_kind("sequence")


def test_another_encoder_starts_without_the_old_ones_options():
    old = load_recipe("social")
    new = override(old, ["delivery.clip.codec=libx265", "delivery.clip.options.crf=20"]).delivery.clip
    assert (new.codec, dict(new.options), new.profile) == ("libx265", {"crf": "20"}, "")
    assert override(old, ["delivery.clip.codec=libx264"]) == old


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stats", "x.log"), ("pass", "1"), ("flags", "+pass1"), ("x264-params", "crf=3:stats=x"), ("2pass", "1"),
        ("x264-params", "me=hex:dump-yuv=a"), ("x265-params", "csv=/tmp/a.csv"), ("x265-params", "new-one=/tmp/a"),
        ("aom-params", "film_grain_table=t"), ("svtav1-params", "fgs-table=t"), ("anything", "a/b"), ("any", "a\\b"),
    ],
)  # fmt: skip
def test_a_recipe_has_the_encoder_touch_no_file(key, value):
    with pytest.raises(RecipeError, match="read or write a file of its own"):
        recipe(f"delivery: {{clip: {{options: {{{key}: '{value}'}}}}}}")


def test_other_options_pass():
    options = {"x264-params": "crf=3:sar=1/1:aq-mode=2", "r": "30000/1001", "tune": "grain", "flags": "+cgop"}
    assert recipe(f"delivery: {{clip: {{options: {options}}}}}").delivery.clip.options == options
