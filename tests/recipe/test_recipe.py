"""What a recipe promises: it reads back as itself, and its fingerprint is of what it does."""

from dataclasses import fields, replace
from functools import cache

import pytest
import yaml
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from grainkit.effects import EFFECTS
from grainkit.errors import RecipeError
from grainkit.io.delivery import ClipDelivery, Delivery, StillDelivery
from grainkit.io.still_formats import format_named
from grainkit.recipe.catalogue import MAX_SEED
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe, parse_recipe
from grainkit.recipe.recipe import KINDS, Recipe, fingerprint, to_mapping, to_yaml
from grainkit.recipe.targets import Proxy, Targets

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LOOSE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@st.composite
def values_of(draw, kind):
    """Values of a declared dataclass, from its declarations alone; what it refuses as a whole is passed over."""
    values = {f.name: draw(value_of(f)) for f in fields(kind) if "param" in f.metadata}
    try:
        return kind(**values)
    except RecipeError:
        reject()


@cache
def value_of(field):
    declared = field.metadata["param"]
    if declared.choices:
        return st.sampled_from(declared.choices)
    if declared.pattern:
        return st.from_regex(declared.pattern, fullmatch=True).filter(str.isascii)
    if isinstance(field.default, bool):
        return st.booleans()
    if isinstance(field.default, str):
        return TEXT
    if isinstance(field.default, int):
        return st.integers(int(declared.low), int(declared.high))
    return st.floats(declared.low, declared.high)


@st.composite
def stills(draw):
    still = draw(values_of(StillDelivery))
    return replace(still, depth=draw(st.sampled_from(format_named(still.container).depths)))


@st.composite
def clips(draw):
    clip = draw(values_of(ClipDelivery))
    codec = draw(TEXT if clip.container == "sequence" else TEXT.filter(bool))
    return replace(
        clip,
        codec=codec,
        options=draw(st.dictionaries(st.from_regex(r"[A-Za-z0-9_.-]{1,9}", fullmatch=True), TEXT, max_size=4)),
    )


@st.composite
def some_settings(draw):
    chosen = {}
    for name, kind in EFFECTS.items():
        whole = draw(values_of(kind))
        names = draw(st.sets(st.sampled_from([f.name for f in fields(kind)])))
        if names:
            chosen[name] = {f.name: getattr(whole, f.name) for f in fields(kind) if f.name in names}
    return chosen


JPEGS = st.builds(Proxy, codec=st.just("jpeg"), quality=st.integers(1, 100))
VIDEOS = st.builds(Proxy, codec=st.sampled_from(["x264", "x265", "vp9", "av1"]), kbps=st.integers(1, 10**6))


@st.composite
def recipes(draw):
    delivery = replace(draw(values_of(Delivery)), still=draw(st.none() | stills()), clip=draw(st.none() | clips()))
    made = Recipe(
        name=draw(st.from_regex(r"\w[\w .-]{0,9}(/\w{1,9})?", fullmatch=True)),
        description=draw(TEXT),
        effects={name: draw(values_of(kind)) for name, kind in EFFECTS.items()},
        delivery=delivery,
        seed=draw(st.integers(0, MAX_SEED)),
        still=draw(some_settings()),
        clip=draw(some_settings()),
        proxies=tuple(draw(st.lists(JPEGS | VIDEOS, max_size=3))),
        targets=draw(values_of(Targets)),
        source=tuple(draw(st.lists(TEXT, max_size=3))),
        checked_on=draw(st.just("") | st.dates().map(str)),
    )
    try:
        for kind in KINDS:
            made.for_kind(kind)
    except RecipeError:
        reject()
    return made


@pytest.mark.slow
@LOOSE
@given(recipes())
def test_yaml_reads_back_as_the_very_recipe(wanted):
    text = to_yaml(wanted)
    again = parse_recipe(text)
    assert again == wanted
    assert list(again.effects) == list(EFFECTS)
    assert to_yaml(again) == text
    assert fingerprint(again) == fingerprint(wanted)
    # Other readers see the same text and numbers.
    assert yaml.safe_load(text) == to_mapping(wanted)


def test_the_fingerprint_is_of_what_is_done_not_of_what_it_is_called():
    base = load_recipe("social")
    assert fingerprint(replace(base, name="other", description="other", source=(), checked_on="")) == fingerprint(base)
    for change in (
        "seed=1",
        "cinema_grain.size=1.3",
        "delivery.clip.options.crf=17",
        "targets.rho=0.61",
        "delivery.turn=false",
    ):
        assert fingerprint(override(base, [change])) != fingerprint(base)
    assert len(fingerprint(base)) == 16
