"""Every parameter explains itself, and every value of a preset says where it comes from."""

import json
import math

import pytest

from grainkit.effects import EFFECTS
from grainkit.errors import RecipeError
from grainkit.hosts.cli import command as cli
from grainkit.params import Param
from grainkit.recipe.catalogue import catalogue, nearest_keys
from grainkit.recipe.explain import explain_mapping, explain_text, parameter_text, select
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import layers, load_recipe, preset_names
from grainkit.recipe.recipe import to_mapping


def leaves(values, above=""):
    for name, value in values.items():
        if isinstance(value, dict) and name != "options":
            yield from leaves(value, f"{above}{name}.")
        else:
            yield above + name, value


def test_the_catalogue_holds_every_value_of_a_recipe():
    values = to_mapping(load_recipe("social"))
    told = {"seed": 0, **values.pop("effects"), **{n: values[n] for n in ("delivery", "targets", "adapt")}}
    told["proxies"] = values["proxies"][0]
    assert {key for key, _ in leaves(told)} == set(catalogue())


@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda entry: entry.key)
def test_every_parameter_has_a_sentence_a_range_and_a_unit(entry):
    declared = entry.declared
    assert declared.help[0].isupper() or declared.help.split()[0] in (*declared.choices, "png:", "srgb")
    assert declared.help.rstrip()[-1] in ".?"
    assert len(declared.help.split()) > 1
    assert "inf" not in entry.allowed
    assert entry.allowed != "a text"
    if isinstance(entry.default, (int, float)) and not isinstance(entry.default, bool):
        assert math.isfinite(declared.low)
        assert math.isfinite(declared.high)
        assert declared.low <= entry.default <= declared.high
        assert declared.unit or entry.key == "seed"
        assert "e+" not in entry.allowed
    assert (entry.key, entry.default) == (entry.key, override_of(entry))


def override_of(entry):
    """The default, after it went through the recipe's own checks."""
    if entry.key.startswith("proxies.") or entry.key == "delivery.clip.options":
        return entry.default
    text = str(entry.default).lower() if isinstance(entry.default, bool) else entry.default
    value = to_mapping(override(load_recipe("video"), [f"{entry.key}={text}"]))
    first, *rest = entry.key.split(".")
    value = value["effects"][first] if first in EFFECTS else value[first]
    for name in rest:
        value = value[name]
    return value


def test_text_that_may_be_anything_is_said_so():
    assert Param("What it is.").allowed() == "a text"
    assert Param("What it is.", form="a name").allowed() == "a name"
    assert Param("How many.", low=0, high=2**32 - 1, unit="px").allowed() == "0 to 4294967295 px"


def run(capsys, *arguments):
    status = cli.main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_params_prints_one_in_full(capsys):
    status, out, err = run(capsys, "params", "cinema_grain.film")
    assert (status, err) == (0, "")
    assert out.startswith("cinema_grain.film  one of none, super8, 16mm, super16, 35mm, 65mm; default none\n")
    assert "Film gauge: gives the size in place of `size`" in out
    assert "Source: camera apertures of the gauges" in out


@pytest.mark.parametrize(
    "name", [None, *EFFECTS, "delivery", "delivery.still", "delivery.clip", "targets", "adapt", "seed"]
)
def test_params_prints_some_or_all(capsys, name):
    status, out, _ = run(capsys, "params", *([name] if name else []))
    assert status == 0
    wanted = [key for key in catalogue() if name is None or key == name or key.startswith(f"{name}.")]
    assert [line.split()[0] for line in out.splitlines() if line.startswith(tuple(catalogue()))] == wanted
    told = json.loads(run(capsys, "params", *([name] if name else []), "--json")[1])
    assert list(told) == wanted
    for key, values in told.items():
        assert values["help"] == catalogue()[key].declared.help
        assert values["allowed"]
        assert values["default"] == catalogue()[key].default


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("cinema_grain.strenght", "cinema_grain.strength"), ("grain", "cinema_grain"), ("delivry", "delivery"),
        ("quality", "delivery.still.quality"), ("grain.size", "cinema_grain.size"), ("crf", ""),
        ("highlights.knee", "highlight_guard.knee"), ("delivery.quality", "delivery.still.quality"),
    ],
)  # fmt: skip
def test_what_is_no_parameter_is_said_with_what_is_near(capsys, name, near):
    status, out, err = run(capsys, "params", name)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"no parameter '{name}'; did you mean {near}" in err if near else f"no parameter '{name}'" in err


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("quality", ["delivery.still.quality"]), ("grain.strength", ["cinema_grain.strength"]),
        ("strength", ["skin_texture.strength", "highlight_guard.strength", "cinema_grain.strength"]),
        ("still.depth", ["delivery.still.depth"]), ("cinema-grain.strength", ["cinema_grain.strength"]),
        ("cinemagrain.size", ["cinema_grain.size"]), ("codec", ["delivery.clip.codec"]), ("zzz", []),
        ("skin.age", ["skin_texture.age"]), ("clip.container", ["delivery.clip.container"]),
    ],
)  # fmt: skip
def test_keys_that_a_short_one_may_stand_for(key, found):
    assert nearest_keys(key) == found


@pytest.mark.parametrize("name", preset_names())
def test_every_value_of_a_preset_says_which_preset_sets_it(name):
    """Held against the recipe itself: taking the preset that is named out of the chain changes the value's origin."""
    told = explain_mapping(name)
    recipe, chain = load_recipe(name), layers(name)
    assert told["extends"] == [layer.name for layer in chain[:-1]]
    whole = to_mapping(recipe)
    flat = {**{f"{e}.{p}": v for e, ps in whole["effects"].items() for p, v in ps.items()}, "seed": whole["seed"]}
    for one in told["values"]:
        if not one.get("kind") and one["key"] in flat:
            assert one["value"] == flat[one["key"]]
        if one["from"] == "default":
            assert one["value"] == catalogue()[one["key"]].default
            assert (one["source"], one["checked_on"]) == ([], "")
        else:
            layer = next(layer for layer in chain if layer.name == one["from"])
            assert one["source"] == list(layer.source)
            assert one["checked_on"] == layer.checked_on != ""
    assert "proxies" not in {one["key"] for one in told["values"]} or recipe.proxies


def test_a_preset_that_extends_another_is_told_apart():
    told = {(one["key"], one.get("kind", "")): one for one in explain_mapping("social/reel")["values"]}
    assert told["delivery.width", ""]["from"] == "social/reel"
    assert told["delivery.still.quality", ""]["from"] == "social"
    assert told["cinema_grain.strength", "clip"]["value"] == 0.5
    assert told["cinema_grain.strength", "clip"]["from"] == "social"
    assert told["cinema_grain.hold", ""]["from"] == "default"
    assert told["delivery.clip.options.crf", ""]["value"] == "18"
    assert told["delivery.width", ""]["declared"]["unit"] == "px"


def test_explain_prints_values_meaning_origin_and_sources(capsys):
    status, out, err = run(capsys, "presets", "social/instagram-feed", "--explain")
    assert (status, err) == (0, "")
    for said in (
        "social/instagram-feed, which extends social\n",
        "delivery.height = 1350  (from social/instagram-feed; 0 to 65536 px)\n    Height of the box",
        "cinema_grain.strength (clips) = 0.5  (from social; 0 to 24 codes of 255)",
        "cinema_grain.hold = 0  (default; 0 to 8 frames)",
        "Where social has its values from, checked on 2026-11-01:",
        "  - 25 Mb/s: Instagram Graph API",
    ):
        assert said in out
    assert json.loads(run(capsys, "presets", "social", "--explain", "--json")[1])["name"] == "social"


def test_explain_takes_files_and_sidecars(tmp_path):
    (tmp_path / "house.yaml").write_text("grainkit: 1\nextends: social\nseed: 5\ntargets: {p999: 250}\n")
    mine = tmp_path / "mine.yaml"
    mine.write_text("grainkit: 1\nextends: house.yaml\neffects: {cinema_grain: {strength: 1}}\n")
    told = {(one["key"], one.get("kind", "")): one["from"] for one in explain_mapping(str(mine))["values"]}
    assert told["seed", ""] == "house.yaml"
    assert told["targets.p999", ""] == "house.yaml"
    assert told["cinema_grain.strength", ""] == str(mine)
    assert ("cinema_grain.strength", "clip") not in told
    assert told["cinema_grain.size", "clip"] == "social"
    assert "cinema_grain.strength = 1  (from " in explain_text(str(mine))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("presets", "--explain"), "name it, such as grainkit presets social/reel --explain"),
        (("presets", "socail", "--explain"), "did you mean social"),
        (("params", "a.b.c"), "no parameter 'a.b.c'"),
        (("params", ""), "no parameter ''"),
    ],
)
def test_what_cannot_be_explained_is_said(capsys, arguments, said):
    status, out, err = run(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_select_is_exact():
    assert [entry.key for entry in select("adapt.still")] == ["adapt.still"]
    with pytest.raises(RecipeError):
        select("cinema_gra")
    assert "default 2" in parameter_text(select("cinema_grain.strength"))
