"""What a sidecar promises: it replays, it repeats, it appears whole, and it tells no folders."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from grainkit.effects import EFFECTS
from grainkit.errors import InputError, OutputError
from grainkit.job.sidecar import (
    Found,
    Touched,
    job_report,
    sha256_file,
    sha256_files,
    sidecar_path,
    sidecar_text,
    versions,
    write_sidecar,
)
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.recipe import fingerprint


def report(recipe=None, **changes):
    given = {
        "kind": "clip",
        "backend": "cpu",
        "input": {
            "name": "/home/someone/in.mp4",
            "sha256": "0" * 64,
            "size": (720, 1280),
            "kind": "clip",
            "frames": 48,
        },
        "output": {"name": "C:\\out\\out.mp4", "sha256": "1e5" + "0" * 61, "frames": 48, "size": (720, 1280)},
        "notes": ["rotation of 90 degrees baked in"],
        "found": Found(measured={"rho": np.float32(0.5), "frames": np.int64(3), "rounds": ({"share": 1e-5},)}),
    }
    return job_report(recipe or load_recipe("social/reel"), **{**given, **changes})


def test_it_replays(tmp_path):
    recipe = override(load_recipe("social/reel"), ["seed=4294967295", "cinema_grain.size=1.7"])
    path = tmp_path / "out.mp4.grainkit.txt"
    write_sidecar(path, report(recipe))
    assert load_recipe(path) == recipe


def test_it_is_yaml_that_says_what_the_report_says():
    made = report()
    read = yaml.safe_load(sidecar_text(made))
    assert read == made
    assert list(read) == [
        "grainkit", "made_by", "backend", "seed", "source_profile", "options", "input", "output", "applied", "light",
        "focal_length",
        "touched", "notes", "digital_source_type", "measured", "versions", "fingerprint", "job", "recipe",
    ]  # fmt: skip
    assert read["measured"] == {"rho": 0.5, "frames": 3, "rounds": [{"share": 1e-5}]}
    assert read["output"]["sha256"] == "1e5" + "0" * 61
    assert read["fingerprint"] == fingerprint(load_recipe("social/reel"))
    assert set(read["versions"]) == {"python", "numpy", "numba", "av", "opencv"}
    assert all(versions().values())


def test_the_same_job_gives_the_same_text_and_no_folders():
    assert sidecar_text(report()) == sidecar_text(report())
    text = sidecar_text(report())
    assert "/home" not in text
    assert "C:" not in text
    assert (report()["input"]["name"], report()["output"]["name"]) == ("in.mp4", "out.mp4")


def test_a_person_reads_what_was_done_first():
    recipe = override(load_recipe("social/reel"), ["highlight_guard.strength=0"])
    text = sidecar_text(
        report(
            recipe,
            found=Found(light="from upper left", source_profile="flux"),
            touched=Touched(upscaled=True, generated=["cinema_grain"]),
        )
    )
    head, _, body = text.partition("\n\n")
    assert all(line.startswith("# ") for line in head.splitlines())
    assert "made out.mp4 from in.mp4 with the recipe social/reel, seed 0." in head
    assert "# Highlight guard: off." in head
    assert "strength 0.5 codes of 255" in head  # the clip's own amount, not the still's
    assert "# Source: declared as flux." in head
    assert "# Light: from upper left." in head
    assert "# Focal length: not estimated." in head
    assert "# Generated: cinema grain. Retouched: skin texture. Upscaled: yes." in head
    assert "undeclared" in head
    assert "grainkit finish in.mp4 --recipe out.mp4.grainkit.txt" in head
    assert body.startswith("grainkit: 1\n")


def test_the_command_that_makes_it_again_has_every_option():
    text = sidecar_text(report(options=["--frames", "10:20"]))
    assert "grainkit finish in.mp4 --recipe out.mp4.grainkit.txt --frames 10:20" in text


def test_applied_is_the_kinds_own():
    still, clip = (report(kind=kind)["applied"]["cinema_grain"]["strength"] for kind in ("still", "clip"))
    assert (still, clip) == (2.0, 0.5)


@pytest.mark.parametrize("name", ["a\nseed: 3", "a\u2028b", "\udcff.png", "a: b #c", "- x", "'\"", "no", "1e5", "😀"])
def test_no_name_breaks_out_of_its_place(name):
    made = report(input={"name": name}, notes=[name])
    text = sidecar_text(made)
    assert yaml.safe_load(text.encode()) == made
    assert text.partition("\n\n")[0].count("\n#") == 7 + len(EFFECTS)


def test_it_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.png.grainkit.txt"
    write_sidecar(path, report())
    before = path.read_bytes()
    write_sidecar(path, report())
    assert path.read_bytes() == before == sidecar_text(report()).encode()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(OutputError, match="folder does not exist"):
        write_sidecar(tmp_path / "gone" / "x.grainkit.txt", report())


@pytest.mark.parametrize(
    ("output", "sidecar"),
    [
        ("a/out.mp4", "a/out.mp4.grainkit.txt"),
        ("a/frames/", "a/frames.grainkit.txt"),
        ("a/f_%05d.png", "a/f.png.grainkit.txt"),
        ("a/f%d.tif", "a/f.tif.grainkit.txt"),
        ("a/%04d.exr", "a/frames.exr.grainkit.txt"),
        ("a/50%%_%04d.png", "a/50%.png.grainkit.txt"),
        ("a/50%%.png", "a/50%%.png.grainkit.txt"),
        ("a/.hidden.png", "a/.hidden.png.grainkit.txt"),
    ],
)
def test_it_lies_beside_the_output(output, sidecar):
    assert sidecar_path(Path(output)) == Path(sidecar)


def test_the_folder_one_stands_in_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "shots").mkdir()
    monkeypatch.chdir(tmp_path / "shots")
    assert sidecar_path(Path(".")) == tmp_path / "shots.grainkit.txt"


def test_digests(tmp_path):
    for name, data in (("a", b"one"), ("b", b"two")):
        (tmp_path / name).write_bytes(data)
    one, two = (hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
    assert sha256_file(tmp_path / "a") == one
    assert sha256_files([tmp_path / "a"]) == one
    listed = f"{one}  a\n{two}  b\n".encode()
    assert sha256_files([tmp_path / "a", tmp_path / "b"]) == hashlib.sha256(listed).hexdigest()
    with pytest.raises(InputError, match=r"cannot read .*gone"):
        sha256_file(tmp_path / "gone")
