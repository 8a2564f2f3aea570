"""The user's own matte: found for each input, checked, frame by frame, never overwritten, never an input."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import grainkit as gk
from grainkit.errors import InputError
from grainkit.hosts.cli import command as cli
from grainkit.io.base import input_files
from grainkit.io.mattes import mattes_for
from samples.draw import codes, portrait
from tests.drawn import clip, numbered, still

TEXTURE = ("highlight_guard.strength=0", "cinema_grain.strength=0", "skin_texture.strength=1", "delivery.fit=keep")
SET = [word for value in TEXTURE for word in ("--set", value)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert [t.name for t in threading.enumerate() if t.name.startswith("grainkit")] == []


def grey(path, values, depth=8):
    """A matte: (h, w) of 0..1, as a grey PNG."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    top = 255 if depth == 8 else 65535
    Image.fromarray(np.rint(np.asarray(values) * top).astype(np.uint8 if depth == 8 else np.uint16)).save(path)
    return path


def ramp(width=64, height=48):
    return np.tile(np.linspace(0, 1, width), (height, 1))


def handed(spec, source, **options):
    """The mattes that the frames of a source are given."""
    with gk.open_source(source, **options) as opened:
        found = mattes_for(spec, opened.info, input_files(opened.info), **options)
        return [f.matte for f in found.over(opened)]


# What a frame is given


@pytest.mark.parametrize("depth", [8, 16])
def test_a_grey_still_is_its_codes_over_the_largest(depth):
    (matte,) = handed(grey("m.png", ramp(), depth), still(Path("a.png")))
    assert matte.dtype == np.float32
    assert matte.shape == (48, 64)
    np.testing.assert_allclose(matte, ramp(), atol=0.6 / (255 if depth == 8 else 65535))


@pytest.mark.parametrize("size", [(32, 24), (128, 96), (43, 32)])
def test_one_of_the_same_shape_is_scaled(size):
    (matte,) = handed(grey("m.png", ramp(*size)), still(Path("a.png")))
    assert matte.shape == (48, 64)
    np.testing.assert_allclose(matte[:, 8:-8], ramp()[:, 8:-8], atol=0.02)
    assert matte.min() >= 0
    assert matte.max() <= 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: grey("m.png", ramp(64, 32)), "m.png: is 64x32, and a.png is 64x48; a matte has the same size"),
        (lambda: Path("gone.png"), "gone.png: no such file"),
        (lambda: still(Path("m.png")), "m.png: is in colour"),
        (lambda: still(Path("m.png"), mode="RGBA"), "m.png: is in colour"),
        (lambda: clip(Path("m.nut")), "m.nut: is a clip; a.png is a still and takes one still"),
        (lambda: Path("a.png"), "a.png: is the input itself"),
        (lambda: Path("-"), "not read from standard input"),
        (lambda: grey("m/b.png", ramp()).parent, "m: holds no matte for a.png; call it a.png"),
        (lambda: (grey("m/a.png", ramp()), grey("m/a.tif", ramp()))[0].parent, "a.png and a.tif for a.png; keep one"),
    ],
)
def test_what_is_no_matte_for_a_still_is_one_line(make, said):
    source = still(Path("a.png"))
    with pytest.raises(InputError) as refused:
        handed(make(), source)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_transparency_is_no_matte():
    Image.fromarray(np.dstack([np.full((48, 64), 255, np.uint8), np.rint(255 * ramp()).astype(np.uint8)])).save("m.png")
    with pytest.raises(InputError, match=r"m\.png: has transparency"):
        handed("m.png", still(Path("a.png")))


def levels(folder, numbers):
    """Numbered mattes, each evenly as bright as its number in hundredths; returns their pattern."""
    for number in numbers:
        grey(Path(folder) / f"m_{number:03d}.png", np.full((48, 64), number / 100))
    return Path(folder) / "m_%03d.png"


def means(mattes):
    return [round(100 * float(m.mean())) for m in mattes]


@pytest.mark.parametrize("by", ["pattern", "folder"])
def test_a_clip_counts_its_mattes_from_the_lowest(by):
    pattern = levels("m", range(11, 17))
    spec = pattern if by == "pattern" else pattern.parent
    source = clip(Path("c.nut"))
    assert means(handed(spec, source)) == [11, 12, 13, 14, 15, 16]
    assert means(handed(spec, source, start=2, stop=4)) == [13, 14]


def test_a_sequence_has_mattes_of_its_own_numbers():
    source = numbered(Path("in"), 4, first=21)
    for number in range(21, 25):
        still(Path("in") / f"f_{number:04d}.png", 64, 48)
    assert means(handed(levels("m", range(20, 30)), source)) == [21, 22, 23, 24]
    assert means(handed(levels("few", range(22, 24)), source, start=1, stop=3)) == [22, 23]
    for numbers, missing in ((range(22, 30), 21), (range(20, 23), 23), (range(1, 5), 21)):
        with pytest.raises(InputError, match=rf"no matte for frame {missing}; .*, numbered as it is"):
            handed(levels(f"m{numbers}", numbers), source)
    levels("gap", [21, 22, 24])
    with pytest.raises(InputError, match=r"m_023\.png: missing from the sequence"):
        handed(Path("gap/m_%03d.png"), source)


@pytest.mark.parametrize("pixel_format", ["gray", "yuv420p", "gray16le"])
def test_a_clip_may_be_the_matte(pixel_format):
    mattes = handed(bright(Path("m.mkv"), pixel_format, 6), clip(Path("c.nut")))
    assert means(mattes) == [0, 20, 40, 60, 80, 100]
    with pytest.raises(InputError, match=r"m\.mkv: there is no matte for frame 4"):
        handed(bright(Path("m.mkv"), pixel_format, 4), clip(Path("c.nut")))


def bright(path, pixel_format, count):
    """A grey clip whose frame i is 20 i % bright."""
    import av

    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        stream.codec_context.color_range = 1 if pixel_format == "yuv420p" else 2
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64), 51 * number, np.uint8), "gray")
            frame.color_range = 2
            picture = frame.reformat(format=pixel_format, dst_color_range=1 if pixel_format == "yuv420p" else 2)
            picture.pts = number
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return path


def test_a_clip_takes_no_single_still():
    with pytest.raises(InputError, match=r"m\.png: is a still; c\.nut is a clip and takes a matte for each frame"):
        handed(grey("m.png", ramp()), clip(Path("c.nut")))


def test_a_folder_holds_the_matte_of_a_clips_name():
    levels("m/c", range(6))
    levels("m/other", range(50, 56))
    assert means(handed("m", clip(Path("c.nut")))) == [0, 1, 2, 3, 4, 5]


# The job


@pytest.mark.slow
def test_the_job_uses_it_and_says_so():
    rgb = codes(portrait(300, 400), 8)
    Image.fromarray(rgb).save("p.png")
    left = np.zeros((400, 300))
    left[:, :130] = 1
    grey("m.png", left)
    report = gk.finish("p.png", "o.png", preset="social", settings=TEXTURE, matte="m.png", seed=1)
    out = np.asarray(Image.open("o.png").convert("RGB"))
    changed = (out != rgb).any(-1)
    assert changed[:, :125].any()
    assert not changed[:, 135:].any()
    text = Path(report.sidecar).read_text()
    assert "matte_sha256: " in text
    assert "--matte m.png" in text
    again = gk.finish("p.png", "again.png", recipe=report.sidecar, matte="m.png")
    assert again.sha256 == report.sha256
    # At half the size the matte goes along with the picture.
    small = (*TEXTURE[:3], "delivery.width=150", "delivery.height=200")
    gk.finish("p.png", "s.png", preset="social", settings=(*small, "delivery.fit=fit"), matte="m.png", seed=1)
    gk.finish("p.png", "n.png", preset="social", settings=(*small[:2], *small[3:], "skin_texture.strength=0"), seed=1)
    changed = np.asarray(Image.open("s.png").convert("RGB")) != np.asarray(Image.open("n.png").convert("RGB"))
    assert changed[:, :60].any()
    assert not changed[:, 70:].any()


def test_a_matte_that_ends_or_breaks_midway_leaves_nothing(folder):
    clip(Path("c.nut"))
    pattern = levels("m", range(4))
    before = sorted(folder.rglob("*"))
    told = {"preset": "video", "settings": TEXTURE, "matte": pattern}
    with pytest.raises(InputError, match="there is no matte for frame 4"):
        gk.finish("c.nut", "o.nut", **told)
    for number, values in ((4, ramp()), (5, ramp(32, 24))):
        grey(f"m/m_{number:03d}.png", values)
    with pytest.raises(InputError, match=r"m_005\.png: is 32x24 gray, but m_000\.png is 64x48 gray"):
        gk.finish("c.nut", "o.nut", **told)
    Path("m/m_004.png").unlink()
    Path("m/m_005.png").unlink()
    assert sorted(folder.rglob("*")) == before


def test_where_texture_is_off_the_matte_is_noted_as_idle():
    report = gk.finish(still(Path("a.png")), "o.png", settings=["skin_texture.strength=0"], matte=grey("m.png", ramp()))
    assert "the matte is not used: skin_texture.strength is 0" in report.notes


def run(*arguments):
    return cli.main([str(a) for a in arguments])


def test_a_series_has_a_folder_of_mattes(capsys):
    for name in ("cat", "dog"):
        Path("in").mkdir(exist_ok=True)
        still(Path(f"in/{name}.jpg"))
        grey(f"m/{name}.png", ramp())
    assert run("finish", "in", "-o", "out/", "--matte", "m", "--quiet") == 0
    text = Path("out/dog.social.jpg.grainkit.txt").read_text()
    assert "--matte m/" in text
    assert run("finish", "in", "-o", "more/", "--matte", "m/cat.png") == 2
    assert "one matte does not fit 2 inputs" in capsys.readouterr().err
    assert not Path("more").exists()
    Path("m/dog.png").unlink()
    assert run("finish", "in", "-o", "more/", "--matte", "m", "--quiet") == 2
    assert "m: holds no matte for in/dog.jpg" in capsys.readouterr().err
    assert sorted(p.name for p in Path("more").glob("*.jpg")) == ["cat.social.jpg"]


def test_a_matte_is_never_overwritten_nor_taken_for_an_input(capsys):
    still(Path("a.png"))
    before = grey("m.png", ramp()).read_bytes()
    assert run("finish", "a.png", "-o", "m.png", "--matte", "m.png", "--overwrite") == 2
    assert "m.png: it is the matte, which is never overwritten" in capsys.readouterr().err
    Path("link.png").hardlink_to("m.png")
    assert run("finish", "a.png", "-o", "link.png", "--matte", "m.png", "--overwrite") == 2
    assert Path("m.png").read_bytes() == before
    # A folder of mattes is safe as a whole, not only the one that is read.
    grey("m/a.png", ramp())
    grey("m/a.social.jpg", ramp())
    assert run("finish", "a.png", "-o", "m/", "--matte", "m", "--overwrite") == 2
    assert "a.social.jpg: it is the matte" in capsys.readouterr().err
    numbers = numbered(Path("s"), 3, width=64, height=48)
    pattern = levels("t", range(1, 4))
    assert run("finish", numbers, "-o", "t/m_%03d.png", "--matte", pattern, "--preset", "video", "--overwrite") == 2
    assert "it is the matte" in capsys.readouterr().err
    # Among the inputs.
    Path("mixed").mkdir()
    still(Path("mixed/cat.png"))
    still(Path("mixed/dog.png"))
    grey("mixed/mask.png", ramp())
    assert run("finish", "mixed", "-o", "out/", "--matte", "mixed/mask.png") == 2
    assert "mixed: holds the matte mask.png too; keep mattes in a folder of their own" in capsys.readouterr().err
    assert run("finish", "s", "-o", "out/", "--matte", "s/f_%04d.png") == 2
    assert "is the input itself" in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.slow
def test_any_part_of_a_matted_clip_is_that_part_of_the_whole(samples):
    """The analysis sees the frames before the part, so their mattes are needed too."""
    for number in range(3):
        matte = np.ones((640, 360))
        matte[:, 90 * number :] = 0.5
        grey(f"m/m_{number}.png", matte)
    with gk.open_source(samples / "clip.mp4") as source:
        assert (source.info.width, source.info.height) == (360, 640)
    told = {"preset": "video", "settings": TEXTURE, "seed": 3, "matte": "m/m_%d.png"}
    gk.finish(samples / "clip.mp4", "whole.nut", frames=(0, 3), **told)
    gk.finish(samples / "clip.mp4", "part.nut", frames=(2, 3), **told)
    gk.finish(samples / "clip.mp4", "plain.nut", frames=(2, 3), **{**told, "matte": None})
    whole, part, plain = ([f.planes for f in gk.open_source(name)] for name in ("whole.nut", "part.nut", "plain.nut"))
    for expected, found in zip(whole[2:], part, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    assert not np.array_equal(part[0][0], plain[0][0])
