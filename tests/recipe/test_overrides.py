"""KEY=VALUE over a recipe: every kind of key is reached, and a slip names --set."""

import pytest

from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.errors import RecipeError
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe


def test_overrides_reach_every_kind_of_key():
    made = override(
        load_recipe("social"),
        [
            "cinema_grain.strength=1.5",
            "effects.highlight_guard.knee=0.8",
            "delivery.fit=cover",
            "seed=6",
            "seed=7",
            "delivery.still.quality=90",
            "delivery.still.subsampling=4:2:0",
            "delivery.clip.options.crf=20",
            "delivery.clip.options.x264-params=a=1:b=2",
            "delivery.clip.profile=",
            "delivery.width=0",
            "targets.rho=0.7",
            "name=mine",
        ],
    )
    assert made.effect(CinemaGrain).strength == 1.5
    assert made.effect(HighlightGuard).knee == 0.8
    assert (made.delivery.fit, made.delivery.width, made.seed, made.name) == ("cover", 0, 7, "mine")
    assert (made.delivery.still.quality, made.delivery.still.subsampling) == (90, "4:2:0")
    assert (made.delivery.clip.options["crf"], made.delivery.clip.options["x264-params"]) == ("20", "a=1:b=2")
    assert (made.delivery.clip.profile, made.targets.rho) == ("", 0.7)
    assert override(made, ["delivery.still=null"]).delivery.still is None
    assert override(made, []) == made


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("cinema_grain.strength=30", "--set: cinema_grain.strength = 30 is outside 0 to 24 codes of 255"),
        (
            "cinma_grain.strength=3",
            "--set cinma_grain.strength: no effect or key 'cinma_grain'; did you mean cinema_grain.strength?",
        ),
        ("cinema_grain.strength", "--set cinema_grain.strength: write it as KEY=VALUE"),
        ("=3", "--set =3: write it as KEY=VALUE"),
        ("delivery.clip.codek=x", "--set: delivery.clip has no key 'codek'; did you mean codec?"),
        ("delivery=3", "--set delivery=3: delivery has parameters; set one of them, such as delivery.width=0"),
        ("cinema_grain=3", "--set cinema_grain=3: cinema_grain has parameters; set one of them, such as"),
        ("source=[a]", "--set source=[a]: give one value for one key"),
        ("seed={", "--set seed={, line 1: "),
        ("seed=7.5", "--set: seed = 7.5 is not a whole number"),
        ("delivery.still.depth=16", "--set: delivery.still.depth = 16 is not allowed for jpeg; it is 8 bits"),
    ],
)
def test_a_slip_in_an_override_names_set(assignment, message):
    with pytest.raises(RecipeError) as caught:
        override(load_recipe("social"), [assignment])
    assert str(caught.value).startswith(message)


def test_overrides_that_contradict_each_other_are_refused():
    for pair in (
        ["delivery.still=null", "delivery.still.quality=3"],
        ["delivery.still.quality=3", "delivery.still=null"],
    ):
        with pytest.raises(RecipeError, match="already set"):
            override(load_recipe("social"), pair)


def test_order_of_overrides_on_one_format_does_not_matter():
    pair = ["delivery.still.container=png", "delivery.still.depth=16"]
    assert override(load_recipe("social"), pair) == override(load_recipe("social"), pair[::-1])
