"""Grain measured in a reference, laid again, and added only where it is missing."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from grainkit import Finisher, finish, finish_array, open_source
from grainkit.analysis.grain import measure_grain
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.errors import InputError, RecipeError
from grainkit.hosts.cli.command import main
from grainkit.job.grain_like import grain_like
from grainkit.picture.color import Color, luma_codes
from grainkit.picture.frame import Frame, Plane
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from tests.passes import neutral, run

WIDTH, HEIGHT = 960, 540
TEN = Color(depth=10)
#: The grain that references are made with: px at 1080, so half as large on them.
ASKED = CinemaGrain(strength=4.0, size=2.0, chroma=0.5)


def ramp(low: float = 0.08, high: float = 0.85) -> np.ndarray:
    """(HEIGHT, WIDTH) luma that rises across."""
    return np.tile(np.linspace(low, high, WIDTH), (HEIGHT, 1))


def codes(luma: np.ndarray, color: Color = TEN) -> tuple[Plane, ...]:
    black, white = luma_codes(color.depth, color.range)
    return neutral(np.rint(black + (white - black) * luma).astype(np.uint16), color)


def texture() -> np.ndarray:
    """Luma that is flat nowhere: what only the difference of frames can look through."""
    rng = np.random.default_rng(5)
    return ramp() + 0.04 * rng.standard_normal((HEIGHT, WIDTH))


@cache
def grained(count: int = 1, textured: bool = False, hold: int = 0) -> list[Frame]:
    planes = codes(texture() if textured else ramp())
    grain = CinemaGrain(strength=4.0, size=2.0, chroma=0.5, hold=hold)
    return [Frame(run(planes, TEN, grain, index=i), TEN, index=i) for i in range(count)]


@cache
def reference(folder: Path) -> Path:
    """An 8-bit PNG with that grain on a grey ramp."""
    rgb = np.repeat(ramp()[..., None], 3, axis=2).astype(np.float32)
    settings = ("skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=4",
                "cinema_grain.size=2", "cinema_grain.chroma=0.5", "cinema_grain.size_mm=0")  # fmt: skip
    done = finish_array(rgb, preset="video", settings=settings, seed=3)
    path = folder / "reference.png"
    Image.fromarray(np.clip(np.rint(255 * done), 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reference(tmp_path_factory.mktemp("like"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean 16-bit ramp."""
    path = tmp_path_factory.mktemp("plain") / "plain.png"
    rgb = np.repeat(np.rint(65535 * ramp()).astype(np.uint16)[..., None], 3, axis=2)
    from grainkit.io.png import encode

    path.write_bytes(encode(rgb, None, [], level=1))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frames", "over_time"),
    [(grained, False), (lambda: grained(9), True), (lambda: grained(9, textured=True), True),
     (lambda: grained(9, textured=True, hold=2), True)],
    ids=["still", "clip", "textured clip", "textured clip, held grain"],
)  # fmt: skip
def test_our_own_grain_is_found_again(frames, over_time):
    found = measure_grain(frames())
    assert found is not None
    assert found.over_time == over_time
    assert found.sigma == pytest.approx(ASKED.sigma_px(WIDTH, HEIGHT, 0), rel=0.1)
    luma, deviation = np.array(found.luma).T
    asked = ASKED.deviation(luma)
    clear = asked > 1 / 255
    assert clear.sum() >= 6
    assert np.allclose(deviation[clear] / asked[clear], 1, atol=0.1)
    assert found.chroma == pytest.approx(ASKED.chroma_shares, rel=0.1)


@pytest.mark.slow
def test_a_file_gives_the_recipe_that_made_it(png):
    like = grain_like(png)
    grain = override(load_recipe("print"), like.settings).effect(CinemaGrain)
    assert grain.strength == pytest.approx(4.0, rel=0.1)
    assert grain.size == pytest.approx(2.0, rel=0.1)
    assert (grain.chroma * grain.cb, grain.chroma * grain.cr) == pytest.approx(ASKED.chroma_shares, rel=0.1)
    y = np.linspace(0.15, 0.75, 9)
    assert np.allclose(grain.deviation(y), ASKED.deviation(y), rtol=0.12)
    assert grain.size_mm == 0.0
    assert grain_like(png) == like


def test_a_grey_card_gives_the_amount_and_leaves_the_curve(tmp_path):
    planes = codes(np.full((HEIGHT, WIDTH), 0.4))
    found = run(planes, TEN, ASKED)[0]
    picture = (found.astype(float) - 64) / 876 * 255
    path = tmp_path / "card.png"
    Image.fromarray(np.rint(picture).astype(np.uint8)).save(path)
    grain = override(load_recipe("video"), grain_like(path).settings).effect(CinemaGrain)
    assert grain.curve == "film"
    assert grain.strength == pytest.approx(4.0, rel=0.1)
    assert grain.chroma == 0.0


def test_what_cannot_be_matched_is_said(tmp_path):
    clean = tmp_path / "clean.png"
    Image.fromarray(np.full((300, 400, 3), 120, np.uint8)).save(clean)
    with pytest.raises(InputError, match=r"clean\.png: (nothing in it is flat enough|has no grain)"):
        grain_like(clean)
    smooth = tmp_path / "smooth.png"
    Image.fromarray(np.rint(255 * ramp()).astype(np.uint8)).save(smooth)
    with pytest.raises(InputError, match=r"smooth\.png: (has no grain to match|nothing in it is flat)"):
        grain_like(smooth)
    rng = np.random.default_rng(1)
    blocks = np.kron(rng.integers(0, 255, (60, 80)), np.ones((8, 8))).astype(np.uint8)
    busy = tmp_path / "busy.png"
    Image.fromarray(blocks).save(busy)
    with pytest.raises(InputError, match=r"busy\.png: .*plain surfaces"):
        grain_like(busy)


@pytest.mark.slow
def test_finishing_like_a_reference_is_told_and_replays(png, plain, tmp_path):
    first = finish(plain, tmp_path / "a.png", preset="video", grain_like=png, seed=5)
    told = yaml.safe_load(Path(first.sidecar).read_text())
    assert told["measured"]["grain_like"]["file"] == "reference.png"
    assert told["measured"]["grain_like"]["strength"] == pytest.approx(4.0, rel=0.1)
    assert any("grain like reference.png" in note for note in first.notes)
    assert measure_grain(open_source(tmp_path / "a.png")).strongest == pytest.approx(4.0, rel=0.1)
    again = finish(plain, tmp_path / "b.png", recipe=first.sidecar)
    assert again.sha256 == first.sha256
    own = finish(plain, tmp_path / "c.png", preset="video", grain_like=png, settings=["cinema_grain.strength=1"])
    applied = yaml.safe_load(Path(own.sidecar).read_text())["applied"]["cinema_grain"]
    assert (applied["strength"], applied["size"]) == (1.0, told["measured"]["grain_like"]["size"])


def test_the_command_takes_a_reference(png, plain, capsys):
    assert main(["finish", str(plain), "--preset", "video", "--grain-like", str(png), "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["effects"]["cinema_grain"]["strength"] == pytest.approx(4.0, rel=0.1)
    assert any("grain like reference.png" in note for note in told["notes"])
    assert main(["finish", str(plain), "--grain-like", str(plain), "--dry-run"]) == 2
    assert "plain.png: " in capsys.readouterr().err


def test_a_reference_and_a_table_are_one_too_many(png, plain, tmp_path):
    with pytest.raises(RecipeError, match="--grain-like and --grain-table both"):
        finish(plain, tmp_path / "a.png", grain_like=png, grain_table="x.tbl")


def strengths(frames: list[Frame] | object) -> np.ndarray:
    """Deviation over what the plain recipe asks for, by luma."""
    found = measure_grain(frames)  # type: ignore[arg-type]
    assert found is not None
    luma, deviation = np.array(found.luma).T
    asked = ASKED.deviation(luma)
    return np.asarray((deviation / asked)[asked > 1 / 255])


SIX = ("cinema_grain.regrain=true", "cinema_grain.strength=6", "cinema_grain.size=2", "cinema_grain.chroma=0.5",
       "cinema_grain.curve=film", "skin_texture.strength=0", "highlight_guard.strength=0")  # fmt: skip


def test_only_the_grain_that_is_missing_is_added(png, tmp_path):
    report = finish(png, tmp_path / "out.png", preset="video", settings=SIX)
    with open_source(tmp_path / "out.png") as source:
        assert np.allclose(strengths(source), 1.5, atol=0.15)
    told = yaml.safe_load(Path(report.sidecar).read_text())
    assert max(codes for _, codes in told["measured"]["regrain"]["found_by_luma"]) == pytest.approx(4, rel=0.1)
    assert any("are added at most" in note for note in report.notes)
    assert finish(png, tmp_path / "again.png", recipe=report.sidecar).sha256 == report.sha256


def test_a_picture_with_enough_grain_is_left_alone(png, tmp_path):
    settings = [*SIX, "cinema_grain.strength=3"]
    report = finish(png, tmp_path / "out.png", preset="video", settings=[*settings, "delivery.still.depth=8"])
    assert any("has as much grain as asked" in note for note in report.notes)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), np.asarray(Image.open(png)))


def test_a_picture_without_grain_gets_all_of_it(plain):
    rgb = np.repeat(ramp()[..., None], 3, axis=2).astype(np.float32)
    whole = finish_array(rgb, preset="video", settings=tuple(s for s in SIX if "regrain" not in s))
    lacking = finish_array(rgb, preset="video", settings=SIX)
    assert np.std(whole - rgb) == pytest.approx(np.std(lacking - rgb), rel=0.03)


@pytest.mark.slow
def test_regrain_on_clips_is_measured_from_the_start_whatever_part_is_finished(tmp_path):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        for frame in grained(9):
            picture = av.VideoFrame(WIDTH, HEIGHT, "yuv420p10le")
            for plane, samples in zip(picture.planes, frame.planes, strict=True):
                raw = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                raw[:, : samples.shape[1]] = samples
                plane.update(raw.tobytes())
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    settings = [*SIX, "delivery.clip.codec=ffv1", "delivery.clip.pixel_format=yuv420p10le"]
    part = finish(path, tmp_path / "part.nut", preset="video", settings=settings, frames=(7, 9))
    whole = finish(path, tmp_path / "whole.nut", preset="video", settings=settings)
    with open_source(tmp_path / "part.nut") as a, open_source(tmp_path / "whole.nut", start=7) as b:
        for one, other in zip(a, b, strict=True):
            assert all(np.array_equal(x, y) for x, y in zip(one.planes, other.planes, strict=True))
    with open_source(tmp_path / "whole.nut") as source:
        assert np.allclose(strengths(source), 1.5, atol=0.15)
    assert part.frames == 2
    assert whole.frames == 9


def test_regrain_and_adapt_do_not_both_decide_the_amount(png, tmp_path):
    settings = ["cinema_grain.regrain=true", "skin_texture.strength=0", "delivery.fit=keep"]
    with pytest.raises(RecipeError, match=r"--adapt and cinema_grain\.regrain both decide"):
        finish(png, tmp_path / "a.jpg", preset="social", settings=settings, adapt=True)
    report = finish(png, tmp_path / "b.jpg", preset="social", settings=settings)
    assert any("has as much grain as asked" in note for note in report.notes)


def test_regrain_needs_a_file_or_a_plan_that_was_measured(tmp_path):
    recipe = override(load_recipe("video"), SIX)
    head = b"YUV4MPEG2 W64 H64 F24:1 Ip A1:1 C420jpeg\n"
    stdin = io.BytesIO(head + b"FRAME\n" + b"\x80" * (64 * 96))
    with pytest.raises(InputError, match="regrain = true reads the input twice"):
        finish("-", tmp_path / "x.mkv", recipe=recipe, stdin=stdin)
    with (
        Finisher(recipe) as finisher,
        pytest.raises(RecipeError, match="needs the picture measured"),
        open_source("-", stdin=io.BytesIO(head + b"FRAME\n" + b"\x80" * (64 * 96))) as source,
    ):
        next(finisher.stream(source))
