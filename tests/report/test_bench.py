"""`grainkit bench`: what it tells, not how fast."""

import json

import pytest

from grainkit.errors import InputError
from grainkit.hosts.cli import command as cli
from grainkit.report import bench

STAGES = ["pass 64x48 8 bit", "pass 64x48 10 bit", "decode 64x48 8 bit", "analyse, no face 64x48 8 bit",
          "encode x264 medium 64x48 8 bit"]  # fmt: skip


@pytest.fixture
def kept(tmp_path, capsys):
    assert cli.main(["bench", "--backend", "cpu", "--size", "64x48", "--frames", "2", "--json"]) == 0
    path = tmp_path / "a.json"
    path.write_text(capsys.readouterr().out)
    return path


def test_a_result_names_its_machine_and_has_every_stage(kept):
    about, rows = bench.load(kept)
    assert about["backend"].startswith("cpu (")
    assert [r.name for r in rows] == STAGES
    for row in rows:
        assert 0 < row.low <= row.ms <= row.high
        assert row.share == 0
    # 4:2:0 read and written: 3 bytes a pixel in 8 bits, 6 in 10.
    assert [r.bytes_per_pixel for r in rows[:2]] == [3, 6]


def test_two_results_are_set_side_by_side(kept, tmp_path, capsys):
    result = json.loads(kept.read_text())
    for row in result["rows"]:
        row["ms"] /= 2
    faster = tmp_path / "b.json"
    faster.write_text(json.dumps(result))
    assert cli.main(["bench", "--compare", str(kept), str(faster)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(STAGES)
    assert all(line.endswith("2.00x") for line in lines[1:])


def test_a_person_gets_a_line_a_stage(capsys):
    assert cli.main(["bench", "--backend", "cpu", "--size", "64x48", "--frames", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(STAGES)
    assert "fps" in lines[1]
    assert "3.00 B/px" in lines[1]


WORDS = {"stage": "x", "size": [16, 16], "depth": 8, "ms": "soon", "low": 1, "high": 1, "cpu_ms": 1}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"rows": [{}], "machine": {}}', '{"rows": 3}', "[" * 100_000,
        json.dumps({"rows": [WORDS], "machine": {"backend": "cpu"}}), '{"rows": [], "machine": 3}',
    ],
)  # fmt: skip
def test_another_file_is_refused(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError, match="no result of"):
        bench.load(path)
    with pytest.raises(InputError, match="cannot read"):
        bench.load(tmp_path / "nothing.json")


@pytest.mark.parametrize("words", [["--size", "big"], ["--size", "8x8"], ["--frames", "0"], ["--backend", "gpu"]])
def test_bad_words_end_in_one_line(words, capsys):
    assert cli.main(["bench", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
