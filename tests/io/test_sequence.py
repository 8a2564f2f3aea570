"""Numbered stills: in order, complete, alike, addressed by absolute number; written whole or not at all."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grainkit.errors import EncodingError, GrainkitError, InputError, OutputError
from grainkit.io import open_source, sequence
from grainkit.io.base import StillMetadata
from grainkit.io.decode_still import read_still
from grainkit.io.delivery import StillDelivery
from grainkit.io.encode_still import encode_still
from grainkit.io.sequence import SequenceSink, SequenceSource, numbered_among, parse_pattern, series_files
from grainkit.picture.color import SRGB_STILL
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import planes_from_rgb


def frame(index: int, size: tuple[int, int] = (6, 8), depth: int = 8) -> Frame:
    rgb: Any = np.full((*size, 3), index, np.uint8 if depth == 8 else np.uint16)
    color = replace(SRGB_STILL, depth=depth)
    return Frame(planes_from_rgb(rgb, color), color, index=index, rgb=rgb)


def put(path: Path, index: int, **kind: Any) -> None:
    made = frame(index, **kind)
    path.write_bytes(encode_still(made, StillDelivery("png", made.color.depth), 0, StillMetadata()))


def levels(source: Any) -> list[int]:
    return [int(f.rgb[0, 0, 0]) for f in source]


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """A folder of f_0007.png to f_0018.png, each as bright as its place from 0."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for index in range(12):
        put(folder / f"f_{index + 7:04d}.png", index)
    return folder


@pytest.mark.parametrize("as_folder", [True, False])
def test_frames_come_in_order_with_their_absolute_numbers(shot: Path, as_folder: bool) -> None:
    with open_source(shot if as_folder else shot / "f_%04d.png", rate=Fraction(25)) as source:
        frames = list(source)
    assert levels(frames) == [f.index for f in frames] == [f.pts for f in frames] == list(range(12))
    assert frames[3].seconds == 3 / 25
    assert (source.info.kind, source.info.frames, source.info.rate) == ("sequence", 12, Fraction(25))
    assert (source.info.width, source.info.height, source.info.time_base) == (8, 6, Fraction(1, 25))


def test_a_range_keeps_absolute_numbers(shot: Path) -> None:
    source = SequenceSource(shot, start=4, stop=9)
    frames = list(source)
    assert levels(frames) == [f.index for f in frames] == [4, 5, 6, 7, 8]
    assert source.info.frames == 5
    assert levels(SequenceSource(shot, start=10, stop=99)) == [10, 11]
    with pytest.raises(InputError, match="frames 0 to 11"):
        SequenceSource(shot, start=12)


def test_order_survives_slow_files(shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(path: Path, max_pixels: int) -> Any:
        time.sleep(0.02 if int(path.stem[-4:]) % 2 else 0.0)
        return read_still(path, max_pixels)

    monkeypatch.setattr(sequence, "read_still", slow)
    assert levels(SequenceSource(shot)) == list(range(12))


def test_no_more_is_decoded_than_a_few_frames_ahead(shot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def counted(path: Path, max_pixels: int) -> Any:
        seen.append(path)
        return read_still(path, max_pixels)

    monkeypatch.setattr(sequence, "read_still", counted)
    source = SequenceSource(shot)
    frames = iter(source)
    next(frames)
    time.sleep(0.1)
    assert len(seen) <= 2 + 4 + 1
    source.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("grainkit-decode")]


def test_a_missing_number_is_named(shot: Path) -> None:
    (shot / "f_0011.png").unlink()
    with pytest.raises(InputError, match=r"f_0011\.png: missing from the sequence 7 to 18"):
        open_source(shot / "f_%04d.png")


@pytest.mark.parametrize(("kind", "told"), [({"size": (6, 9)}, "9x6 rgb24"), ({"depth": 16}, "8x6 rgb48le")])
def test_a_file_that_differs_is_named(shot: Path, kind: dict[str, Any], told: str) -> None:
    put(shot / "f_0010.png", 3, **kind)
    with pytest.raises(InputError, match=rf"f_0010\.png: is {told}, but f_0007\.png is 8x6 rgb24"):
        list(open_source(shot))


def test_a_damaged_file_is_named_after_the_frames_before_it(shot: Path) -> None:
    path = shot / "f_0010.png"
    path.write_bytes(path.read_bytes()[:60])
    frames = iter(open_source(shot))
    assert [next(frames).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InputError, match=r"f_0010\.png.*truncated"):
        next(frames)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["a_1.png", "a_2.png", "a_10.png"], "sequence"),
        (["a_001.png", "a_002.png"], "sequence"),
        (["0001.jpg", "0002.jpg"], "sequence"),
        (["s2_0001_v3.exr", "s2_0002_v3.exr"], "sequence"),
        (["a_01.png", "a_2.png"], "series"),
        (["a_1.png", "b_2.png"], "series"),
        (["a_1.png", "a_2.jpg"], "series"),
        (["a_1_1.png", "a_2_2.png"], "series"),
        (["cat.png", "dog.png"], "series"),
        (["a_1.png"], "series"),
        (["a_1.png", "a_2.png", "notes.txt", ".a_9.png"], "sequence"),
        (["a_1.png", "a_2.png", "a_3.png", "cover.png"], "sequence"),
        (["a_1.png", "a_2.png", "cover.png"], "series"),
        (["a_1.png", "a_2.png", "a_3.png", "b_1.png", "b_2.png", "b_3.png"], "series"),
    ],
)
def test_folders_are_told_apart(names: list[str], kind: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    found = numbered_among(series_files(tmp_path))
    assert ("series" if found is None else "sequence") == kind
    stills = [n for n in names if not n.startswith(".") and not n.endswith(".txt")]
    assert [p.name for p in series_files(tmp_path)] == stills


def test_folders_without_a_sequence_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no stills"):
        open_source(tmp_path)
    (tmp_path / "cat.png").touch()
    (tmp_path / "dog.png").touch()
    with pytest.raises(InputError, match="no numbered sequence"):
        open_source(tmp_path)
    with pytest.raises(InputError, match="no file has such a name"):
        open_source(tmp_path / "f_%03d.png")
    with pytest.raises(InputError, match="no such folder"):
        open_source(tmp_path / "gone" / "f_%03d.png")


@given(st.text("ab%_.1", max_size=6), st.integers(0, 6), st.text("ab%_.", max_size=6), st.integers(0, 10**6))
def test_patterns_name_what_printf_names(before: str, digits: int, after: str, number: int) -> None:
    field = f"%0{digits}d" if digits else "%d"
    text = before.replace("%", "%%") + field + after.replace("%", "%%")
    found = parse_pattern("folder/" + text)
    assert found is not None
    assert found.path(number) == Path("folder") / (text % number)


@pytest.mark.parametrize("text", ["plain.png", "%s.png", "%d_%d.png", "100%.png", "%%d.png", f"%{'9' * 5000}d"])
def test_what_is_no_pattern(text: str) -> None:
    assert parse_pattern(text) is None
    if "%" in text:
        with pytest.raises(OutputError, match="f_%05d"):
            SequenceSink(text, delivery=StillDelivery())


def fill(sink: SequenceSink, indices: range) -> None:
    for index in indices:
        sink.write(frame(index))


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    sink = SequenceSink(tmp_path / "out", delivery=StillDelivery())
    fill(sink, range(20))
    assert not (tmp_path / "out").exists()
    sink.commit()
    sink.abort()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"out_{i:06d}.png" for i in range(20)]
    assert levels(open_source(tmp_path / "out")) == list(range(20))


def test_a_pattern_in_a_folder_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keep.txt").touch()
    sink = SequenceSink("f_%03d.png", delivery=StillDelivery(), first_number=100)
    fill(sink, range(5, 8))
    sink.commit()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f_105.png", "f_106.png", "f_107.png", "keep.txt"]
    assert levels(open_source("f_%03d.png")) == [5, 6, 7]


def test_abort_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    sink = SequenceSink(tmp_path / "out" / "f_%03d.png", delivery=StillDelivery())
    fill(sink, range(10))
    sink.abort()
    sink.abort()
    assert [p.name for p in tmp_path.rglob("*")] == ["out"]
    assert not [t for t in threading.enumerate() if t.name.startswith("grainkit-encode")]


def test_an_error_in_a_thread_surfaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(frame: Frame, *rest: Any) -> bytes:
        if frame.index == 3:
            raise EncodingError("no")
        return encode_still(frame, *rest)

    monkeypatch.setattr(sequence, "encode_still", failing)
    sink = SequenceSink(tmp_path / "late", delivery=StillDelivery())
    fill(sink, range(4))
    with pytest.raises(EncodingError):
        sink.commit()
    sink.abort()
    sink = SequenceSink(tmp_path / "soon", delivery=StillDelivery())
    with pytest.raises(EncodingError):
        fill(sink, range(40))
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_at_most_workers_and_two_frames_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, entered = threading.Event(), []

    def held(frame: Frame, *rest: Any) -> bytes:
        gate.wait(10)
        return encode_still(frame, *rest)

    monkeypatch.setattr(sequence, "encode_still", held)
    sink = SequenceSink(tmp_path / "out", delivery=StillDelivery(), workers=2)

    def write_all() -> None:
        for index in range(10):
            entered.append(index)
            sink.write(frame(index))

    writer = threading.Thread(target=write_all)
    writer.start()
    time.sleep(0.2)
    assert len(entered) <= 2 + 2
    gate.set()
    writer.join()
    sink.commit()
    assert len(list((tmp_path / "out").iterdir())) == 10


def test_mistakes_of_the_caller(tmp_path: Path) -> None:
    sink = SequenceSink(tmp_path / "out", delivery=StillDelivery())
    sink.write(frame(1))
    with pytest.raises(GrainkitError, match=re.escape("out_000001.png")):
        sink.write(frame(1))
    sink.abort()
    empty = SequenceSink(tmp_path / "empty", delivery=StillDelivery())
    with pytest.raises(GrainkitError, match="no frame was written"):
        empty.commit()
    empty.abort()
    with pytest.raises(OutputError, match="folder does not exist"):
        SequenceSink(tmp_path / "no" / "such" / "f_%d.png", delivery=StillDelivery())
    assert list(tmp_path.iterdir()) == []
