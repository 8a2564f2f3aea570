"""The whole job: the same bits each time, the right bits each way, and nothing left behind when it fails."""

import errno
import io
import os
import shutil
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import grainkit
from grainkit.backends import open_backend
from grainkit.errors import EncodingError, GrainkitError, InputError, OutputError, RecipeError, UserError
from grainkit.io import pending
from grainkit.job import sidecar
from grainkit.job.dry_run import dry_run
from grainkit.job.finish import finish
from grainkit.job.request import FinishRequest
from grainkit.machine import system
from grainkit.recipe.presets import load_recipe
from tests.drawn import clip, frames_of, leftovers, numbered, still, y4m_of

OFF = ("highlight_guard.strength=0", "cinema_grain.strength=0")


@pytest.fixture(autouse=True)
def no_thread_stays():
    """Whatever a job does, none of its threads outlives it."""
    yield
    assert [t.name for t in threading.enumerate() if t.name.startswith("grainkit")] == []


@pytest.fixture(scope="module")
def drawn_clip(tmp_path_factory):
    return clip(tmp_path_factory.mktemp("clip") / "c.nut", frames=8)


def same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


# The same bits each time


def test_two_runs_and_any_number_of_threads_give_the_same_bits(drawn_clip, tmp_path):
    for number, workers in enumerate((1, 2, 2)):
        backend = open_backend("cpu", workers=workers)
        finish(drawn_clip, tmp_path / f"{number}.nut", seed=5, backend=backend)
        backend.close()
    first, second, third = (frames_of(tmp_path / f"{n}.nut") for n in range(3))
    same(first, second)
    same(first, third)
    finish(drawn_clip, tmp_path / "other.nut", seed=6)
    assert any((a != b).any() for a, b in zip(first[0], frames_of(tmp_path / "other.nut")[0], strict=True))


def test_a_range_of_frames_is_those_frames_of_the_whole(drawn_clip, tmp_path):
    finish(drawn_clip, tmp_path / "whole.nut")
    part = finish(drawn_clip, tmp_path / "part.nut", frames=(3, 6))
    assert part.frames == 3
    same(frames_of(tmp_path / "part.nut"), frames_of(tmp_path / "whole.nut")[3:6])
    finish(drawn_clip, tmp_path / "rest.nut", frames=(5, None))
    same(frames_of(tmp_path / "rest.nut"), frames_of(tmp_path / "whole.nut")[5:])


def test_a_range_of_a_sequence_keeps_numbers_and_bits(tmp_path):
    pattern = numbered(tmp_path / "in", 6, first=11)
    finish(pattern, tmp_path / "whole/f_%04d.png", preset="video")
    finish(pattern, tmp_path / "part/f_%04d.png", preset="video", frames=(2, 4))
    assert sorted(p.name for p in (tmp_path / "whole").glob("*.png")) == [f"f_{n:04d}.png" for n in range(11, 17)]
    assert sorted(p.name for p in (tmp_path / "part").glob("*.png")) == ["f_0013.png", "f_0014.png"]
    assert (tmp_path / "part/f_0013.png").read_bytes() == (tmp_path / "whole/f_0013.png").read_bytes()


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp", ".exr"])
def test_a_still_is_the_same_file_twice(tmp_path, ending):
    source = still(tmp_path / "a.png")
    one, two = (finish(source, tmp_path / f"{n}{ending}", seed=9) for n in (1, 2))
    assert one.sha256 == two.sha256 == sidecar.sha256_file(tmp_path / f"1{ending}")


@pytest.mark.parametrize("output", ["out.mp4", "out.nut", "new/"])
def test_a_sidecar_replays_to_the_same_bits(drawn_clip, tmp_path, output):
    report = finish(
        drawn_clip, f"{tmp_path}/{output}", preset="social", seed=3, frames=(2, 5), settings=["cinema_grain.size=1.7"]
    )
    again = finish(drawn_clip, f"{tmp_path}/again/", recipe=report.sidecar, frames=(2, 5))
    assert again.sha256 == report.sha256
    assert again.output.endswith(Path(report.output).suffix)
    text = Path(report.sidecar).read_text()
    assert f"sha256: {report.sha256}" in text or f"sha256: '{report.sha256}'" in text
    assert "--frames 2:5" in text
    assert load_recipe(report.sidecar).seed == 3


# The right bits each way


@pytest.mark.parametrize(
    "pixel_format",
    [
        "yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuva444p10le", "gray",
        "gray16le", "bgr0", "gbrp16le",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(64, 48), (65, 49)])
def test_strength_0_is_an_exact_identity_for_clips(tmp_path, pixel_format, size):
    source = clip(tmp_path / "in.nut", width=size[0], height=size[1], frames=2, pixel_format=pixel_format)
    finish(source, tmp_path / "out.nut", preset="video", settings=OFF)
    same(frames_of(tmp_path / "out.nut"), frames_of(source))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p16le", "gray"])
@pytest.mark.parametrize("size", [(64, 48), (65, 49)])
def test_strength_0_is_an_exact_identity_for_pipes(tmp_path, pixel_format, size):
    source = clip(tmp_path / "in.nut", width=size[0], height=size[1], frames=3, pixel_format=pixel_format)
    given, made = y4m_of(source), io.BytesIO()
    report = finish("-", "-", settings=OFF, stdin=io.BytesIO(given), stdout=made)
    assert made.getvalue() == given
    assert (report.kind, report.output, report.sidecar, report.frames) == ("pipe", "-", "", 3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("ending", [".png", ".tif", ".exr"])
def test_strength_0_is_an_exact_identity_for_stills(tmp_path, mode, ending):
    source = still(tmp_path / "in.png", mode=mode)
    finish(source, tmp_path / f"out{ending}", preset="video", settings=[*OFF, "delivery.still.depth=8"])
    finish(tmp_path / f"out{ending}", tmp_path / "back.png", preset="video", settings=[*OFF, "delivery.still.depth=8"])
    with Image.open(tmp_path / "back.png") as back, Image.open(source) as given:
        assert back.mode == given.mode
        seen = np.asarray(given)
        if (mode, ending) == ("RGBA", ".exr"):  # whose colours are multiplied by alpha: 0 keeps none
            seen = np.where(seen[..., 3:] == 0, 0, seen)
        np.testing.assert_array_equal(np.asarray(back), seen)


@pytest.mark.parametrize(
    ("pixel_format", "step"), [("yuv420p10le", 4), ("yuv422p", 1), ("yuv444p10le", 4), ("bgr0", None), ("gray", 1)]
)
def test_other_samplings_and_depths_become_8_bit_420(tmp_path, pixel_format, step):
    source = clip(tmp_path / "in.nut", frames=1, pixel_format=pixel_format)
    settings = [*OFF, "delivery.clip.container=nut", "delivery.clip.codec=ffv1", "delivery.clip.pixel_format=yuv420p"]
    report = finish(source, tmp_path / "out.nut", preset="video", settings=settings)
    assert report.pixel_format == "yuv420p"
    (luma, cb, cr), given = frames_of(tmp_path / "out.nut")[0], frames_of(source)[0]
    assert (luma.shape, cb.shape, cr.shape) == ((48, 64), (24, 32), (24, 32))
    if pixel_format == "gray":
        assert (cb == 128).all()
        assert (cr == 128).all()
    if step is not None:
        # Dithered from more bits, or the same bits: never a code away, and no tone moves.
        off = luma.astype(float) - given[0].astype(float) / step
        assert abs(off).max() < 1
        assert abs(off.mean()) < 0.05
    else:
        rgb = given[0].astype(float) / 255
        expected = 16 + 219 * (rgb @ np.array([0.2126, 0.7152, 0.0722]))
        assert abs(luma - expected).max() <= 1.01
        assert cr.mean() == pytest.approx(128 + 224 * ((rgb[..., 0] - (expected - 16) / 219) / 1.5748).mean(), abs=0.2)


def test_a_clip_becomes_16_bit_numbered_stills(tmp_path):
    source = clip(tmp_path / "c.nut", frames=3, pixel_format="yuv444p10le")
    report = finish(source, preset="video/sequence")
    assert report.output == str(tmp_path / "c.video-sequence/c_%06d.png")
    assert report.pixel_format == "png 16-bit"
    files = sorted((tmp_path / "c.video-sequence").glob("*.png"))
    assert [f.name for f in files] == [f"c_{n:06d}.png" for n in range(3)]
    luma, cb, cr = (p.astype(float) for p in frames_of(source)[0])
    y, b, r = (luma - 64) / 876, (cb - 512) / 896, (cr - 512) / 896
    red, blue = y + 1.402 * r, y + 1.772 * b  # untagged and small: BT.601
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    expected = np.clip(np.stack([red, green, blue], axis=-1), 0, 1) * 65535
    with grainkit.open_source(files[0]) as made:
        assert abs(next(iter(made)).rgb.astype(float) - expected).max() <= 1
    assert Path(report.sidecar).parent == files[0].parent


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_numbered_stills_become_a_clip_at_the_rate_asked(tmp_path, mode):
    for number in range(4):
        still(tmp_path / f"f_{number}.png", mode=mode)
    report = finish(tmp_path / "f_%d.png", tmp_path / "out.mp4", rate=Fraction(30000, 1001))
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert made.streams.video[0].average_rate == Fraction(30000, 1001)
        assert [p.pts * p.time_base for p in made.decode(video=0)] == [n * Fraction(1001, 30000) for n in range(4)]
    assert report.frames == 4
    assert "--rate 30000/1001" in Path(report.sidecar).read_text()


def test_alpha_is_kept_where_the_delivery_has_it(tmp_path):
    given = still(tmp_path / "a.png", mode="RGBA")
    finish(given, tmp_path / "b.png", settings=["delivery.height=24", "delivery.width=24"])
    with Image.open(tmp_path / "b.png") as made:
        assert (made.mode, made.size) == ("RGBA", (24, 18))
        ramp = np.asarray(made)[9, :, 3].astype(int)
    assert (np.diff(ramp) > 0).all()
    assert "transparency composited over white" in " ".join(finish(given, tmp_path / "b.jpg").notes)

    deep = clip(tmp_path / "p.mov", codec="prores_ks", pixel_format="yuva444p10le", frames=1)
    settings = ["delivery.clip.pixel_format=yuva444p10le", "delivery.clip.profile=4444"]
    finish(deep, tmp_path / "q.mov", preset="video/master", settings=settings)
    before, after = (frames_of(p)[0][3].astype(int) for p in (deep, tmp_path / "q.mov"))
    np.testing.assert_array_equal(before, after)
    assert (before[:, 0].max(), before[:, -1].min()) == (0, 4095)
    finish(deep, tmp_path / "s_%d.png", preset="video/sequence")
    with grainkit.open_source(tmp_path / "s_0.png") as made:
        alpha = next(iter(made)).alpha
    np.testing.assert_array_equal(alpha, np.rint(before * (65535 / 4095)))


def test_sound_timestamps_and_tags_come_through(tmp_path):
    rate, tags = Fraction(24000, 1001), (9, 14, 9, 1)
    source = clip(tmp_path / "c.mp4", codec="libx264", sound=True, frames=12, rate=rate, tags=tags)
    finish(source, tmp_path / "d.mp4")
    with av.open(str(source)) as given, av.open(str(tmp_path / "d.mp4")) as made:
        sound = [[bytes(p) for p in c.demux(c.streams.audio[0]) if p.size] for c in (given, made)]
    assert sound[0] == sound[1]
    with av.open(str(source)) as given, av.open(str(tmp_path / "d.mp4")) as made:
        times = [[p.pts * p.time_base for p in c.decode(video=0)] for c in (given, made)]
        assert times[0] == times[1]
        context = made.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (9, 14, 9, 1)


def test_a_non_square_clip_is_delivered_square(tmp_path):
    source = clip(tmp_path / "c.mkv", codec="libx264", frames=2, sample_aspect=Fraction(2), width=64, height=96)
    report = finish(source, tmp_path / "d.mp4", settings=["delivery.width=64", "delivery.height=64"])
    assert (report.width, report.height) == (64, 48)
    kept = finish(source, tmp_path / "e.mp4", preset="video")
    assert (kept.width, kept.height) == (64, 96)
    with av.open(str(tmp_path / "d.mp4")) as square, av.open(str(tmp_path / "e.mp4")) as wide:
        assert not square.streams.video[0].sample_aspect_ratio or square.streams.video[0].sample_aspect_ratio == 1
        assert wide.streams.video[0].sample_aspect_ratio == 2


def test_hdr_passes_or_is_refused_and_is_never_toned_down(tmp_path):
    source = clip(tmp_path / "c.mkv", codec="libx265", frames=2, pixel_format="yuv420p10le", tags=(9, 16, 9, 1))
    with pytest.raises(InputError, match=r"HDR \(PQ\).*tone map.*video/hevc10"):
        finish(source, tmp_path / "d.mp4")
    finish(source, tmp_path / "d.mp4", preset="video/hevc10")
    with av.open(str(tmp_path / "d.mp4")) as made:
        context = made.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (9, 16, 9)
    assert not leftovers(tmp_path)


def test_metadata_of_a_still_goes_along_and_what_cannot_is_noted(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("prompt", "a portrait")
    Image.new("RGB", (32, 24), (90, 120, 150)).save(tmp_path / "a.png", pnginfo=told, dpi=(300, 300))
    finish(tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as made:
        assert made.text["prompt"] == "a portrait"
        assert round(made.info["dpi"][0]) == 300
    assert "prompt left out" in " ".join(finish(tmp_path / "a.png", tmp_path / "b.tif").notes)
    assert "left out" not in " ".join(finish(tmp_path / "a.png", tmp_path / "b.jpg").notes)


def test_a_pilot_is_clean_whole_and_16_bit(tmp_path):
    source = still(tmp_path / "a.png", 80, 60)
    settings = ["delivery.width=40", "highlight_guard.strength=0"]
    report = finish(source, tmp_path / "out.jpg", pilot=True, settings=settings)
    assert report.pilot == str(tmp_path / "out.pilot.png")
    with grainkit.open_source(report.pilot) as pilot, grainkit.open_source(source) as given:
        clean, before = next(iter(pilot)).rgb, next(iter(given)).rgb
    assert clean.dtype == np.uint16
    np.testing.assert_array_equal(clean, before.astype(np.uint16) * 257)
    assert finish(source, tmp_path / "out.tif", pilot=True).pilot.endswith("out.pilot.tif")


def test_a_dry_run_writes_nothing_and_says_what_finish_does(drawn_clip, tmp_path):
    plan = dry_run(FinishRequest.of(drawn_clip, f"{tmp_path}/new/", seed=4, settings=["delivery.width=32"]))
    assert list(tmp_path.iterdir()) == []
    report = finish(drawn_clip, f"{tmp_path}/new/", seed=4, settings=["delivery.width=32"])
    assert plan["output"]["name"] == report.output
    assert plan["output"]["size"] == [report.width, report.height]
    assert plan["output"]["pixel_format"] == report.pixel_format
    assert (plan["preset"], plan["seed"]) == (report.preset, report.seed)


def test_progress_counts_every_frame(drawn_clip, tmp_path):
    seen = []
    finish(drawn_clip, tmp_path / "o.nut", progress=lambda *told: seen.append(told))
    assert [done for done, _, _ in seen] == list(range(1, 9))
    assert all(rate > 0 and total >= done for done, total, rate in seen)
    assert seen[-1][1] == 8


# Nothing left behind


def test_an_input_is_never_overwritten(drawn_clip, tmp_path):
    source = still(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(source)
    before = source.read_bytes()
    for output in ("a.png", "link.png"):
        with pytest.raises(OutputError, match="is the input"):
            finish(source, tmp_path / output, overwrite=True)
    pattern = numbered(tmp_path / "s", 3)
    with pytest.raises(OutputError, match="is the input"):
        finish(tmp_path / "s", pattern, overwrite=True)
    assert source.read_bytes() == before
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("output", ["o.png", "o.jpg"])
def test_an_output_is_replaced_only_with_leave(tmp_path, output):
    source = still(tmp_path / "a.png")
    finish(source, tmp_path / output)
    before = (tmp_path / output).read_bytes()
    with pytest.raises(OutputError, match="pass --overwrite"):
        finish(source, tmp_path / output, seed=1)
    assert (tmp_path / output).read_bytes() == before
    finish(source, tmp_path / output, seed=1, overwrite=True)
    assert (tmp_path / output).read_bytes() != before


def test_a_pilot_in_the_way_stops_the_job_before_it_begins(tmp_path):
    source = still(tmp_path / "a.png")
    (tmp_path / "o.pilot.png").write_text("mine")
    with pytest.raises(OutputError, match=r"o\.pilot\.png exists already"):
        finish(source, tmp_path / "o.jpg", pilot=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "o.pilot.png"]


def test_frames_of_an_earlier_run_are_replaced_together_or_not_at_all(tmp_path, monkeypatch):
    pattern = numbered(tmp_path / "in", 4)
    finish(pattern, tmp_path / "out/f_%04d.png")
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    with pytest.raises(OutputError, match="exists already"):
        finish(pattern, tmp_path / "out/f_%04d.png", seed=2)

    moved = []
    replace = Path.replace

    def failing(self, target):
        if "f_0003" in str(target) and "replaced" not in str(target) and not moved:
            moved.append(target)
            raise OSError(errno.EACCES, "refused", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OutputError, match="no permission"):
        finish(pattern, tmp_path / "out/f_%04d.png", seed=2, overwrite=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before
    monkeypatch.undo()
    finish(pattern, tmp_path / "out/f_%04d.png", seed=2, overwrite=True)
    assert {p.name for p in (tmp_path / "out").iterdir()} == set(before)
    assert (tmp_path / "out/f_0003.png").read_bytes() != before["f_0003.png"]


@pytest.mark.parametrize("kind", ["still", "clip", "sequence", "folder"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_output_and_sidecar_come_together_or_not_at_all(tmp_path, monkeypatch, kind, when):
    folder = tmp_path / "out"
    if kind != "folder":
        folder.mkdir()
    source = still(tmp_path / "a.png") if kind == "still" else clip(tmp_path / "c.nut", frames=3)
    output = folder / {"still": "o.png", "clip": "o.nut", "sequence": "o_%d.png", "folder": "o_%d.png"}[kind]

    def failing(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(sidecar, "sidecar_text" if when == "before" else "sha256_files", failing)
    if when == "after":  # the digest of the input goes first
        monkeypatch.setattr(sidecar, "sha256_files", lambda files: "" if set(files) & {source} else failing())
    with pytest.raises((OutputError, OSError)):
        finish(source, output, preset="video", pilot=kind == "still")
    assert sorted(tmp_path.rglob("*")) == sorted([source, *([] if kind == "folder" else [folder])])


class Broken(io.BytesIO):
    """A stream that takes one write, then nothing more."""

    def write(self, data):
        if self.tell():
            raise BrokenPipeError(errno.EPIPE, "gone")
        return super().write(data)


def test_a_reader_that_goes_away_ends_the_job(drawn_clip):
    with pytest.raises(BrokenPipeError):
        finish(drawn_clip, "-", stdout=Broken())


def test_an_interrupt_in_the_middle_leaves_nothing(drawn_clip, tmp_path):
    def interrupting(done, total, rate):
        if done == 3:
            raise KeyboardInterrupt

    for output in ("o.nut", "o.mp4", "o_%d.png", "new/"):
        with pytest.raises(KeyboardInterrupt):
            finish(drawn_clip, f"{tmp_path}/{output}", progress=interrupting)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_middle_of_the_input_leaves_nothing(tmp_path):
    numbered(tmp_path / "s", 5)
    (tmp_path / "s/f_0004.png").write_bytes((tmp_path / "s/f_0004.png").read_bytes()[:200])
    for output in ("o.mp4", "o_%d.png"):
        with pytest.raises(InputError, match=r"f_0004\.png"):
            finish(tmp_path / "s", tmp_path / output)
    still(tmp_path / "s/f_0004.png", 20, 20)
    with pytest.raises(InputError, match="one kind"):
        finish(tmp_path / "s", tmp_path / "o.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_an_encoder_that_refuses_leaves_nothing(drawn_clip, tmp_path):
    with pytest.raises(GrainkitError) as caught:
        finish(drawn_clip, tmp_path / "o.mp4", settings=["delivery.clip.options.crf=nonsense"])
    assert isinstance(caught.value, (EncodingError, UserError))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"preset": "socal"}, RecipeError, "did you mean social"),
        ({"preset": "social", "recipe": "video"}, RecipeError, "not both"),
        ({"recipe": "."}, RecipeError, "is no recipe"),
        ({"settings": ["cinema_grain.strength=99"]}, RecipeError, "outside 0 to"),
        ({"frames": (100, 110)}, InputError, "beyond its end"),
        ({"pilot": True}, InputError, "leave --pilot out"),
        ({"output": "nowhere/o.mp4"}, OutputError, "does not exist"),
        ({"output": "nowhere/new/"}, OutputError, "does not exist"),
        ({"output": "x" * 300 + ".mp4"}, OutputError, "too long"),
        ({"output": "x" * 250 + ".mp4"}, OutputError, "too long"),  # its sidecar's name is
        ({"output": "o.xyz"}, OutputError, "not a format"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(drawn_clip, tmp_path, monkeypatch, arguments, error, said):
    monkeypatch.chdir(tmp_path)
    given = {"output": "o.mp4", **arguments}
    with pytest.raises(error, match=said) as caught:
        finish(drawn_clip, **given)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_pipe_is_finished_only_when_told(tmp_path, drawn_clip):
    cut = y4m_of(drawn_clip)[:-100]
    with pytest.raises(InputError, match="--allow-truncated"):
        finish("-", tmp_path / "o.nut", stdin=io.BytesIO(cut))
    assert list(tmp_path.iterdir()) == []
    report = finish("-", tmp_path / "o.nut", stdin=io.BytesIO(cut), allow_truncated=True)
    assert report.frames == 7
    assert "truncated" in " ".join(report.notes)


def test_a_truncated_clip_is_finished_only_when_told(tmp_path):
    whole = clip(tmp_path / "c.mkv", codec="libx264", frames=48).read_bytes()
    (tmp_path / "c.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputError, match="--allow-truncated"):
        finish(tmp_path / "c.mkv", tmp_path / "o.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["c.mkv"]
    assert 0 < finish(tmp_path / "c.mkv", tmp_path / "o.mp4", allow_truncated=True).frames < 48


@pytest.mark.parametrize("kind", ["still", "sequence", "clip", "pipe", "matte", "grain_like"])
def test_what_is_too_large_is_refused_before_it_is_decoded_and_the_limit_can_be_raised(tmp_path, kind, drawn_clip):
    small = still(tmp_path / "small.png", 16, 12)
    inputs = {
        "still": still(tmp_path / "a.png"), "sequence": numbered(tmp_path / "in", 2, width=64, height=48),
        "clip": drawn_clip, "pipe": "-", "matte": small, "grain_like": small,
    }  # fmt: skip
    large = {"matte": {"matte": still(tmp_path / "m.png", mode="L")}, "grain_like": {"grain_like": inputs["still"]}}
    told = {"settings": OFF, "adapt": False, "stdin": io.BytesIO(y4m_of(drawn_clip)), **large.get(kind, {})}
    output = tmp_path / ("out.png" if kind in ("still", "matte", "grain_like") else "out.nut")
    with pytest.raises(InputError, match=r"is 64x48 px, more than the 3,071 pixels allowed; .* --max-pixels 1M"):
        finish(inputs[kind], output, max_pixels=3071, **told)
    assert not output.exists()
    if kind in ("still", "sequence", "clip"):
        report = finish(inputs[kind], output, max_pixels=3072, **told)
        assert "--max-pixels 3072" in Path(report.sidecar).read_text()


def test_lists_of_other_files_are_not_opened(tmp_path, drawn_clip):
    (tmp_path / "c.nut").write_bytes(drawn_clip.read_bytes())
    (tmp_path / "list.txt").write_text("ffconcat version 1.0\nfile c.nut\n")
    extinf = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nc.nut\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(extinf)
    for name in ("list.txt", "list.m3u8"):
        with pytest.raises(InputError, match="no lists of other files"):
            finish(tmp_path / name, tmp_path / "out.nut")


def test_a_pipe_in_the_file_system_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo.mp4")
    with pytest.raises(InputError, match="no regular file"):
        finish(tmp_path / "fifo.mp4", tmp_path / "out.nut")


@pytest.mark.parametrize("kind", ["still", "clip"])
def test_no_file_that_is_made_tells_where_the_job_was_done(tmp_path, drawn_clip, kind):
    """The sidecar and the output's own metadata name files, and never folders."""
    secret = tmp_path / "secret-place"
    secret.mkdir()
    source = still(secret / "a.png") if kind == "still" else shutil.copy(drawn_clip, secret / "c.nut")
    recipe = secret / "mine.yaml"
    recipe.write_text("grainkit: 1\nextends: social\nseed: 3\n")
    output = secret / ("out.jpg" if kind == "still" else "out.mp4")
    told = {"matte": still(secret / "m.png", mode="L")} if kind == "still" else {}
    report = finish(source, output, recipe=recipe, adapt=False, **told)
    for file in (output, Path(report.sidecar)):
        assert b"secret-place" not in file.read_bytes()


def test_an_interrupt_as_the_sidecar_is_put_in_place_leaves_both_or_neither(tmp_path, monkeypatch):
    source = still(tmp_path / "in.png")
    synced = system.folder_to_disk
    for moment in (1, 2):  # of the picture, and of the sidecar: each just after its rename
        calls = []

        def interrupted(folder, calls=calls, moment=moment):
            synced(folder)
            calls.append(folder)
            if len(calls) == moment:
                raise KeyboardInterrupt

        monkeypatch.setattr(system, "folder_to_disk", interrupted)
        out = tmp_path / f"{moment}.png"
        with pytest.raises(KeyboardInterrupt):
            finish(source, out, preset="video", settings=OFF)
        assert len(calls) == moment
        assert out.exists() >= (tmp_path / f"{moment}.png.grainkit.txt").exists()
        assert leftovers(tmp_path) == []
    assert (tmp_path / "2.png.grainkit.txt").exists()


def test_a_sidecar_takes_no_place_of_an_input_or_of_a_strangers_file(tmp_path):
    source = still(tmp_path / "a.png")
    picture = Path(shutil.copy(source, tmp_path / "q.png.grainkit.txt"))
    notes = tmp_path / "n.png.grainkit.txt"
    notes.write_text("my own notes", encoding="utf-8")
    was = picture.read_bytes()
    with pytest.raises(OutputError, match=r"the sidecar of q\.png: it is the input, which is never overwritten"):
        finish(picture, tmp_path / "q.png", preset="video", settings=OFF, overwrite=True)
    with pytest.raises(OutputError, match=r"n\.png\.grainkit\.txt exists already and is no sidecar"):
        finish(source, tmp_path / "n.png", preset="video", settings=OFF)
    with pytest.raises(OutputError, match="is no sidecar"):
        dry_run(FinishRequest.of(source, tmp_path / "n.png", preset="video"))
    assert (picture.read_bytes(), notes.read_text(encoding="utf-8")) == (was, "my own notes")
    assert not (tmp_path / "q.png").exists()
    assert not (tmp_path / "n.png").exists()
    finish(source, tmp_path / "b.png", preset="video", settings=OFF)
    (tmp_path / "b.png").unlink()
    finish(source, tmp_path / "b.png", preset="video", settings=OFF)  # a sidecar left alone is ours
    finish(source, tmp_path / "n.png", preset="video", settings=OFF, overwrite=True)


def test_what_another_run_makes_meanwhile_is_not_replaced(tmp_path):
    source = drawn = still(tmp_path / "a.png")
    out = tmp_path / "o.png"

    def other(*_):
        out.write_bytes(drawn.read_bytes())

    with pytest.raises(OutputError, match="was made by something else meanwhile"):
        finish(source, out, preset="video", settings=OFF, progress=other)
    assert out.read_bytes() == source.read_bytes()
    assert leftovers(tmp_path) == []
    assert not (tmp_path / "o.png.grainkit.txt").exists()


def test_an_output_that_another_run_replaces_at_the_last_moment_is_said(tmp_path, monkeypatch):
    source, out = still(tmp_path / "a.png"), tmp_path / "o.png"
    whole = pending.Pending.commit

    def commit(self):
        if self.destination.name.endswith(".txt"):
            shutil.copy(source, out)
        whole(self)

    monkeypatch.setattr(pending.Pending, "commit", commit)
    with pytest.raises(OutputError, match=r"another run made .* at the same moment"):
        finish(source, out, preset="video", settings=OFF, overwrite=True)
