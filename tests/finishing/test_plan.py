"""What a recipe means for a source: size, crop, format, name and place."""

import io
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grainkit.errors import InputError, OutputError, RecipeError
from grainkit.finishing.place import CLIP_ENDINGS
from grainkit.finishing.plan import ClipPlan, FilePlan, Opening, PipePlan, SequencePlan, StillPlan
from grainkit.finishing.planning import make_plan, own_format_plan
from grainkit.io.base import SourceInfo
from grainkit.io.box import fitted
from grainkit.io.clip_sink import VideoSink
from grainkit.io.delivery import Delivery
from grainkit.io.sequence import SequenceSink
from grainkit.io.still_formats import still_endings
from grainkit.io.stills import StillSink
from grainkit.io.y4m import Y4MSink
from grainkit.picture.color import SRGB_STILL, Color, Matrix, Range, Siting, Transfer
from grainkit.picture.frame import Frame
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from tests import drawn


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Whether a name is a folder's is looked up on the disk."""
    monkeypatch.chdir(tmp_path)


HDR = Color(matrix=Matrix.BT2020_NCL, transfer=Transfer.PQ, depth=10)


def clip(width=1280, height=720, **changes):
    given = {"color": Color(), "rate": Fraction(24), "pixel_format": "yuv420p", "path": Path("in/shot.mp4")}
    return SourceInfo("shot.mp4", kind="clip", width=width, height=height, **{**given, **changes})


def still(width=1280, height=720, **changes):
    given = {"color": SRGB_STILL, "pixel_format": "rgb24", "path": Path("in/face.png")}
    return SourceInfo("face.png", kind="still", width=width, height=height, **{**given, **changes})


def sized(info, step=(1, 1), **delivery):
    geometry, aspect, notes = fitted(info, Delivery(**delivery), step)
    return geometry, aspect, " ".join(notes)


# Size and crop


def test_a_picture_fits_inside_the_box():
    geometry, _, notes = sized(still(3000, 2000), width=1080, height=1350)
    assert geometry.size == (1080, 720)
    assert (geometry.left, geometry.top, geometry.right, geometry.bottom) == (0, 0, 3000, 2000)
    assert notes == ""


@pytest.mark.parametrize(
    ("aspect", "delivery"),
    [(Fraction(2**31 - 1), {"height": 1080}), (Fraction(1, 2**31 - 1), {"width": 1080, "upscale": True})],
)
def test_pixels_that_would_fill_the_memory_are_refused(aspect, delivery):
    info = clip(16, 16, sample_aspect=aspect)
    with pytest.raises(InputError, match=r"^shot.mp4: its pixels are .* more than 300,000,000; .* set delivery.width"):
        sized(info, step=(2, 2), **delivery)
    assert sized(info, step=(2, 2), width=640, height=360)[0].size <= (640, 360)


def test_a_small_picture_is_not_enlarged_unless_told():
    geometry, _, notes = sized(still(640, 480), width=1080, height=1350)
    assert geometry.is_identity
    assert "not enlarged" in notes
    geometry, _, notes = sized(still(640, 480), width=1080, height=1350, upscale=True)
    assert geometry.size == (1080, 810)
    assert geometry.scale == pytest.approx(1.6875)
    assert notes == ""


def test_cover_fills_the_box_and_crops_the_middle():
    geometry, _, _ = sized(still(3000, 2000), width=1000, height=1000, fit="cover")
    assert geometry.size == (1000, 1000)
    assert (geometry.left, geometry.top, geometry.right, geometry.bottom) == (500, 0, 2500, 2000)


def test_cover_of_a_small_picture_takes_its_shape_without_resampling():
    geometry, _, notes = sized(still(601, 400), width=1000, height=1000, fit="cover")
    assert geometry.size == (400, 400)
    assert geometry.is_crop((1, 1))
    assert (geometry.left, geometry.right) == (100, 500)
    assert "cropped to its shape" in notes


def test_keep_leaves_size_and_pixel_aspect_alone():
    geometry, aspect, _ = sized(clip(720, 576, sample_aspect=Fraction(16, 15)), width=640, height=480, fit="keep")
    assert geometry.is_identity
    assert aspect == Fraction(16, 15)


def test_a_box_turns_with_the_picture():
    assert sized(still(4000, 3000), width=1080, height=1920, turn=True)[0].size == (1440, 1080)
    assert sized(still(3000, 4000), width=1080, height=1920, turn=True)[0].size == (1080, 1440)
    assert sized(still(4000, 3000), width=1080, height=1920)[0].size == (1080, 810)


def test_one_free_side():
    assert sized(still(4000, 3000), width=1000)[0].size == (1000, 750)
    assert sized(still(4000, 3000), height=1000, fit="cover")[0].size == (1333, 1000)


def test_pixels_become_square_when_a_picture_is_resized():
    geometry, aspect, _ = sized(clip(720, 576, sample_aspect=Fraction(64, 45)), step=(2, 2), width=512, height=512)
    assert aspect == 1
    assert geometry.size == (512, 288)
    assert (geometry.left, geometry.right) == (0, 720)
    geometry, aspect, _ = sized(clip(720, 576, sample_aspect=Fraction(64, 45)), fit="cover", width=288, height=288)
    assert (aspect, geometry.size) == (1, (288, 288))
    assert (geometry.right - geometry.left) == pytest.approx(576 * 45 / 64)


def test_odd_sides_are_cut_not_resampled_where_the_format_needs_even_ones():
    geometry, aspect, notes = sized(clip(65, 49, sample_aspect=Fraction(4, 3)), step=(2, 2), fit="keep")
    assert geometry.size == (64, 48)
    assert geometry.is_crop((2, 2))
    assert aspect == Fraction(4, 3)
    assert "65x49 to 64x48" in notes
    assert sized(clip(65, 49), step=(2, 2), width=1080, height=1080)[0].is_crop((2, 2))
    assert sized(clip(65, 49), fit="keep")[0].is_identity


def test_one_pixel_becomes_the_least_that_the_format_holds():
    geometry, _, _ = sized(still(1, 1), step=(2, 2), fit="keep")
    assert geometry.size == (2, 2)


sides = st.integers(1, 5000)


@settings(max_examples=300, deadline=None)
@given(
    sides, sides, sides, sides, st.sampled_from(["fit", "cover"]), st.booleans(), st.booleans(),
    st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(8, 9)]), st.sampled_from([(1, 1), (2, 1), (2, 2)]),
)  # fmt: skip
def test_any_picture_in_any_box(width, height, box_width, box_height, fit, turn, upscale, aspect, step):
    info = clip(width, height, sample_aspect=aspect)
    delivery = {"width": box_width, "height": box_height, "fit": fit, "turn": turn, "upscale": upscale}
    geometry, _, _ = sized(info, step, **delivery)
    for side, unit in zip(geometry.size, step, strict=True):
        assert side % unit == 0
        assert unit <= side <= max(box_width, box_height, unit)
    least = min(width, height) >= 2
    assert not least or (0 <= geometry.left < geometry.right <= width and 0 <= geometry.top < geometry.bottom <= height)
    if not upscale and min(*geometry.size) > 8:
        # No more pixels than there were, but for square pixels and the rounding to whole steps.
        across = geometry.size[0] / (geometry.right - geometry.left)
        down = geometry.size[1] / (geometry.bottom - geometry.top)
        assert across <= float(aspect) * (1 + 2 / geometry.size[0])
        assert down <= 1 + 2 / geometry.size[1]
    if min(*geometry.size) > 50:
        shape = (geometry.right - geometry.left) * float(aspect) / (geometry.bottom - geometry.top)
        square = float(aspect) if geometry.is_crop((1, 1)) and aspect != 1 else 1.0
        assert geometry.size[0] * square / geometry.size[1] == pytest.approx(shape, rel=0.06)


# Kinds

KINDS = [
    (still(), "o.png", StillPlan, "still", StillSink),
    (clip(), "f_%03d.png", SequencePlan, "sequence", SequenceSink),
    (clip(path=None), "o.mp4", ClipPlan, "clip", VideoSink),
    (clip(), "-", PipePlan, "pipe", Y4MSink),
    (still(), "-", PipePlan, "pipe", Y4MSink),
]


@pytest.mark.parametrize(("info", "output", "plan", "kind", "sink"), KINDS)
def test_a_kind_of_output_is_a_type_that_opens_its_own_sink(info, output, plan, kind, sink):
    made = make_plan(info, load_recipe("video" if kind != "still" else "social"), output)
    assert (type(made), made.kind, made.context.kind, made.name) == (plan, kind, kind, output)
    assert made.moves is (kind != "still")
    first = Frame((), made.target)
    opened = made.open_sink(Opening(info, "", "finished", first, stdout=io.BytesIO()))
    opened.abort()
    assert isinstance(opened, sink)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("info", "output", "files"),
    [
        (still(), "o.png", ["o.png"]), (clip(), "o.mp4", ["o.mp4"]), (clip(), "-", []),
        (clip(), "to/f_%03d.png", ["to/f_007.png", "to/f_008.png"]),
    ],
)  # fmt: skip
def test_a_plan_names_the_files_that_it_makes_and_those_that_are_there(info, output, files):
    made = make_plan(info, load_recipe("video/sequence" if files[1:] else "social"), output)
    assert made.output_files(range(7, 9)) == [Path(file) for file in files]
    if isinstance(made, FilePlan):
        assert made.lacks_folder is (len(files) > 1)
        assert made.present() == []
        Path(files[-1]).parent.mkdir(exist_ok=True)
        Path(files[-1]).touch()
        assert not made.lacks_folder
        assert made.present() == [Path(files[-1])]


@pytest.mark.slow
def test_a_still_is_planned_and_opened_without_ffmpeg(tmp_path):
    drawn.still(tmp_path / "a.png")
    code = (
        "import sys, grainkit as gk\n"
        "from grainkit.finishing.plan import Opening\n"
        "from grainkit.finishing.planning import make_plan\n"
        "source = gk.open_source('a.png')\n"
        "plan = make_plan(source.info, gk.load_recipe('social'), 'o.png')\n"
        "plan.open_sink(Opening(source.info, '', '', next(iter(source)))).abort()\n"
        "print(plan.lost(source.info), 'av' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[] False"


@pytest.mark.parametrize(("kind", "said"), [("still", "a still"), ("clip", "frames"), ("sequence", "a sequence")])
def test_frames_that_go_back_to_who_gave_them_are_of_the_sources_kind(kind, said):
    info = replace(still(), kind=kind)
    plan = own_format_plan(info, load_recipe("video"))
    assert (plan.kind, plan.moves, plan.size) == (kind, kind != "still", (1280, 720))
    with pytest.raises(RecipeError, match=f"and this is {said}; use"):
        own_format_plan(info, override(load_recipe("video"), ["cinema_grain.carrier=metadata"]))


# Names and places


def test_outputs_are_named_after_input_and_preset(tmp_path):
    recipe = load_recipe("social/instagram-feed")
    assert make_plan(still(), recipe, None).output == Path("in/face.social-instagram-feed.jpg")
    assert make_plan(clip(), recipe, None).output == Path("in/shot.social-instagram-feed.mp4")
    assert make_plan(still(), recipe, f"{tmp_path}").output == tmp_path / "face.social-instagram-feed.jpg"
    plan = make_plan(still(), recipe, f"{tmp_path}/new/")
    assert plan.output == tmp_path / "new/face.social-instagram-feed.jpg"
    assert plan.new_folder == tmp_path / "new"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("in/f_%04d.png", "in/f.video-sequence/f_%06d.png"),
        ("in/%04d.png", "in/in.video-sequence/in_%06d.png"),
        ("in/shots.v2", "in/shots.v2.video-sequence/shots.v2_%06d.png"),
    ],
)
def test_sequences_go_into_a_folder_of_their_own(path, expected, tmp_path):
    (tmp_path / "in/shots.v2").mkdir(parents=True)
    info = replace(clip(path=Path(path)), kind="sequence")
    assert make_plan(info, load_recipe("video/sequence"), None).output == Path(expected)


def test_a_percent_sign_in_a_clips_name_is_no_pattern():
    plan = make_plan(clip(path=Path("in/100%d.mp4")), load_recipe("video/sequence"), None)
    assert plan.output == Path("in/100%d.video-sequence/100%%d_%06d.png")


def test_a_pipe_has_nothing_to_write_beside():
    pipe = replace(clip(path=None), kind="pipe")
    with pytest.raises(OutputError, match="name the output with -o"):
        make_plan(pipe, load_recipe("video"), None)
    assert not isinstance(make_plan(pipe, load_recipe("video"), "-"), FilePlan)


# Formats


@pytest.mark.parametrize(("ending", "container"), still_endings().items())
def test_a_stills_ending_wins_over_the_preset(ending, container):
    social, print_ = (make_plan(still(), load_recipe(name), f"out{ending}").still for name in ("social", "print"))
    assert social.container == print_.container == container
    assert social.depth == (32 if container == "exr" else 8)
    assert print_.depth == {"png": 16, "tiff": 16, "exr": 32}.get(container, 8)


@pytest.mark.parametrize(("ending", "container"), CLIP_ENDINGS.items())
def test_a_clips_ending_wins_over_the_preset(ending, container):
    plan = make_plan(clip(), load_recipe("social"), f"out{ending}")
    assert plan.clip.container == container
    assert plan.clip.codec == {"webm": "libvpx-vp9", "nut": "ffv1"}.get(container, "libx264")


def test_what_was_delivered_replays_without_its_ending():
    recipe = load_recipe("social")
    for source, output in ((still(), "out.tif"), (clip(), "out.webm"), (clip(), "f_%d.exr")):
        plan = make_plan(source, recipe, output)
        again = make_plan(source, plan.as_delivered(recipe), None)
        assert type(again) is type(plan)
        assert again.delivered_in(recipe.delivery) == plan.delivered_in(recipe.delivery)
        assert again.output.suffix == plan.output.suffix


@pytest.mark.parametrize(
    ("info", "preset", "output", "said"),
    [
        (still(), "social", "out.mp4", "does not become a clip"),
        (still(), "social", "out_%04d.png", "a still is one file"),
        (still(), "social", "out", "no ending"),
        (still(), "social", "out.pgn", r"did you mean \.png"),
        (clip(), "social", "out.png", r"out_%05d\.png"),
        (clip(), "social", "out%s.png", "give a pattern"),
    ],
)
def test_endings_that_cannot_be(info, preset, output, said):
    with pytest.raises(OutputError, match=said):
        make_plan(info, load_recipe(preset), output)


def test_presets_of_one_kind_say_so():
    with pytest.raises(RecipeError, match="delivers stills only"):
        make_plan(clip(), load_recipe("print"), None)
    with pytest.raises(RecipeError, match="delivers clips only"):
        make_plan(still(), load_recipe("social/shorts"), None)


def test_hdr_passes_through_where_it_does_not_band_and_is_refused_elsewhere():
    hdr = clip(color=HDR, pixel_format="yuv420p10le")
    for preset in ("video/hevc10", "video/master", "video/sequence"):
        plan = make_plan(hdr, load_recipe(preset), None)
        assert plan.target.transfer is Transfer.PQ
    for preset, output in (("social", None), ("social", "f_%d.png"), ("video/hevc10", "out.webm")):
        with pytest.raises(InputError, match="tone map"):
            make_plan(hdr, load_recipe(preset), output)
    assert make_plan(hdr, load_recipe("video"), "-").target == HDR


def test_float_frames_become_no_clip_that_keeps_their_samples():
    info = clip(color=replace(SRGB_STILL, depth=32), pixel_format="gbrpf32le")
    with pytest.raises(OutputError, match=r"^shot.mp4 has float samples, .* -o f_%05d.exr"):
        make_plan(info, load_recipe("video"), "o.nut")
    assert make_plan(info, load_recipe("video"), "f_%03d.exr").rgb_depth == 32
    assert make_plan(info, load_recipe("video"), "o.mp4").pixel_format == "yuv420p"


@pytest.mark.parametrize(
    ("output", "lost"), [("o.mp4", False), ("o.mkv", False), ("o.mov", False), ("o.webm", True), ("o.nut", True)]
)
def test_a_pixel_aspect_that_the_container_leaves_to_the_codec_is_noted(output, lost):
    info = clip(720, 576, sample_aspect=Fraction(16, 15))
    plan = make_plan(info, load_recipe("video"), output)
    assert any("16:15 wide" in note for note in plan.notes) is lost
    assert not any("wide" in note for note in make_plan(clip(), load_recipe("video"), output).notes)
    square = make_plan(info, override(load_recipe("video"), ["delivery.fit=fit", "delivery.height=288"]), output)
    assert square.sample_aspect == 1
    assert not any("16:15 wide" in note for note in square.notes)


def test_a_sources_own_samples_are_worked_on_where_nothing_is_resampled():
    ten = Color(depth=10)
    source = clip(color=ten, pixel_format="yuv420p10le")
    assert make_plan(source, load_recipe("video/hevc10"), None).working == ten
    assert make_plan(source, load_recipe("video"), None).working == ten
    assert make_plan(source, load_recipe("video"), None).target.depth == 8
    assert make_plan(source, load_recipe("video/master"), None).working.is_float  # 4:2:0 to 4:2:2
    resized = override(load_recipe("video"), ["delivery.fit=fit", "delivery.width=640"])
    assert make_plan(source, resized, None).working.is_float
    odd = clip(65, 49)
    assert make_plan(odd, load_recipe("video"), None).working == odd.color


def test_a_source_keeps_its_format_where_the_recipe_names_none():
    full = Color(range=Range.FULL, siting=Siting.CENTER)
    plan = make_plan(clip(65, 49, color=full, pixel_format="yuvj420p"), load_recipe("video"), "out.nut")
    assert plan.target == full
    assert (plan.pixel_format, plan.geometry.is_identity) == ("yuv420p", True)
    rgb = replace(SRGB_STILL, depth=16)
    plan = make_plan(clip(color=rgb, pixel_format="gbrp10le"), load_recipe("video"), "out.nut")
    assert (plan.pixel_format, plan.rgb_depth) == ("gbrp16le", 16)


def test_what_cannot_be_kept_is_noted():
    assert "transparency composited over white" in " ".join(
        make_plan(still(has_alpha=True), load_recipe("social"), None).notes
    )
    assert make_plan(still(640, 480, has_alpha=True), load_recipe("social/x"), "x.png").notes[0].startswith("smaller")
    assert "transparency composited over white" in " ".join(
        make_plan(clip(has_alpha=True), load_recipe("video"), None).notes
    )


def test_pixel_formats_in_words():
    assert make_plan(still(), load_recipe("social"), None).pixel_format == "jpeg 8-bit 4:4:4"
    assert make_plan(still(), load_recipe("print"), None).pixel_format == "tiff 16-bit"
    assert make_plan(clip(), load_recipe("video/master"), None).pixel_format == "yuv422p10le"
    assert make_plan(clip(), load_recipe("video"), "-").pixel_format == "yuv420p"
    rgb = clip(color=SRGB_STILL, pixel_format="rgb24")
    assert make_plan(rgb, load_recipe("video"), "-").pixel_format == "yuv444p"


@pytest.mark.parametrize(
    ("size", "settings", "said"),
    [
        ((1024, 1536), [], "prints 87 mm wide at 300 dpi; for 198 mm: a picture of 2339x3508 px, or --set "
         "delivery.upscale=true, which prints this one's own pixels at 131 dpi"),
        ((1536, 1024), [], "prints 130 mm wide at 300 dpi; for 297 mm: a picture of 3508x2339 px"),
        ((1024, 1536), ["delivery.fit=cover"], "for 210 mm: a picture of 2480x3508 px"),
        ((1024, 1536), ["delivery.dpi=150"], "prints 173 mm wide at 150 dpi"),
    ],
)  # fmt: skip
def test_a_small_picture_for_paper_says_how_wide_it_prints(size, settings, said):
    notes = make_plan(still(*size), override(load_recipe("print/a4"), settings), "x.tif").notes
    assert said in " ".join(notes)


def test_where_a_picture_fills_its_paper_or_has_none_nothing_is_said_of_mm():
    enlarged = override(load_recipe("print/a4"), ["delivery.upscale=true"])
    filled, screen = (still(2480, 3508), load_recipe("print/a4")), (still(640, 480), load_recipe("social/x"))
    for info, recipe in (filled, screen, (still(1024, 1536), enlarged)):
        assert "mm wide" not in " ".join(make_plan(info, recipe, "x.tif").notes)
