"""filmgrn1 tables: what is written reads back, here and in libaom, and what is wrong is said with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from grainkit.effects.grain.av1.film_grain import FilmGrain
from grainkit.effects.grain.av1.table import read_table, table_text
from grainkit.errors import InputError
from tests.av1_streams import GRAIN as ANY_GRAIN
from tests.av1_streams import encode, trace

GRAIN = replace(ANY_GRAIN, cr_mix=(130, 190, 250))
SMALL = FilmGrain(((0, 90),), (), (), 9, 0, (), (0,), (0,), 6, 0, overlap=False)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "grain.tbl"
    path.write_text(text)
    return path


@pytest.mark.parametrize("grain", [GRAIN, SMALL])
def test_what_is_written_reads_back(grain, tmp_path):
    table = read_table(written(tmp_path, table_text(grain, 99)), clip=True)
    assert table.at(0.0) == table.at(1e6) == grain


def test_a_table_says_nothing_of_the_range(tmp_path):
    path = written(tmp_path, table_text(GRAIN, 1))
    assert read_table(path, clip=False).at(0.0) == replace(GRAIN, clip=False)


def test_libaom_reads_the_same_parameters_from_it(tmp_path):
    path = written(tmp_path, table_text(GRAIN, 4321))
    options = ["-cpu-used", "8", "-aom-params", f"film-grain-table={path}"]
    encode(tmp_path / "clip.mkv", "libaom-av1", *options, source="testsrc2=size=192x112:rate=24", frames=3)
    headers = [h for h in trace(tmp_path / "clip.mkv") if "num_y_points" in h]
    assert headers
    for header in headers:
        for name, points in (("y", GRAIN.luma_points), ("cb", GRAIN.cb_points), ("cr", GRAIN.cr_points)):
            found = [(header[f"point_{name}_value[{i}]"], header[f"point_{name}_scaling[{i}]"])
                     for i in range(header[f"num_{name}_points"])]  # fmt: skip
            assert tuple(found) == points
        for name, wanted in (("y", GRAIN.luma_coefficients), ("cr", GRAIN.cr_coefficients)):
            assert tuple(header[f"ar_coeffs_{name}_plus_128[{i}]"] - 128 for i in range(len(wanted))) == wanted
        assert (header["grain_scaling_minus_8"], header["ar_coeff_shift_minus_6"]) == (2, 2)
        assert (header["grain_scale_shift"], header["overlap_flag"]) == (1, 1)
        assert tuple(header[f"cr_{n}"] for n in ("mult", "luma_mult", "offset")) == GRAIN.cr_mix


def test_entries_take_turns(tmp_path):
    head, first, *body = table_text(GRAIN, 1).splitlines()
    body_of_small = table_text(SMALL, 1).splitlines()[2:]
    lines = [
        head, first.replace("E 0 9223372036854775807", "E 0 10000000"), *body, "E 10000000 20000000 0 7 0",
        "E 20000000 30000000 1 8 1", *body_of_small, "E 30000000 40000000 1 9 0",
    ]  # fmt: skip
    table = read_table(written(tmp_path, "\n".join(lines)), clip=True)
    assert [table.at(s) for s in (0.0, 0.99, 1.0, 1.5, 2.0, 3.5, 4.0)] == [
        GRAIN, GRAIN, None, None, SMALL, SMALL, None,
    ]  # fmt: skip
    # 23.976 fps: frame 24 is shown at 1.001 s, frame 48 at 2.002.
    assert table.at(24 * 1001 / 24000) is None
    assert table.at(48 * 1001 / 24000) == SMALL


GOOD = table_text(GRAIN, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 0: a film grain table begins with a line 'filmgrn1'"),
        ("filmgrn2\n", "line 1: a film grain table begins with"),
        ("filmgrn1\n", "the table has no entry"),
        ("filmgrn1\nE 0 1 1\n", "line 2: an entry is E, start, end, apply, seed and update"),
        ("filmgrn1\nE 0 1 1 1 1\n", "parameters end before p"),
        (GOOD.replace("\tp 3", "\tq 3"), "line 3: 'q' stands where p should"),
        (GOOD.replace("\tp 3", "\tp"), "p holds twelve numbers"),
        (GOOD.replace("\tp 3 8", "\tp 3 12"), "coefficient shift 12 is outside 6 to 9"),
        (GOOD.replace("sY 4", "sY 3"), "points are their count, then value and scaling of each"),
        (GOOD.replace("cY -12", "cY x"), "line 7: cY holds something else than whole numbers"),
        (GOOD.replace("cY -12", "cY -129"), "luma coefficient is outside -128 to 127"),
        (GOOD.replace("sCb 2", "sCb -2"), "points are their count"),
        ("\x00\xff\xfe", "begins with a line"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, said, tmp_path):
    path = tmp_path / "grain.tbl"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"grain\.tbl") as caught:
        read_table(path, clip=True)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot read the grain table"):
        read_table(tmp_path / "none.tbl", clip=True)
