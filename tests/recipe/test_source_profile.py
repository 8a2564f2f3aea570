"""Source profiles: what each holds, how it lies between preset and recipe, and the origin that it declares."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import grainkit as gk
from grainkit.effects import EFFECTS
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.errors import RecipeError
from grainkit.hosts.cli import command as cli
from grainkit.io.metadata import DIGITAL_SOURCE_TYPES, xmp_packet
from grainkit.job.request import RecipeChoice
from grainkit.job.settle import resolve_recipe
from grainkit.recipe.presets import load_recipe, preset_names
from grainkit.recipe.recipe import KINDS
from grainkit.recipe.source_profile import SourceProfile, load_source, source_names
from samples.draw import codes, portrait
from tests.drawn import still

PROMISED = ["chatgpt", "flux", "gemini", "midjourney", "photo", "sdxl"]
GENERATED = "trainedAlgorithmicMedia"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def strength(recipe, kind="still", effect="skin_texture"):
    return recipe.for_kind(kind).effects[effect].strength


def test_the_promised_profiles_are_shipped_with_their_reasons():
    assert source_names() == PROMISED
    for name in PROMISED:
        text = files("grainkit").joinpath("sources", f"{name}.yaml").read_text(encoding="utf-8")
        assert text.startswith("# ")
        own = yaml.safe_load(text)
        assert own["description"]
        assert own["source"]
        profile = load_source(name)
        assert profile.digital_source_type in DIGITAL_SOURCE_TYPES
        assert profile.digital_source_type == ("digitalCapture" if name == "photo" else GENERATED)
        for effect, values in profile.effects.items():
            EFFECTS[effect](**values)  # every value within its range


def test_a_profile_that_was_not_measured_changes_nothing():
    for name in ("chatgpt", "gemini"):
        assert load_source(name).effects == {}
        assert resolve_recipe(RecipeChoice("social"), origin=load_source(name)) == load_recipe("social")


def test_none_is_as_before_and_an_unknown_one_is_refused():
    assert load_source("auto") is None
    with pytest.raises(RecipeError, match="no source 'fluxx'; did you mean flux"):
        load_source("fluxx")
    still(Path("a.png"))
    assert cli.main(["finish", "a.png", "--source", "camera"]) == 2
    assert [p.name for p in Path().iterdir()] == ["a.png"]


def test_it_goes_over_the_preset_and_under_recipe_and_settings():
    profile = SourceProfile("x", "", GENERATED, {"skin_texture": {"strength": 1.3, "pores": 0.5}})

    def resolved(preset=None, recipe=None, settings=()):
        return resolve_recipe(RecipeChoice(preset, recipe, settings), origin=profile)

    assert strength(load_recipe("social")) == 0.85
    assert strength(resolved("social")) == 1.3
    assert strength(resolved("social", settings=["skin_texture.strength=0.4"])) == 0.4
    Path("mine.yaml").write_text("grainkit: 1\nextends: social\neffects:\n  skin_texture: {pores: 0.1}\n")
    mine = resolved(recipe="mine.yaml")
    assert (strength(mine), mine.for_kind("still").effect(SkinTexture).pores) == (1.3, 0.1)
    Path("all.yaml").write_text(
        "grainkit: 1\nextends: mine.yaml\nstill:\n  effects:\n    skin_texture: {strength: 0.2}\n"
    )
    assert strength(resolved(recipe="all.yaml")) == 0.2
    Path("bare.yaml").write_text("grainkit: 1\neffects:\n  skin_texture: {strength: 0.7}\n")
    bare = resolved(recipe="bare.yaml").for_kind("still").effect(SkinTexture)
    assert (bare.strength, bare.pores) == (0.7, 0.5)
    given = load_recipe("video")
    assert resolved(recipe=given) == given


@pytest.mark.parametrize("name", PROMISED)
def test_it_turns_nothing_on(name):
    for preset in preset_names():
        plain, profiled = load_recipe(preset), load_source(name).over(load_recipe(preset))
        for kind in KINDS:
            for effect in EFFECTS:
                if strength(plain, kind, effect) == 0:
                    assert strength(profiled, kind, effect) == 0


def test_photographed_skin_is_left_alone():
    Image.fromarray(codes(portrait(300, 400), 8)).save("p.png")
    off = ["highlight_guard.strength=0", "cinema_grain.strength=0", "delivery.fit=keep"]
    rgb = np.asarray(Image.open("p.png"))
    for name, changed in (("photo", False), ("sdxl", True)):
        assert (gk.finish_array(rgb, source_profile=name, settings=tuple(off)) != rgb).any() == changed
    report = gk.finish("p.png", "o.png", source_profile="photo", settings=off)
    assert np.array_equal(np.asarray(Image.open("o.png").convert("RGB")), np.asarray(Image.open("p.png")))
    assert report.digital_source_type == "digitalCapture"
    flux = gk.finish("p.png", "f.png", source_profile="flux", settings=off)
    assert flux.light
    told = yaml.safe_load(Path(flux.sidecar).read_text())
    assert told["applied"]["skin_texture"]["strength"] == load_source("flux").effects["skin_texture"]["strength"]


def test_the_sidecar_names_it_and_replays_to_the_same_bits():
    still(Path("a.png"))
    report = gk.finish("a.png", "o.jpg", source_profile="flux", seed=3)
    text = Path(report.sidecar).read_text()
    told = yaml.safe_load(text)
    assert (report.source_profile, told["source_profile"]) == ("flux", "flux")
    assert "# Source: declared as flux." in text
    assert "--source flux" in text
    command = re.search(r"To make it again: grainkit (.*)", text)[1].split()
    assert cli.main([*command, "-o", "again.jpg", "--quiet"]) == 0
    assert Path("again.jpg").read_bytes() == Path("o.jpg").read_bytes()
    # The sidecar alone says it too, and who declares something else is heard.
    plain = gk.finish("a.png", "plain.jpg", recipe=report.sidecar)
    assert (plain.source_profile, plain.digital_source_type) == ("flux", GENERATED)
    assert Path("plain.jpg").read_bytes() == Path("o.jpg").read_bytes()
    other = gk.finish("a.png", "other.jpg", recipe=report.sidecar, source_profile="photo")
    assert (other.source_profile, other.digital_source_type) == ("photo", "algorithmicallyEnhanced")


@pytest.mark.parametrize(
    ("claim", "declared", "outgoing", "noted"),
    [
        ("", "flux", GENERATED, False),
        ("", "photo", "algorithmicallyEnhanced", False),
        ("", "auto", "", False),
        (GENERATED, "flux", GENERATED, False),
        (GENERATED, "photo", GENERATED, True),
        ("digitalCapture", "flux", "algorithmicallyEnhanced", True),
        ("digitalCapture", "photo", "algorithmicallyEnhanced", False),
        ("compositeCapture", "gemini", "compositeCapture", True),
    ],
)
def test_the_files_own_claim_stands_over_the_declared_one(claim, declared, outgoing, noted):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if claim:
        packet = xmp_packet(digital_source_type=claim, software="t", summary="t")
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save("a.png", pnginfo=info)
    report = gk.finish("a.png", "o.png", source_profile=declared)
    assert report.digital_source_type == outgoing
    with gk.open_source("o.png") as made:
        assert made.info.digital_source_type == outgoing
    assert any("which stands" in note for note in report.notes) == noted
