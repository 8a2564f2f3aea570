"""What callers give, from Python or a command line."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import grainkit as gk
from grainkit.arguments import as_assignments, as_frames, as_rate
from grainkit.job.dry_run import dry_run
from grainkit.job.request import FinishRequest
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from tests.drawn import numbered, still


@pytest.mark.parametrize(
    ("given", "fraction"),
    [
        (25, "25"), (np.int64(24), "24"), (29.97, "30000/1001"), (23.976, "24000/1001"), (23.98, "24000/1001"),
        (24000 / 1001, "24000/1001"), (np.float32(59.94), "60000/1001"), (12.5, "25/2"), (1000, "1000"),
        ("30000/1001", "30000/1001"), ("23.976", "24000/1001"), ("25", "25"), (Fraction(15, 2), "15/2"),
        (24.0, "24"), ("24.01", "2401/100"), (Fraction(30000, 1001), "30000/1001"),
    ],
)  # fmt: skip
def test_rates_are_what_people_write(given, fraction):
    assert as_rate(given) == Fraction(fraction)


@pytest.mark.parametrize(
    "given", [0, -25, 1001, float("nan"), float("inf"), True, "25fps", "1/0", "1e3", "", (24, 1), Decimal("25.5"), [25]]
)
def test_other_rates_are_refused(given):
    with pytest.raises(gk.InputError, match=r"is not a frame rate, such as 25, 23\.976 or 30000/1001"):
        as_rate(given)


def test_the_rate_of_a_sequence_may_be_a_number(tmp_path):
    pattern = numbered(tmp_path / "s", 2)
    with gk.open_source(pattern, rate=29.97) as source:
        assert source.info.rate == Fraction(30000, 1001)
    plan = dry_run(FinishRequest.of(pattern, tmp_path / "o.mp4", preset="video", rate=12.5))
    assert plan["input"]["rate"] == "25/2"


SAME = [
    "cinema_grain.strength=1.5",
    "delivery.upscale=true",
    "cinema_grain.curve=0:0.1,0.3:1,1:0",
    "delivery.width=640",
]


@pytest.mark.parametrize(
    "given",
    [
        {
            "cinema_grain.strength": 1.5, "delivery.upscale": True, "cinema_grain.curve": "0:0.1,0.3:1,1:0",
            "delivery.width": 640,
        },
        {
            "cinema_grain": {"strength": np.float32(1.5), "curve": "0:0.1,0.3:1,1:0"},
            "delivery": {"upscale": True, "width": np.int64(640)},
        },
        {"cinema_grain": {"strength": Fraction(3, 2)}, "cinema_grain.curve": "0:0.1,0.3:1,1:0", "delivery.width": 640.0,
         "delivery": {"upscale": True}},
        tuple(SAME), iter(SAME),
    ],
)  # fmt: skip
def test_settings_may_be_a_mapping(given):
    social = load_recipe("social")
    assert override(social, as_assignments(given)) == override(social, SAME)


def test_a_mapping_keeps_text_text_and_options_deep():
    text = {"delivery.clip.options": {"crf": "016", "x264-params": "a=b"}, "description": "true: 'no'"}
    made = override(load_recipe("video"), as_assignments(text))
    assert made.delivery.clip.options["crf"] == "016"
    assert made.delivery.clip.options["x264-params"] == "a=b"
    assert made.description == "true: 'no'"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("cinema_grain.strength=1", "are no settings; give a mapping"),
        (7, "are no settings"),
        (None, "are no settings"),
        ([("cinema_grain.strength", 1)], "each is KEY=VALUE"),
        ({"cinema_grain.strength": [1]}, "cinema_grain.strength = .* is of type list"),
        ({"cinema_grain.strength": np.zeros(3)}, "is of type ndarray"),
        ({7: 1}, "have the key 7"),
        ({"cinema_grain": {"strenght": 1}}, "did you mean strength"),
        ({"cinema_grain": {"strength": 99}}, "outside 0 to 24 codes of 255"),
        ({"cinema_grain.strength": float("nan")}, "is not a number"),
    ],
)
def test_other_settings_are_refused(given, said, tmp_path):
    for job in (
        lambda: gk.finish_array(np.zeros((8, 8, 3), np.uint8), settings=given),
        lambda: gk.finish(still(tmp_path / "a.png"), settings=given),
    ):
        with pytest.raises(gk.RecipeError, match=said):
            job()
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("given", [(0, None), (3, 9), [3, 9], (np.int64(3), None)])
def test_ranges_of_frames(given):
    assert as_frames(given) == tuple(given)


@pytest.mark.parametrize("given", [5, None, (5,), (5, 3), (3, 3), (-1, 4), (0.0, 4), (True, 4), "0:4", (None, 4)])
def test_other_ranges_are_refused(given):
    with pytest.raises(gk.InputError, match="is not \\(first, end\\)"):
        as_frames(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "input = None is of type NoneType, not a path"),
        (5, "input = 5 is of type int, not a path"),
        (b"a.png", "is of type bytes, not a path"),
        ("", "input is empty"),
        (np.zeros((4, 4, 3), np.uint8), r"pictures in memory go through finish_array\(\)"),
        (Image.new("RGB", (4, 4)), r"finish_array\(\)"),
    ],
)
def test_what_is_no_path_is_said(given, said):
    for job in (gk.finish, FinishRequest.of, gk.open_source):
        with pytest.raises(gk.InputError, match=said):
            job(given)


def test_an_output_and_a_matte_are_paths_too(tmp_path):
    path = still(tmp_path / "a.png")
    with pytest.raises(gk.OutputError, match="output = 5 is of type int"):
        gk.finish(path, 5)
    with pytest.raises(gk.InputError, match=r"matte = .* is of type ndarray"):
        gk.finish(path, matte=np.zeros((4, 4)))


@pytest.mark.parametrize("given", [None, 5, "gpu", object()])
def test_what_is_no_backend_is_said(given, tmp_path):
    path = still(tmp_path / "a.png")
    for job in (
        lambda: gk.finish(path, tmp_path / "b.png", backend=given),
        lambda: gk.finish_array(np.zeros((8, 8, 3), np.uint8), backend=given),
        lambda: gk.Finisher(gk.load_recipe("video"), given),
    ):
        with pytest.raises(gk.BackendUnavailable, match="auto, cpu, cuda"):
            job()
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_recipe_goes_where_a_preset_does(tmp_path):
    recipe = override(gk.load_recipe("video"), ["cinema_grain.strength=1"])
    assert (
        dry_run(FinishRequest.of(still(tmp_path / "a.png"), preset=recipe))["effects"]["cinema_grain"]["strength"]
        == 1.0
    )


def test_errors_are_exported_and_one_catches_all(tmp_path):
    for kind in (gk.InputError, gk.OutputError, gk.RecipeError, gk.BackendUnavailable):
        assert issubclass(kind, gk.UserError)
    assert issubclass(gk.UserError, gk.GrainkitError)
    assert issubclass(gk.EncodingError, gk.GrainkitError)
    with pytest.raises(gk.GrainkitError):
        gk.finish(tmp_path / "gone.png")
