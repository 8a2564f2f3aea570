"""A fourth effect is one class and one line: all that tells of effects and all that applies them knows it then."""

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import grainkit as gk
from grainkit.backends.pass_term import LUMA_ONE, PassTerm
from grainkit.effects import EFFECTS
from grainkit.effects.base import Effect, Moment, registered
from grainkit.hosts.cli import command as cli
from grainkit.params import param
from grainkit.recipe.overrides import override
from tests.cudacheck import host
from tests.cudacheck.stand_in import stand_in
from tests.drawn import clip, still

#: Nothing but the drawn effect.
BARE = ("skin_texture.strength=0", "highlight_guard.strength=0", "cinema_grain.strength=0")


class Brightening:
    """Makes the whole frame brighter. sizes: of the frames that it saw."""

    sizes: ClassVar[list[tuple[int, int]]] = []

    def __init__(self, strength):
        self.strength = strength

    def stream(self, frames):
        for one in frames:
            frame = one.frame
            self.sizes.append((frame.width, frame.height))
            luma = np.full((frame.height, frame.width), round(0.1 * self.strength * LUMA_ONE), np.int16)
            across, down = frame.color.subsampling
            chroma = np.zeros((-(-frame.height // down), -(-frame.width // across)), np.int16)
            yield one.with_term(PassTerm(0, 0, luma, chroma, chroma), Drawn.name)


@dataclass(frozen=True)
class Drawn(Effect):
    """A drawn effect."""

    name: ClassVar[str] = "drawn"
    moment: ClassVar[Moment] = Moment.WORKING

    strength: float = param(0.0, "How much brighter the picture is made.", low=0.0, high=2.0, unit="x")

    def stage(self, context, faces=None):
        return Brightening(self.strength)


@dataclass(frozen=True)
class Liar(Effect):
    """Says that it does something, and does nothing."""

    name: ClassVar[str] = "liar"
    moment: ClassVar[Moment] = Moment.WORKING

    strength: float = param(0.0, "How much of nothing.", low=0.0, high=2.0, unit="x")

    def fill(self, slots, context):
        return slots


@pytest.fixture
def drawn(monkeypatch):
    Brightening.sizes.clear()
    monkeypatch.setitem(EFFECTS, Drawn.name, Drawn)
    return Drawn


def recipe_of(*settings, preset="social"):
    return override(gk.load_recipe(preset), [*BARE, *settings])


def test_the_list_is_in_the_order_of_application():
    assert list(EFFECTS) == ["skin_texture", "highlight_guard", "cinema_grain"]


def test_one_that_could_change_nothing_cannot_be_registered():
    @dataclass(frozen=True)
    class Empty(Effect):
        name: ClassVar[str] = "empty"
        moment: ClassVar[Moment] = Moment.WORKING

    with pytest.raises(TypeError, match="Empty overrides none of fill, stage and packets"):
        registered(Empty)


def test_it_is_told_of(drawn, capsys):
    assert cli.main(["params", "drawn"]) == 0
    assert "How much brighter the picture is made." in capsys.readouterr().out
    assert cli.main(["presets", "social"]) == 0
    assert "drawn:" in capsys.readouterr().out
    assert cli.main(["finish", "x.png", "--set", "drawn.strenght=1"]) == 2
    assert "strength" in capsys.readouterr().err


def test_it_changes_pixels_and_the_sidecar_says_so(drawn, tmp_path):
    source = still(tmp_path / "in.png")
    plain = gk.finish(source, tmp_path / "plain.png", recipe=recipe_of())
    brighter = gk.finish(source, tmp_path / "brighter.png", recipe=recipe_of("drawn.strength=1"))
    a, b = (np.asarray(Image.open(each.output)).astype(int) for each in (plain, brighter))
    assert (b >= a).all()
    assert (b - a).mean() > 3
    assert "Retouched: drawn." in (tmp_path / "brighter.png.grainkit.txt").read_text()
    assert "drawn" not in (tmp_path / "plain.png.grainkit.txt").read_text().split("Retouched:")[1].split("\n")[0]
    again = gk.finish(source, tmp_path / "again.png", recipe=tmp_path / "brighter.png.grainkit.txt")
    assert again.sha256 == brighter.sha256


def test_it_follows_a_clip(drawn, tmp_path):
    source = clip(tmp_path / "in.mp4", codec="libx264")
    gk.finish(source, tmp_path / "out.nut", recipe=recipe_of("drawn.strength=1", preset="video"))
    with gk.open_source(source) as before, gk.open_source(tmp_path / "out.nut") as after:
        for was, now in zip(before, after, strict=True):
            assert now.planes[0].mean() > was.planes[0].mean() + 2


def test_one_that_does_nothing_is_not_called_retouching(monkeypatch, tmp_path):
    monkeypatch.setitem(EFFECTS, Liar.name, Liar)
    source = still(tmp_path / "in.png")
    gk.finish(source, tmp_path / "out.png", recipe=recipe_of("liar.strength=1"))
    told = (tmp_path / "out.png.grainkit.txt").read_text()
    assert "Retouched: nothing." in told
    assert "Liar (which changed no pixel)" in told


@pytest.mark.parametrize(("moment", "size"), [(Moment.WORKING, (64, 48)), (Moment.DELIVERY, (128, 96))])
def test_on_an_enlarged_still_it_works_at_its_own_moment_alone(drawn, monkeypatch, tmp_path, moment, size):
    monkeypatch.setattr(Drawn, "moment", moment)
    source = still(tmp_path / "in.png", 64, 48)
    large = recipe_of("drawn.strength=1", "delivery.width_mm=12.8", "delivery.dpi=254")
    gk.finish(source, tmp_path / "out.png", recipe=large, adapt=False)
    assert Brightening.sizes == [size]


@pytest.mark.skipif(bool(host.missing()), reason=str(host.missing()))
def test_it_is_the_same_on_a_card(drawn, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", stand_in(host.HostKernel))
    rgb = np.random.default_rng(2).integers(0, 256, (33, 40, 3)).astype(np.uint8)
    recipe = recipe_of("drawn.strength=1")
    ours, theirs = (gk.finish_array(rgb, preset=recipe, backend=name) for name in ("cpu", "cuda"))
    assert not np.array_equal(ours, rgb)
    assert np.array_equal(ours, theirs)
