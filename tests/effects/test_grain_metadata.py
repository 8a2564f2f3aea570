"""Grain as metadata, from the recipe to the file: the picture stays clean, the stream says what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from grainkit import Finisher, finish_array, load_recipe, open_source
from grainkit.effects.grain.av1.table import read_table
from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.hosts.cli import command as cli
from grainkit.job.dry_run import dry_run
from grainkit.job.finish import finish
from grainkit.job.request import FinishRequest
from grainkit.recipe.overrides import override
from tests.av1_streams import decode, framemd5, read, same_pictures, shown_seeds, trace
from tests.drawn import clip, still, y4m_of

AV1 = {"preset": "video/av1", "seed": 3, "settings": ("delivery.clip.options.preset=10",)}
CLEAN = {**AV1, "settings": (*AV1["settings"], "cinema_grain.strength=0")}
FRAMES = 10


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return clip(tmp_path_factory.mktemp("clip") / "c.nut", width=320, height=192, frames=FRAMES)


@pytest.fixture(scope="module")
def carried(source, tmp_path_factory):
    """The file, and what was reported."""
    output = tmp_path_factory.mktemp("carried") / "a.mp4"
    return output, finish(source, output, grain_table_out=output.with_suffix(".tbl"), **AV1)


def test_the_picture_is_clean_and_the_player_makes_the_grain(source, carried, tmp_path):
    output, _ = carried
    finish(source, tmp_path / "clean.mp4", **CLEAN)
    clean, grained = read(tmp_path / "clean.mp4"), read(output)
    bare = decode(grained, grain=False)
    assert same_pictures(decode(clean, grain=True), bare)
    noise = [x[0].astype(float) - y[0] for x, y in zip(decode(grained, grain=True), bare, strict=True)]
    assert len(noise) == FRAMES
    assert min(np.std(n) for n in noise) > 4  # of 1023; 3 of 255 where the curve peaks
    # One set of parameters and 3 bytes a frame.
    assert grained.size - clean.size < 200 + 4 * FRAMES
    assert len(set(shown_seeds(grained))) == FRAMES


def test_an_independent_parser_finds_it_in_the_file(carried):
    output, _ = carried
    headers = trace(output)
    # In the file's own header and in the stream.
    announced = [h["film_grain_params_present"] for h in headers if "film_grain_params_present" in h]
    assert announced == [1] * len(announced)
    assert len(announced) > 1
    coded = [h for h in headers if h.get("show_existing_frame") == 0 and (h["show_frame"] or h["showable_frame"])]
    assert len(coded) == FRAMES
    assert all(h["apply_grain"] == 1 for h in coded)
    grain = read_table(output.with_suffix(".tbl"), clip=True).at(0.0)
    told = coded[0]
    points = [(told[f"point_y_value[{i}]"], told[f"point_y_scaling[{i}]"]) for i in range(told["num_y_points"])]
    assert tuple(points) == grain.luma_points
    found = tuple(told[f"ar_coeffs_y_plus_128[{i}]"] - 128 for i in range(24))
    assert found == grain.luma_coefficients


def test_two_decoders_make_the_same_grain(carried):
    shown = [framemd5(carried[0], decoder) for decoder in ("libdav1d", "libaom-av1")]
    assert shown[0] == shown[1]
    assert len(shown[0]) == FRAMES
    assert shown[0] != framemd5(carried[0], "libdav1d", "-filmgrain", "0")


def test_the_sidecar_says_so_and_replays(source, carried, tmp_path):
    output, report = carried
    said = "grain is carried as AV1 film grain metadata, which players turn into grain; none is burned in"
    assert said in report.notes
    sidecar = output.with_name("a.mp4.grainkit.txt")
    told = yaml.safe_load(sidecar.read_text())
    assert said in told["notes"]
    assert told["applied"]["cinema_grain"]["carrier"] == "metadata"
    again = finish(source, tmp_path / "again.mp4", recipe=sidecar)
    assert shown_seeds(read(tmp_path / "again.mp4")) == shown_seeds(read(output))
    assert again.sha256 == report.sha256


def test_a_part_of_a_clip_gets_the_grain_of_its_frames(source, carried, tmp_path):
    finish(source, tmp_path / "part.mp4", frames=(4, 8), **AV1)
    assert shown_seeds(read(tmp_path / "part.mp4")) == shown_seeds(read(carried[0]))[4:8]


def test_held_grain_is_shared_by_as_many_frames(source, tmp_path):
    settings = (*AV1["settings"], "cinema_grain.hold=3")
    finish(source, tmp_path / "held.mkv", **{**AV1, "settings": settings})
    seeds = shown_seeds(read(tmp_path / "held.mkv"))
    assert [seeds[n] == seeds[n - 1] for n in range(1, 7)] == [True, True, False, True, True, False]


def test_another_seed_is_other_grain(source, carried, tmp_path):
    finish(source, tmp_path / "other.mp4", **{**AV1, "seed": 4})
    assert not set(shown_seeds(read(tmp_path / "other.mp4"))) & set(shown_seeds(read(carried[0])))


def test_a_table_stands_in_for_the_recipes_grain(source, carried, tmp_path):
    output, _ = carried
    table = tmp_path / "own.tbl"
    text = output.with_suffix(".tbl").read_text()
    line = next(line for line in text.splitlines() if line.startswith("\tsY"))
    table.write_text(text.replace(line, "\tsY 2 0 33 255 44"))
    report = finish(source, tmp_path / "b.webm", grain_table=table, **AV1)
    assert any("own.tbl" in note for note in report.notes)
    told = yaml.safe_load((tmp_path / "b.webm.grainkit.txt").read_text())
    assert told["options"] == ["--grain-table", "own.tbl"]
    first = next(h for h in trace(tmp_path / "b.webm") if "num_y_points" in h)
    assert [first[f"point_y_scaling[{i}]"] for i in range(first["num_y_points"])] == [33, 44]


REMEDY = "use --set cinema_grain.carrier=animated, or --preset video/av1"
METADATA = ("cinema_grain.carrier=metadata",)


def test_what_carries_no_grain_is_refused_before_work(source, tmp_path):
    picture = still(tmp_path / "a.png")
    for asked, output, what in (
        ({"preset": "video/h264"}, "b.mp4", "libx264 in yuv420p"),
        ({"preset": "video/sequence", "settings": (*METADATA, "cinema_grain.strength=1")}, "b_%03d.png", "a sequence"),
        ({"preset": "video"}, "-", "a pipe"),
    ):
        settings = asked.get("settings", METADATA)
        with pytest.raises(RecipeError) as caught:
            dry_run(
                FinishRequest.of(
                    source, output if output == "-" else tmp_path / output, **{**asked, "settings": settings}
                )
            )
        assert f"this is {what}; {REMEDY}" in str(caught.value)
    with pytest.raises(RecipeError, match="this is a still"):
        dry_run(FinishRequest.of(picture, tmp_path / "b.png", preset="video", settings=METADATA))
    recipe = override(load_recipe("video"), METADATA)
    with open_source(source) as frames, Finisher(recipe) as finisher, pytest.raises(RecipeError, match="carrier"):
        next(finisher.stream(frames))
    with pytest.raises(RecipeError, match="carrier"):
        finish_array(np.zeros((8, 8, 3), np.uint8), preset=recipe)


def test_without_grain_there_is_nothing_to_carry(source, tmp_path):
    settings = (*METADATA, "cinema_grain.strength=0")
    plan = dry_run(FinishRequest.of(source, tmp_path / "b.mp4", preset="video/h264", settings=settings))
    assert not any("metadata" in note for note in plan["notes"])


def test_an_encoder_that_makes_grain_of_its_own_is_refused_and_nothing_stays(source, tmp_path):
    settings = ("delivery.clip.options.svtav1-params=film-grain=8",)
    with pytest.raises(OutputError, match=r"take film-grain out of delivery\.clip\.options"):
        finish(source, tmp_path / "b.mp4", grain_table_out=tmp_path / "b.tbl", **{**AV1, "settings": settings})
    assert list(tmp_path.iterdir()) == []


def test_tables_are_refused_where_they_mean_nothing(source, carried, tmp_path):
    table = carried[0].with_suffix(".tbl")
    with pytest.raises(RecipeError, match="--grain-table is for clips that carry grain as metadata"):
        finish(source, tmp_path / "b.mp4", preset="video/h264", grain_table=table)
    with pytest.raises(RecipeError, match="--grain-table-out writes grain that is carried as metadata"):
        finish(source, tmp_path / "b.mp4", preset="video/h264", grain_table_out=tmp_path / "b.tbl")
    with pytest.raises(InputError, match="cannot read the grain table"):
        finish(source, tmp_path / "b.mp4", grain_table=tmp_path / "none.tbl", **AV1)
    with pytest.raises(OutputError, match="exists already; pass --overwrite"):
        finish(source, tmp_path / "b.mp4", grain_table_out=table, **AV1)
    for taken in (source, tmp_path / "b.mp4"):
        with pytest.raises(OutputError, match="cannot take the place of"):
            finish(source, tmp_path / "b.mp4", grain_table_out=taken, overwrite=True, **AV1)
    assert list(tmp_path.iterdir()) == []


def test_the_command_takes_tables(source, carried, tmp_path, capsys):
    told = ["--preset", "video/av1", "--set", "delivery.clip.options.preset=10", "--seed", "3", "--quiet"]
    out = tmp_path / "again.tbl"
    table = str(carried[0].with_suffix(".tbl"))
    arguments = ["finish", str(source), "-o", str(tmp_path / "c.mp4"), *told]
    assert cli.main([*arguments, "--grain-table", table, "--grain-table-out", str(out)]) == 0
    assert out.read_text().splitlines()[2:] == carried[0].with_suffix(".tbl").read_text().splitlines()[2:]
    assert cli.main(["finish", str(source), "-o", "-", "--preset", "video/av1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_pipe_in_is_carried_too(source, tmp_path):
    from io import BytesIO

    report = finish("-", tmp_path / "p.mp4", stdin=BytesIO(y4m_of(source)), **AV1)
    assert report.frames == FRAMES
    assert all(shown_seeds(read(tmp_path / "p.mp4")))
