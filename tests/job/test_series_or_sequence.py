"""Numbered stills: a series of pictures or the frames of one clip, told by what is in them, and said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import grainkit as gk
from grainkit.analysis.likeness import SIDE, thumbnail, unlikeness
from grainkit.errors import InputError
from grainkit.hosts.cli import command as cli
from grainkit.job import series_or_sequence
from grainkit.job.inputs import expand_inputs

Array = npt.NDArray[Any]
#: Nothing that takes time.
OFF = ["--set", "skin_texture.strength=0", "--set", "highlight_guard.patches=0", "--no-adapt"]
SIZE = (96, 128)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def scene(number: int, shift: int = 0, backdrop: bool = False) -> Array:
    """A picture (96, 128, 3) of blurred noise of its own; moved left by `shift` px. backdrop: round it, one for all."""

    def noise(seed: int) -> Array:
        drawn = np.random.default_rng(seed).normal(size=(SIZE[0], SIZE[1] + 96)).astype(np.float32)
        drawn = cv2.GaussianBlur(drawn, (0, 0), 3.0)
        return np.asarray(128 + 50 * drawn / drawn.std())

    moved = noise(number)[:, shift : shift + SIZE[1]].copy()
    if backdrop:
        moved[:, :32] = moved[:, -32:] = noise(999)[:, :32]
    return np.repeat(np.clip(moved, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def put(pattern: str, pictures: list[Array], first: int = 1) -> None:
    Path(pattern).parent.mkdir(exist_ok=True)
    for number, picture in enumerate(pictures, first):
        Image.fromarray(picture).save(pattern % number)


def frames(count: int) -> list[Array]:
    return [scene(0, 2 * n) for n in range(count)]


def portraits(count: int) -> list[Array]:
    return [scene(n, backdrop=True) for n in range(count)]


def finish(*arguments: str) -> int:
    return cli.main(["finish", *arguments, *OFF])


def made(folder: str = "out") -> list[str]:
    return sorted(p.name for p in Path(folder).iterdir() if not p.name.endswith(".grainkit.txt"))


@pytest.mark.parametrize("pattern", ["in/portrait_%02d.png", "in/ComfyUI_%05d_.png"])
@pytest.mark.parametrize("listed", [False, True])
def test_numbered_portraits_are_a_series(pattern: str, listed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    put(pattern, portraits(6))
    given = [str(p) for p in sorted(Path("in").iterdir())] if listed else ["in"]
    assert finish(*given, "-o", "out/") == 0
    assert made() == [f"{Path(pattern % n).stem}.social.jpg" for n in range(1, 7)]
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith(f"grainkit: 6 stills ({Path(pattern % 1).name} ...): a series, because neighbours differ")
    assert said.endswith("--as sequence makes one clip of them")


@pytest.mark.parametrize("listed", [False, True])
def test_frames_are_a_sequence(listed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    put("in/f_%04d.png", frames(8))
    given = [str(p) for p in sorted(Path("in").iterdir())] if listed else ["in"]
    assert finish(*given, "-o", "out/") == 0
    assert len(made()) == 1
    assert made()[0].endswith(".social.mp4")
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith("grainkit: 8 numbered stills (f_0001.png ...): one sequence, because neighbours are alike")
    assert said.endswith("--as stills finishes each on its own")


@pytest.mark.parametrize("given", ["in", "in/f_%04d.png", "list"])
def test_as_decides_otherwise(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    put("in/f_%04d.png", frames(8))
    inputs = [str(p) for p in sorted(Path("in").iterdir())] if given == "list" else [given]
    assert finish(*inputs, "-o", "out/", "--as", "stills") == 0
    assert made() == [f"f_{n:04d}.social.jpg" for n in range(1, 9)]
    put("other/p_%d.png", portraits(6))
    inputs = [str(p) for p in sorted(Path("other").iterdir())] if given == "list" else ["other"]
    assert finish(*inputs, "-o", "clip/", "--as", "sequence") == 0
    assert len(made("clip")) == 1
    assert "series" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pictures", "preset", "kind"),
    [
        (frames(8), "social", "sequence"),
        (frames(8), "print", "stills"),
        (frames(8), "social/x", "stills"),
        (portraits(8), "social/shorts", "sequence"),
        (portraits(8), "video/sequence", "sequence"),
        (portraits(8), "social/reel", "stills"),
        ([scene(0, 2 * n)[: 96 - n] for n in range(8)], "social", "stills"),
        ([scene(0, 2 * n)[: 96 - n] for n in range(8)], "video/sequence", "stills"),
        ([*frames(6), *((0.9 * scene(7) + n).astype(np.uint8) for n in range(10))], "social", "sequence"),  # a cut
        ([scene(0, 9 * n) for n in range(8)], "social", "sequence"),  # fast
        ([scene(0) for _ in range(6)], "social", "stills"),  # the same again and again
        ([(0.9 * scene(0) + n).astype(np.uint8) for n in (0, 3, 1, 4, 2)], "social", "stills"),  # variants
        ([np.full((96, 128, 3), n, np.uint8) for n in range(8)], "social", "stills"),  # nothing to see
        (frames(2), "social", "stills"),
    ],
)
def test_what_decides(pictures: list[Array], preset: str, kind: str) -> None:
    put("in/f_%04d.png", pictures)
    taken = expand_inputs(["in"], recipe=lambda: gk.load_recipe(preset))
    assert ("stills" if taken.is_series else "sequence") == kind
    assert len(taken.inputs) == (len(pictures) if kind == "stills" else 1)


def test_at_most_four_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    whole = series_or_sequence.read_still

    def counted(path: Path, max_pixels: int) -> Any:
        read.append(path)
        return whole(path, max_pixels)

    monkeypatch.setattr(series_or_sequence, "read_still", counted)
    put("in/f_%04d.png", frames(40))
    assert not expand_inputs(["in"]).is_series
    assert len(read) <= 4


@pytest.mark.parametrize(
    "told",
    [["-o", "out.mp4"], ["-o", "out/g_%03d.png"], ["--frames", "2:6", "-o", "out/"], ["--rate", "25", "-o", "out/"]],
)
def test_what_only_a_sequence_has_says_that_it_is_one(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    put("in/p_%d.png", portraits(6))
    assert finish("in", *told) == 0
    assert "series" not in capsys.readouterr().err
    assert len(list(Path().rglob("*.grainkit.txt"))) == 1


def test_strays_among_frames_are_named_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    put("in/f_%05d.png", frames(16))
    for name in ("thumbnail.jpg", "cover.png"):
        Image.fromarray(scene(5)).resize((40, 30)).save(f"in/{name}")
    assert finish("in", "-o", "out/", "--preset", "video/sequence") == 0
    assert made() == [f"f_{n:05d}.png" for n in range(1, 17)]
    assert "cover.png, thumbnail.jpg are left out: not one of f_00001.png to f_00016.png" in capsys.readouterr().err
    listed = [str(p) for p in sorted(Path("in").iterdir())]
    assert finish(*listed, "-o", "again/", "--preset", "video/sequence") == 0
    assert made("again") == made()
    assert "cover.png, thumbnail.jpg are left out" in capsys.readouterr().err


def test_a_part_of_a_sequence_that_is_listed_stays_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """The pattern would mean the others too."""
    put("in/f_%04d.png", frames(12))
    part = [f"in/f_{n:04d}.png" for n in range(3, 10)]
    assert finish(*part, "-o", "out/") == 0
    assert len(made()) == 7
    assert finish(*part, "-o", "clip/", "--as", "sequence") == 2
    assert "are a part of in/f_%04d.png, which has 12 frames; give the pattern, and --frames" in capsys.readouterr().err
    put("a/f_%04d.png", frames(2))
    assert finish("a/f_0001.png", "in/f_0001.png", "-o", "clip/", "--as", "sequence") == 2
    assert "are no numbered sequence" in capsys.readouterr().err


@pytest.mark.parametrize("pattern", ["in/shot_%04d.png", "in/50%%_%d_v2.png", "in/ComfyUI_%05d_.png"])
def test_frames_keep_their_numbers_digits_and_names(pattern: str) -> None:
    put(pattern, frames(6), first=97)
    names = sorted(p.name for p in Path("in").iterdir())
    assert finish("in", "-o", "out/", "--preset", "video/sequence") == 0
    assert made() == names
    assert finish(pattern, "-o", "again/", "--preset", "video/sequence") == 0
    assert made("again") == names
    assert finish("in", "--preset", "video/sequence") == 0
    assert made("in.video-sequence") == names


def test_frames_are_never_written_over_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    put("in/f_%04d.png", frames(4))
    before = [p.read_bytes() for p in sorted(Path("in").iterdir())]
    assert finish("in", "-o", "in/", "--preset", "video/sequence", "--overwrite") == 2
    assert "it is the input, which is never overwritten" in capsys.readouterr().err
    assert [p.read_bytes() for p in sorted(Path("in").iterdir())] == before


def test_in_python_a_folder_is_one_sequence_or_refused() -> None:
    put("in/f_%04d.png", frames(6))
    put("faces/p_%d.png", portraits(6))
    off = ["skin_texture.strength=0"]
    assert gk.finish("in", "o.mp4", settings=off).kind == "clip"
    assert gk.finish("in", settings=off, preset="video").frames == 6
    with pytest.raises(InputError, match=r"faces: 6 stills .* a series"):
        gk.finish("faces", "out/", settings=off)
    assert gk.finish("faces", "out/", settings=off, as_="sequence").frames == 6
    with pytest.raises(InputError, match="holds 6 stills; finish them one by one"):
        gk.finish("in", "other/", settings=off, as_="stills")
    with pytest.raises(InputError, match="it is one of stills, sequence"):
        gk.finish("in", "other/", settings=off, as_="clip")
    assert not Path("other").exists()


def test_what_was_taken_for_what_is_told_in_a_dry_run_too(capsys: pytest.CaptureFixture[str]) -> None:
    put("in/p_%d.png", portraits(6))
    assert finish("in", "-o", "out/", "--dry-run", "--json") == 0
    told = capsys.readouterr()
    assert "6 stills (p_1.png ...): a series" in told.err
    assert len(json.loads(told.out)["results"]) == 6
    assert not Path("out").exists()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(300, 200, 3), (300, 200), (5, 9, 3), (700, 90, 3)])
def test_thumbnails_of_every_kind(dtype: type, shape: tuple[int, ...]) -> None:
    whole = np.random.default_rng(1).random(shape)
    top = 1.0 if dtype is np.float32 else np.iinfo(dtype).max  # type: ignore[type-var]
    small = thumbnail((whole * top).astype(dtype))
    assert max(small.shape) == SIDE
    assert small.dtype == np.float32
    assert 100 < small.mean() < 155
    assert unlikeness(small, small) < 1e-4


def test_unlikeness_follows_what_moves_and_knows_another_picture() -> None:
    one = thumbnail(scene(1))
    assert unlikeness(one, thumbnail(scene(1, 6))) < 0.2
    assert unlikeness(one, thumbnail(scene(2))) > 0.5
    assert unlikeness(one, thumbnail(scene(2, backdrop=True))) > 0.5
    flat = np.full_like(one, 80)
    assert unlikeness(flat, flat) == 1.0  # nothing to go by


@pytest.mark.slow
def test_neighbours_in_real_clips_are_frames_and_real_portraits_are_none(media: Path) -> None:
    import av

    for path in sorted((media / "clips").glob("*.mp4")):
        with av.open(str(path)) as source:
            shown = [f.to_ndarray(format="rgb24") for _, f in zip(range(30), source.decode(video=0), strict=False)]
        put(f"{path.stem}/f_%04d.png", [cv2.resize(f, None, fx=0.25, fy=0.25) for f in shown])
        assert not expand_inputs([path.stem]).is_series, path.name
    found = []
    for path in sorted([*(media / "ai").iterdir(), *(media / "photos").iterdir()]):
        with Image.open(path) as picture:
            found.append(np.asarray(picture.convert("RGB").resize((256, 320))))
    put("faces/p_%02d.png", found)
    assert expand_inputs(["faces"]).is_series
