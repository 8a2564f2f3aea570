"""Recipes in files: what extends what, from where, and what is said of a file that is none."""

from dataclasses import replace

import pytest

from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.errors import RecipeError
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.recipe import to_yaml


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".grainkit.txt"])
def test_a_file_reads_back_whatever_its_kind(tmp_path, suffix):
    wanted = override(load_recipe("social/reel"), ["seed=7", "cinema_grain.strength=1.5"])
    text = to_yaml(wanted)
    if suffix == ".grainkit.txt":
        text = "# made by hand\ngrainkit: 1\nrecipe:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    path = tmp_path / f"x{suffix}"
    path.write_text(text, encoding="utf-8")
    assert load_recipe(path) == load_recipe(str(path)) == wanted


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
    assert made.effects == video.with_effect(replace(video.effect(CinemaGrain), size=2.0)).effects


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
