"""What a trial of a clip knows before anything is encoded, and what it learns."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

import grainkit as gk
from grainkit.adapt.trial import ClipTrial
from grainkit.backends import open_backend
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.effects.highlights.parameters import HighlightGuard
from grainkit.finishing.planning import make_plan
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import load_recipe
from grainkit.recipe.targets import Proxy

SMALL = Proxy(codec="vp9", crf=30, width=144, height=256)


@pytest.fixture(scope="module")
def trial(samples):
    recipe = override(load_recipe("social"), ["skin_texture.strength=0"])
    with gk.open_source(samples / "clip.mp4") as source:
        frames = list(islice(source, 5))
        plan = make_plan(source.info, recipe, Path("o.mp4"))
    backend = open_backend("cpu")
    with ThreadPoolExecutor(1) as threads:
        yield ClipTrial(plan, [frames], (SMALL,), backend, threads), plan.recipe
    backend.close()


@pytest.mark.parametrize(("knee", "ceiling"), [(0.9, 0.98), (0.82, 0.94)])
def test_the_light_that_a_shoulder_takes_is_known_beforehand(trial, knee, ceiling):
    tried, recipe = trial
    guard = replace(recipe.effect(HighlightGuard), knee=knee, ceiling=ceiling)
    off = replace(recipe.effect(CinemaGrain), strength=0.0)
    measured = tried.tried(recipe.with_effect(guard, off)).outcomes[0].measures
    assert measured.luma_given_up > 0.5
    assert tried.given_up(guard) == pytest.approx(measured.luma_given_up, rel=0.05)
    assert tried.given_up(replace(guard, strength=0.0)) == 0.0


def test_a_codec_that_tells_no_qp_is_predicted_once_it_was_tried(trial):
    tried, recipe = trial
    again = tried.among((SMALL,))
    strong = replace(recipe.effect(CinemaGrain), strength=6.0, size=3.0)
    locked = replace(strong, carrier="locked")
    assert again.predicted(strong) is None
    kept = again.tried(recipe.with_effect(strong)).outcomes[0].measures.rho
    assert again.predicted(strong) == pytest.approx(kept, abs=0.02)
    assert again.predicted(replace(strong, strength=3.0)) < again.predicted(strong) < again.predicted(locked)
    # What one trial learns is not another's.
    assert tried.predicted(strong) is None
