"""`grainkit doctor --selfcheck`: the proof on a user's card, here on the stand-in."""

from __future__ import annotations

import json

import pytest

from grainkit.backends import open_backend
from grainkit.backends.cuda_pass import variant
from grainkit.effects.base import Context, pass_tables
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.hosts.cli import command as cli
from grainkit.report import bench, doctor, selfcheck
from tests.cudacheck.faults import faulty
from tests.cudacheck.host import HostKernel
from tests.cudacheck.stand_in import stand_in

FEW = [c for c in selfcheck.CASES if str(c) in ("4:2:0 8 bit", "4:4:4 float", "4:2:0 8 bit, graded")]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(selfcheck, "CASES", FEW)
    monkeypatch.setattr(selfcheck, "SIZE", (135, 41))
    monkeypatch.setattr(selfcheck, "RESIZED", (8,))


def test_every_kernel_there_is_is_checked(monkeypatch):
    monkeypatch.undo()
    kernels = {
        variant(plane, pass_tables((HighlightGuard(), CinemaGrain()), Context(c.source, c.target, 8, 8)))
        for c in selfcheck.CASES
        for plane in ("luma", "chroma")
    }  # fmt: skip
    # Integer to integer: 2 x 2 sample types, float to 3; chroma of each in 3 samplings.
    assert len(kernels) == (4 + 3) * (1 + 3)


def test_a_card_that_gives_the_cpus_bits_passes(card, capsys):
    found = doctor.selfcheck()
    resized = [f"selfcheck 4:2:0 8 bit to float resized to {size}" for size in ("90x27", "176x53", "90x27 with alpha")]
    assert [f.what for f in found] == [
        "selfcheck 4:2:0 8 bit", "selfcheck 4:4:4 float", "selfcheck 4:2:0 8 bit, graded", *resized
    ]  # fmt: skip
    assert all(f.works and "the CPU's bits" in f.detail and not f.remedy for f in found)
    assert cli.main(["doctor", "--selfcheck", "--json"]) == 0
    assert "selfcheck 4:4:4 float" in [f["what"] for f in json.loads(capsys.readouterr().out)["findings"]]


@pytest.mark.slow
def test_a_card_that_does_not_is_named_with_how_far_it_is_off(card, install, capsys):
    install(stand_in(faulty(HostKernel, "swapped argument")))
    found = doctor.selfcheck()
    assert [f.works for f in found] == [False, False, False, True, True, True]
    assert "samples differ, by up to" in found[0].detail
    assert "Stand-in" in found[0].remedy
    assert cli.main(["doctor", "--selfcheck"]) == 1
    assert "no  selfcheck 4:2:0 8 bit" in capsys.readouterr().out


def test_without_a_card_it_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    assert cli.main(["doctor", "--selfcheck"]) == 1
    assert "pip install 'grainkit[cuda13]'" in capsys.readouterr().out


def test_bench_tells_what_copies_and_kernels_take_on_a_card(card, monkeypatch, capsys):
    monkeypatch.setattr("grainkit.backends.cuda.CudaBackend.copy_rate", lambda self: 1e9)
    rows = [r for r in bench.measure(open_backend("cuda"), [(64, 48)], 2, stages=(64, 48)) if r.depth == 8]
    assert [r.stage for r in rows][:4] == ["pass", "upload", "kernels", "download"]
    assert [r.bytes_per_pixel for r in rows][:4] == [3, 1.5, 3, 1.5]
    kernels = rows[2]
    assert kernels.share == pytest.approx(3 * 64 * 48 / (kernels.ms / 1000) / 1e9)


def test_the_cards_own_copying_is_measured_with_memory_on_it(card):
    assert open_backend("cuda").copy_rate(1 << 16, rounds=2) > 0
    assert card.log.count("copy") == 2
