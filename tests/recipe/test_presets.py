"""What the shipped presets promise."""

import io
import re
import runpy
from datetime import date
from importlib.resources import files
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.recipe.presets import load_recipe, parse_recipe, preset_names
from grainkit.recipe.recipe import KINDS, to_yaml

HERE = Path(__file__).parents[1]
FAMILIES = {
    "social": "instagram-feed reel tiktok youtube shorts x x-video facebook linkedin pinterest threads",
    "print": "photo a4 a3",
    "video": "master hevc10 h264 av1 sequence",
}
PROMISED = sorted([*FAMILIES, *(f"{family}/{name}" for family, names in FAMILIES.items() for name in names.split())])

presets = pytest.mark.parametrize("name", PROMISED)


def test_the_promised_presets_are_shipped():
    assert preset_names() == PROMISED


@presets
def test_it_loads_under_its_own_name_and_reads_back(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert parse_recipe(to_yaml(recipe)) == recipe
    assert recipe.delivery.still or recipe.delivery.clip


@presets
def test_its_file_says_why_where_from_and_when(name):
    text = files("grainkit").joinpath("presets", *f"{name}.yaml".split("/")).read_text(encoding="utf-8")
    own = yaml.safe_load(text)
    assert text.startswith("# ")
    assert own["description"]
    assert own["source"]
    assert all(isinstance(line, str) for line in own["source"])
    assert isinstance(own["checked_on"], date)
    if "/" in name:
        assert "extends" in own


@presets
def test_size_and_sampling_suit_the_encoder(name):
    delivery = load_recipe(name).delivery
    assert delivery.width % 2 == delivery.height % 2 == 0 or delivery.clip is None
    assert not delivery.upscale
    if delivery.clip is not None and delivery.clip.container != "sequence":
        encoder = av.codec.Codec(delivery.clip.codec, "w")
        assert delivery.clip.pixel_format in [f.name for f in encoder.video_formats]


def encoded_by_x264():
    clips = {name: load_recipe(name).delivery.clip for name in PROMISED}
    return [name for name, clip in clips.items() if clip is not None and clip.codec == "libx264"]


@pytest.mark.parametrize("name", encoded_by_x264())
def test_every_x264_option_is_taken_by_the_encoder(name):
    clip = load_recipe(name).delivery.clip
    file = io.BytesIO()
    with av.open(file, "w", format=clip.container) as out:
        stream = out.add_stream(clip.codec, rate=24, options={**clip.options, "profile": clip.profile})
        stream.width = stream.height = 64
        stream.pix_fmt = clip.pixel_format
        picture = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p")
        out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    written = dict(re.findall(r"([a-z_]+)=(\S+)", re.search(rb"options: [ -~]+", file.getvalue())[0].decode()))
    asked = dict(clip.options)
    assert float(written["crf"]) == float(asked["crf"])
    assert written["deblock"] == f"1:{asked['deblock']}"
    assert written["aq"].startswith(asked["aq-mode"])
    assert written.get("vbv_maxrate") == (asked["maxrate"].replace("M", "000") if "maxrate" in asked else None)
    assert int(written["bframes"]) == int(asked.get("bf", 3))
    assert int(written["subme"]) == {"medium": 7, "slow": 8}[asked["preset"]]
    assert ("fgo" in written or written["deadzone"] == "6,6") == (asked.get("tune") == "grain")


@pytest.mark.parametrize("name", [n for n in PROMISED if n.startswith("social")])
def test_animated_grain_stays_below_what_a_social_codec_eats(name):
    recipe = load_recipe(name)
    if recipe.delivery.clip is not None:
        assert 0 < recipe.for_kind("clip").effect(CinemaGrain).strength <= 1.0
    if recipe.delivery.still is not None:
        assert recipe.for_kind("still").effect(CinemaGrain).strength >= 1.6
        assert recipe.delivery.still.container == "jpeg"
    assert recipe.proxies


@pytest.mark.parametrize("name", [n for n in PROMISED if n.startswith("print")])
def test_print_is_sixteen_bits_in_millimetres(name):
    recipe = load_recipe(name).for_kind("still")
    assert (recipe.delivery.still.container, recipe.delivery.still.depth, recipe.delivery.dpi) == ("tiff", 16, 300.0)
    assert recipe.effect(CinemaGrain).size_mm == 0.11
    assert recipe.delivery.clip is None
    assert recipe.delivery.turn


def test_before_the_edit_nothing_is_finished():
    recipe = load_recipe("video/sequence")
    for kind in KINDS:
        own = recipe.for_kind(kind)
        assert own.effect(CinemaGrain).strength == own.effect(HighlightGuard).strength == 0.0
    assert (recipe.delivery.clip.container, recipe.delivery.still.depth) == ("sequence", 16)


def test_platform_boxes_do_not_turn_and_generic_ones_do():
    turning = {name for name in PROMISED if load_recipe(name).delivery.turn}
    assert {"social", "print", "social/x-video", "social/youtube"} <= turning
    assert not turning & {"social/reel", "social/tiktok", "social/shorts", "social/instagram-feed"}


def test_no_look_changes_unseen():
    script = runpy.run_path(str(HERE.parent / "scripts" / "relock-presets"))
    locked = (HERE / "presets.lock").read_text(encoding="utf-8")
    assert script["lock_text"]() == locked, "a preset does something else now; if that is meant: scripts/relock-presets"


def test_the_table_has_every_preset_and_what_it_delivers():
    table = runpy.run_path(str(HERE.parent / "scripts" / "preset-table"))["preset_table"]().splitlines()
    assert {line.count("|") for line in table} == {8}
    assert [line.split("`")[1] for line in table if "`" in line] == PROMISED
    delivered = sum(getattr(load_recipe(n).delivery, k) is not None for n in PROMISED for k in KINDS)
    assert len(table) == delivered + 2
