"""Same recipe and seed, same bits: kept digests hold, in other processes and however the work is divided."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import grainkit as gk
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.io.base import SourceInfo
from grainkit.picture.color import Color
from grainkit.recipe.overrides import override
from tests import goldens
from tests.drawn import clip
from tests.goldens import EXACT, SAMPLES, Case, digest, drawn_clip, finished, golden
from tests.passes import run

ROOT = Path(__file__).resolve().parents[2]
MADE_ON, KEPT = goldens.read_lock()
RELOCK = "if a look is meant to change, run scripts/relock-pictures and say so in the commit"


def test_every_picture_is_kept_and_none_else():
    assert {section: list(found) for section, found in KEPT.items()} == {
        "exact": [case.name for case in EXACT],
        "samples": [case.name for case in SAMPLES],
    }


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case.name)
def test_integer_pictures_have_the_bits_that_are_kept_on_any_machine(case: Case):
    found, kept = golden(case), KEPT["exact"][case.name]
    assert found.drawn == kept.drawn, "what goes in has changed"
    assert found.finished == kept.finished, RELOCK


@pytest.mark.slow
@pytest.mark.parametrize("case", SAMPLES, ids=lambda case: case.name)
def test_the_samples_look_as_they_are_kept_and_on_one_machine_have_the_same_bits(case: Case):
    found, kept = golden(case), KEPT["samples"][case.name]
    np.testing.assert_allclose(found.blocks, kept.blocks, atol=goldens.TOLERANCE, rtol=0, err_msg=RELOCK)
    if goldens.machine() == MADE_ON:
        assert (found.drawn, found.finished) == (kept.drawn, kept.finished), RELOCK


def test_a_digest_sees_types_shapes_and_every_sample():
    plane = np.arange(12, dtype=np.uint16).reshape(3, 4)
    other = plane.copy()
    other[2, 3] ^= 1
    others = (plane.astype(np.uint8), plane.reshape(4, 3), plane[:, ::-1], other)
    assert len({digest([[p]]) for p in (plane, *others)}) == 5
    assert digest([[plane.astype(">u2")]]) == digest([[np.asfortranarray(plane)]]) == digest([[plane]])


@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("case", [EXACT[0], EXACT[2], EXACT[4]], ids=lambda case: case.name)
def test_the_number_of_threads_changes_no_bit(case: Case, workers: int):
    assert digest(finished(case, workers)) == KEPT["exact"][case.name].finished


def test_a_clip_in_pieces_is_the_clip(tmp_path):
    path = clip(tmp_path / "c.nut", frames=7)
    recipe = override(gk.load_recipe("social/reel"), ["skin_texture.strength=0", "cinema_grain.strength=4"])

    def rendered(start: int, stop: int | None) -> list[str]:
        with gk.open_source(path, start=start, stop=stop) as source, gk.Finisher(recipe) as finisher:
            return [digest([frame.planes]) for frame in finisher.stream(source)]

    whole = rendered(0, None)
    assert len(set(whole)) == 7
    assert rendered(0, 3) + rendered(3, 4) + rendered(4, 7) == whole


@pytest.mark.slow
def test_texture_of_a_part_of_a_clip_is_that_of_the_whole():
    given = list(drawn_clip(8)())
    info = SourceInfo("clip", None, "clip", given[0].width, given[0].height, given[0].color, rate=Fraction(24))
    recipe = gk.load_recipe("social/reel")

    def rendered(first: int) -> list[str]:
        with gk.Finisher(recipe) as finisher:
            return [digest([frame.planes]) for frame in finisher.frames(given, info, first=first)]

    assert rendered(1) == rendered(0)[1:]


def luma_pass() -> str:
    """Grain and highlight protection on luma alone: a quarter of what there is to compile."""
    plane = goldens.pattern(211, 301, 8)
    return digest([run((plane,), Color(), CinemaGrain(strength=5.0), HighlightGuard(knee=0.7))])


@pytest.mark.slow
def test_another_process_that_compiles_afresh_for_a_plain_processor_gives_the_same_bits(tmp_path):
    """Once with numba's cache empty and once with what that left; `generic` leaves out the wide vectors of this one."""
    code = "from tests.house.test_goldens import luma_pass; print(luma_pass())"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_CPU_NAME": "generic"}
    environment["PYTHONPATH"] = str(ROOT / "tests")
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == luma_pass()
        assert list(tmp_path.rglob("*.nbi"))
