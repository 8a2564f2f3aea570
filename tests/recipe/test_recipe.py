"""What a recipe promises: it reads back as itself, and a slip is named with its place, value and range."""

import math
from dataclasses import fields, replace
from functools import cache

import pytest
import yaml
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from grainkit.effects import EFFECTS
from grainkit.errors import RecipeError
from grainkit.io.delivery import STILL_DEPTHS, ClipDelivery, Delivery, StillDelivery
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
    return replace(still, depth=draw(st.sampled_from(STILL_DEPTHS[still.container])))


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


def recipe(body=""):
    return parse_recipe(f"grainkit: 1\n{body}", "my.yaml")


def refusal(body):
    with pytest.raises(RecipeError) as caught:
        recipe(body)
    message = str(caught.value)
    assert "\n" not in message
    return message


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


@pytest.mark.parametrize(
    "text", ["\x85", "\u2028", "a\nb", " a ", "4:2:0", "1e5", "no", "2026-11-01", "0x10", "~", "\x00", "é😀"]
)
def test_awkward_text_stays_text(text):
    wanted = Recipe(name="x", description=text, source=(text,))
    assert parse_recipe(to_yaml(wanted)) == wanted
    assert yaml.safe_load(to_yaml(wanted))["description"] == text


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".grainkit.txt"])
def test_a_file_reads_back_whatever_its_kind(tmp_path, suffix):
    wanted = override(load_recipe("social/reel"), ["seed=7", "cinema_grain.strength=1.5"])
    text = to_yaml(wanted)
    if suffix == ".grainkit.txt":
        text = "# made by hand\ngrainkit: 1\nrecipe:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    path = tmp_path / f"x{suffix}"
    path.write_text(text, encoding="utf-8")
    assert load_recipe(path) == load_recipe(str(path)) == wanted


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty; a recipe begins with 'grainkit: 1'"),
        (b"- a\n", "is a list, not a mapping"),
        (b"social\n", "is a str, not a mapping"),
        (b"name: x\n", "does not say its version"),
        (b"grainkit: 2\n", "is of version 2; this grainkit reads 'grainkit: 1'"),
        (b"grainkit: true\n", "is of version True"),
        (b"grainkit: 1\nseed: 1\nseed: 2\n", ", line 3: the key 'seed' is there twice"),
        (b"grainkit: 1\neffects: &a {}\nclip: *a\n", ", line 2: anchors and aliases"),
        (b"grainkit: 1\nseed: !!python/name:os.system x\n", ", line 2: tags (!)"),
        (b"grainkit: 1\nsource:\n\t- x\n", ", line 3: found character '\\t'"),
        (b"grainkit: 1\n1: x\n", ", line 2: a key must be text"),
        (b"grainkit: 1\nname: \xff\n", ", line 2: not UTF-8 text"),
        (b"grainkit: 1\nname: \x00\n", ", line 2: a character that text does not hold (#x0)"),
        (b"grainkit: 1\n---\ngrainkit: 1\n", ", line 2: but found another document"),
        (b"grainkit: 1\nsource: " + b"[" * 100 + b"]" * 100, ", line 2: nested deeper than 16 levels"),
        (b"grainkit: 1\nsource: [" + b"a," * 20_001 + b"]", ", line 2: more than 20000 values"),
        (b"grainkit: 1\nseed: " + b"9" * 9999, "... (10001 characters) is not a number"),
        (b"grainkit: 1\nsource: [\n", ", line 3: "),
        (b"#" * 2**20 + b"\n", "is larger than 1048576 bytes"),
        ("\ufeffgrainkit: 1\nseed: -1\n".encode(), ": seed = -1 is outside"),
    ],
)
def test_a_broken_file_is_one_line_with_a_place(tmp_path, text, message):
    path = tmp_path / "my.yaml"
    path.write_bytes(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert message in said
    assert "\n" not in said


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.binary(max_size=60))
def test_no_text_breaks_the_reader(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(b"grainkit: 1\n" + (text if isinstance(text, bytes) else text.encode()))
    try:
        found = load_recipe(path)
    except RecipeError as error:
        assert "\n" not in str(error)  # noqa: PT017 (most texts are refused, a few are recipes)
    else:
        assert parse_recipe(to_yaml(found)) == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("social/rel", "no preset 'social/rel'; did you mean social/reel? (there are: print, "),
        ("../presets/social", "no preset '../presets/social'"),
        ("nowhere/x.yaml", "no recipe file nowhere/x.yaml; check the path"),
        ("", "no preset ''"),
    ],
)
def test_what_is_not_there_is_said(name, message):
    with pytest.raises(RecipeError) as caught:
        load_recipe(name)
    assert str(caught.value).startswith(message)


def test_a_folder_is_not_a_recipe(tmp_path):
    (tmp_path / "x.yaml").mkdir()
    with pytest.raises(RecipeError, match="cannot read the recipe file"):
        load_recipe(tmp_path / "x.yaml")


def test_a_sidecar_without_a_recipe_is_said(tmp_path):
    path = tmp_path / "x.png.grainkit.txt"
    path.write_text("grainkit: 1\nseed: 3\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="holds no recipe"):
        load_recipe(path)
    path.write_text("grainkit: 1\nrecipe: {seed: 3}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="recipe does not say its version"):
        load_recipe(path)


def test_extending_merges_mappings_replaces_lists_and_leaves_the_rest(tmp_path):
    (tmp_path / "sub").mkdir()
    base = tmp_path / "sub" / "base.yaml"
    base.write_text("grainkit: 1\nextends: video\nseed: 5\nsource: [a, b]\n", encoding="utf-8")
    child = tmp_path / "child.yaml"
    child.write_text(
        "grainkit: 1\nextends: sub/base.yaml\nsource: [c]\n"
        "delivery: {still: null, clip: {options: {crf: 12, tune: null}}}\neffects: {cinema_grain: {size: 2}}\n",
        encoding="utf-8",
    )
    video, made = load_recipe("video"), load_recipe(child)
    assert made.name == "child"
    assert (made.seed, made.source, made.checked_on) == (5, ("c",), video.checked_on)
    assert made.delivery.still is None
    assert video.delivery.clip is not None
    left = {k: v for k, v in video.delivery.clip.options.items() if k != "tune"}
    assert made.delivery == replace(
        video.delivery, still=None, clip=replace(video.delivery.clip, options={**left, "crf": "12"})
    )
    grain = video.effects["cinema_grain"]
    assert made.effects == {**video.effects, "cinema_grain": replace(grain, size=2.0)}


def test_a_circle_of_recipes_is_refused(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"grainkit: 1\nextends: {other}.yaml\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"in a circle: a.yaml extends b.yaml extends a.yaml"):
        load_recipe(tmp_path / "a.yaml")


def test_a_slip_in_a_base_names_the_base(tmp_path):
    (tmp_path / "base.yaml").write_text("grainkit: 1\nseed: -1\n", encoding="utf-8")
    (tmp_path / "a.yaml").write_text("grainkit: 1\nextends: base.yaml\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"base\.yaml: seed = -1"):
        load_recipe(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("grainkit: 1\nextends: gone.yaml\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"a\.yaml: no recipe file .*gone\.yaml"):
        load_recipe(tmp_path / "a.yaml")


def test_kinds_have_their_own_parameters_until_both_are_told():
    both = recipe("effects: {cinema_grain: {strength: 2, size: 1.2}}\nclip: {effects: {cinema_grain: {strength: 0.5}}}")
    assert [both.for_kind(k).effects["cinema_grain"].strength for k in ("still", "clip")] == [2.0, 0.5]
    assert both.for_kind("clip").effects["cinema_grain"].size == 1.2
    assert both.for_kind("clip").for_kind("still") == both.for_kind("clip")
    told = override(both, ["cinema_grain.strength=3"])
    assert [told.for_kind(k).effects["cinema_grain"].strength for k in ("still", "clip")] == [3.0, 3.0]
    apart = override(both, ["cinema_grain.strength=3", "clip.effects.cinema_grain.strength=1"])
    assert [apart.for_kind(k).effects["cinema_grain"].strength for k in ("still", "clip")] == [3.0, 1.0]
    with pytest.raises(ValueError, match="one of still, clip"):
        both.for_kind("sequence")


def test_another_encoder_starts_without_the_old_ones_options():
    old = load_recipe("social")
    new = override(old, ["delivery.clip.codec=libx265", "delivery.clip.options.crf=20"]).delivery.clip
    assert (new.codec, dict(new.options), new.profile) == ("libx265", {"crf": "20"}, "")
    assert override(old, ["delivery.clip.codec=libx264"]) == old


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
    assert made.effects["cinema_grain"].strength == 1.5
    assert made.effects["highlight_guard"].knee == 0.8
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


@pytest.mark.parametrize("place", ["../base.yaml", "sub/../../base.yaml", "{}/base.yaml", "link/base.yaml"])
def test_a_recipe_names_none_outside_its_own_folder(tmp_path, place):
    (tmp_path / "base.yaml").write_text("grainkit: 1\n", encoding="utf-8")
    (tmp_path / "mine/sub").mkdir(parents=True)
    (tmp_path / "mine/link").symlink_to(tmp_path)
    (tmp_path / "mine/a.yaml").write_text(f"grainkit: 1\nextends: {place.format(tmp_path)}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="outside the recipe's own folder"):
        load_recipe(tmp_path / "mine/a.yaml")
    (tmp_path / "mine/sub/a.yaml").write_text("grainkit: 1\nextends: video\n", encoding="utf-8")
    (tmp_path / "mine/b.yaml").write_text("grainkit: 1\nextends: sub/a.yaml\n", encoding="utf-8")
    assert load_recipe(tmp_path / "mine/b.yaml").name == "b"


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
