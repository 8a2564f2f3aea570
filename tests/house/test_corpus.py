"""Forty files of benchmarks/corpus.py, and that what judges them sees what is wrong."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import grainkit as gk
from benchmarks import _corpus_judge as judging
from benchmarks import corpus
from benchmarks._corpus_case import Case, Picture, Refused, Right, Sketch
from benchmarks._corpus_judge import Finding, judge

pytestmark = pytest.mark.slow

SKETCHES = {f"{sketch.kind}/{sketch.name}": sketch for sketch in corpus.sketches()}
#: Small files, of each kind some that were once wrong and some that are rare.
CHOSEN = (
    "png/palette2-adam7", "png/grey16-trns", "png/rgb-alpha16-adam7", "png/raw-exif-packed-6", "png/xmp-7",
    "png/cicp-pq-8bit", "png/cicp-p3-jpg", "png/apng-1", "png/apng-3", "png/c2pa", "png/texts-iTXt-jpg",
    "png/crc-idat", "png/huge", "png/named-mp4",
    "jpeg/420-progressive-17x11", "jpeg/exif-5", "jpeg/rgb-coded-adobe", "jpeg/cmyk", "jpeg/mpo", "jpeg/gain-map",
    "webp/lossless-alpha", "webp/exif-6",
    "tiff/matrix-00", "tiff/matrix-01", "tiff/matrix-13", "tiff/matrix-51", "tiff/rgb-12bit", "tiff/jpeg-420-tiles",
    "tiff/group4-white-is-zero", "tiff/extra-five", "tiff/loop",
    "exr/luminance-alpha", "exr/window",
    "clip/ffv1-yuva422p10le", "clip/turned-90-mov", "clip/times-vfr-mp4", "clip/edit-list-both", "clip/truncated",
    "clip/fields-libx264-tff-video-nut", "clip/alpha-vpx-vp9-webm", "clip/two-pictures",
    "y4m/422p10", "y4m/fields-Ib", "sequence/sizes", "sequence/comfyui", "name/newline", "name/not-utf8",
    "foreign/html-named-png", "foreign/lfs-pointer-named-png", "foreign/fifo",
)  # fmt: skip


@pytest.mark.parametrize("name", CHOSEN)
def test_a_file_ends_in_right_pixels_or_one_clear_line(name, tmp_path):
    case = SKETCHES[name].case(tmp_path, 0)
    outcome, findings = judge(case)
    assert [(each.what, each.said) for each in findings] == []
    assert outcome == "refused" or isinstance(case.expects, Right)


def test_more_than_300_files_are_drawn_each_by_a_name_of_its_own():
    drawn = list(corpus.sketches())
    assert len(drawn) == len(SKETCHES) > 300
    assert {sketch.kind for sketch in drawn} == {
        "png", "jpeg", "webp", "tiff", "exr", "clip", "y4m", "sequence", "name", "foreign",
    }  # fmt: skip


def test_a_seed_draws_the_same_file_and_another_seed_another(tmp_path):
    sketch = SKETCHES["tiff/matrix-07"]
    files = [(sketch.case(tmp_path / str(n), seed).folder / "a.tif").read_bytes() for n, seed in enumerate((3, 3, 4))]
    assert files[0] == files[1] != files[2]


# ------------------------------------------------------------------------------------------- what judges


def _grey(tmp_path: Path) -> Case:
    case = SKETCHES["png/grey8"].case(tmp_path, 0)
    assert isinstance(case.expects, Right)
    return case


def _found(case: Case) -> set[str]:
    return {each.what for each in judge(case)[1]}


def test_other_pixels_are_seen(tmp_path):
    case = _grey(tmp_path)
    wanted = case.expects.pictures[0].planes[0].copy()
    wanted[-1, -1] ^= 1
    assert _found(replace(case, expects=Right((Picture((wanted,)),)))) == {"wrong"}
    assert _found(replace(case, expects=Right((Picture((wanted.astype(np.uint16),)),)))) == {"wrong"}
    assert _found(replace(case, expects=Right((Picture((wanted[1:],)),)))) == {"wrong"}
    assert _found(replace(case, expects=Right(case.expects.pictures, meaning={"primaries": 9}))) == {"wrong"}
    assert _found(replace(case, expects=Refused("damaged"))) == {"wrong"}


def test_what_is_left_behind_without_a_note_is_seen(tmp_path):
    case = _grey(tmp_path)
    assert _found(replace(case, expects=replace(case.expects, notes=("second picture",)))) == {"silent"}


def test_a_refusal_for_another_reason_is_seen(tmp_path):
    case = SKETCHES["png/truncated"].case(tmp_path, 0)
    assert _found(case) == set()
    assert _found(replace(case, expects=Refused("is a CMYK JPEG"))) == {"wrong"}


def test_noise_a_stray_error_and_a_file_left_behind_are_seen(tmp_path, monkeypatch):
    case = _grey(tmp_path)
    real = gk.open_source

    def noisy(*given, **more):
        os.write(2, b"libwhatever: warning\n")
        return real(*given, **more)

    monkeypatch.setattr(judging.gk, "open_source", noisy)
    assert _found(case) == {"noise"}

    def broken(*given, **more):
        raise IndexError("list index out of range")

    monkeypatch.setattr(judging.gk, "open_source", broken)
    assert _found(case) == {"crash"}
    monkeypatch.setattr(judging.gk, "open_source", real)

    def littering(words):
        Path(words[words.index("-o") + 1]).with_name("half.png").write_bytes(b"x")
        print(f"grainkit: {case.input}: no", file=sys.stderr)
        return 2

    monkeypatch.setattr(judging.cli, "main", littering)
    said = " ".join(each.said for each in judge(case)[1])
    assert "left half.png behind" in said
    assert "not delivered" in said


def test_a_changed_input_is_seen(tmp_path, monkeypatch):
    case = _grey(tmp_path)
    real = judging.cli.main

    def careless(words):
        status = real(words)
        (case.folder / case.input).write_bytes(b"gone")
        return status

    monkeypatch.setattr(judging.cli, "main", careless)
    assert any("changed its input" in each.said for each in judge(case)[1])


class _Ends:
    """A case whose judging ends the process, or takes for ever."""

    def __init__(self, work, argument):
        self.how = (work, (argument,))

    def __reduce__(self):
        return self.how


def test_a_process_that_ends_or_hangs_is_one_finding_and_not_the_end(tmp_path, monkeypatch):
    from time import sleep

    watched = corpus.Watched(60.0)
    try:
        assert watched.judged(_Ends(os._exit, 3)) == ("right", [Finding("crash", "the process ended with 3")])
        monkeypatch.setattr(corpus, "FIRST_LIMIT", 0.2)
        watched._limit = 0.2
        assert watched.judged(_Ends(sleep, 60.0))[1][0].what == "hang"
    finally:
        watched.close()


def test_the_command_counts_by_kind_and_names_what_it_found(tmp_path, monkeypatch, capsys):
    good, bad = SKETCHES["png/grey8"], SKETCHES["png/truncated"]
    wrong = Sketch("png", "wrong", lambda folder, rng: replace(bad.draw(folder, rng), expects=Refused("is a poem")))
    monkeypatch.setattr(corpus, "sketches", lambda: iter((good, bad, wrong)))
    monkeypatch.setattr(corpus, "Watched", _Here)
    assert corpus.main([]) == 1
    said = capsys.readouterr().out
    assert "| png | 3 | 1 | 1 | 1 | 0 | 0 | 0 |" in said
    assert "png/wrong: wrong: refused in words without 'is a poem'" in said
    assert corpus.main(["--only", "png/grey8"]) == 0


def test_a_file_that_cannot_be_drawn_is_a_finding_and_not_the_end(monkeypatch, capsys):
    def undrawn(folder, rng):
        raise RuntimeError("no such encoder")

    monkeypatch.setattr(corpus, "sketches", lambda: iter((Sketch("png", "undrawn", undrawn), SKETCHES["png/grey8"])))
    monkeypatch.setattr(corpus, "Watched", _Here)
    assert corpus.main([]) == 1
    said = capsys.readouterr().out
    assert "png/undrawn: wrong: cannot be drawn: RuntimeError: no such encoder" in said
    assert "| png | 2 | 1 | 0 | 1 | 0 | 0 | 0 |" in said


class _Here:
    """Judges in this process."""

    def __init__(self, limit):
        pass

    def judged(self, case):
        return corpus.judge_own(case) if isinstance(case, corpus.Own) else judge(case)

    def close(self):
        pass


def test_files_of_ones_own_are_compared_with_another_reader(tmp_path, monkeypatch, capsys):
    for name in ("png/grey8", "tiff/icc", "foreign/random-named-png"):
        case = SKETCHES[name].case(tmp_path / "drawn", 0)
        (case.folder / case.input).rename(tmp_path / f"{name.replace('/', '-')}{Path(case.input).suffix}")
    for folder in (tmp_path / "drawn").iterdir():
        folder.rmdir()
    monkeypatch.setattr(corpus, "Watched", _Here)
    assert corpus.main(["--folder", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "png-grey8.png: read: as Pillow reads it" in said
    assert "tiff-icc.tif: read: as tifffile reads it" in said
    assert "foreign-random-named-png.png: refused: " in said
    from benchmarks import _corpus_own

    monkeypatch.setattr(_corpus_own, "read_by_others", lambda path: ("nobody else", Picture((np.zeros((2, 2), "u1"),))))
    assert corpus.main(["--folder", str(tmp_path), "--only", "png-*"]) == 1
    assert "different: nobody else has it otherwise" in capsys.readouterr().out
