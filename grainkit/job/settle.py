"""From a request to a job that is decided: recipe, source, plans, mattes. Nothing is done yet, and nothing written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from grainkit.adapt.offer import Reading
from grainkit.effects.skin_texture.parameters import SkinTexture
from grainkit.errors import InputError, RecipeError
from grainkit.finishing.plan import DeliveryPlan, StillPlan
from grainkit.finishing.planning import make_plan
from grainkit.finishing.regrain import wants_regrain
from grainkit.io.base import Source, SourceInfo, input_files
from grainkit.io.mattes import Mattes, mattes_for
from grainkit.io.reading import SEQUENCE
from grainkit.io.still_formats.png import PNG
from grainkit.io.still_formats.tiff import TIFF
from grainkit.job.replay import declared_source
from grainkit.job.request import UNWATCHED, FinishRequest, RecipeChoice, Watch
from grainkit.recipe.overrides import override
from grainkit.recipe.presets import SIDECAR_SUFFIX, load_recipe, preset_names
from grainkit.recipe.recipe import Recipe
from grainkit.recipe.source_profile import SourceProfile, load_source

if TYPE_CHECKING:
    from grainkit.job.grain_like import GrainLike

#: What the names of recipe files end in.
RECIPE_ENDINGS = (".yaml", ".yml", SIDECAR_SUFFIX)


@dataclass(frozen=True)
class Settled:
    """A job that is decided: its source is open, and no frame has moved.

    recipe: with all overrides, before anything is adapted. like: the grain of a reference, None where none is named.
    profile: name of the source profile that is declared; origin: the profile itself, None for auto.
    source: the input, open; it can be read once. plans: the output's, and behind it the pilot's where one is asked for.
    inputs: the files that are read, none of a pipe. mattes: the user's, None where there are none.
    """

    request: FinishRequest
    recipe: Recipe
    like: GrainLike | None
    profile: str
    origin: SourceProfile | None
    source: Source
    plans: tuple[DeliveryPlan, ...]
    inputs: tuple[Path, ...]
    mattes: Mattes | None

    @property
    def info(self) -> SourceInfo:
        """What the source says of itself."""
        return self.source.info

    @property
    def plan(self) -> DeliveryPlan:
        """The plan of the output."""
        return self.plans[0]

    @property
    def declared(self) -> str:
        """IPTC term that the user says of the input, '' for none."""
        return self.origin.digital_source_type if self.origin else ""

    @property
    def reading(self) -> Reading:
        """How samples of the input are read besides."""
        return Reading(self.request.input, self.request.read, self.mattes)

    @property
    def settings(self) -> tuple[str, ...]:
        """All overrides, KEY=VALUE each: the reference's grain, then what the user says."""
        return (*(self.like.settings if self.like else ()), *self.request.recipe.settings)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words of the command, beside the recipe, that decide the output."""
        return tuple(self.request.words(self.profile, self.info))

    def adapts(self) -> bool | None:
        """Whether to adapt, as asked: but not where the amount of grain is what the picture lacks of the recipe's."""
        asked = self.request.recipe.adapt
        if not wants_regrain(self.plan):
            return asked
        if asked:
            raise RecipeError("--adapt and cinema_grain.regrain both decide how much grain is laid; give one of them")
        return False


@contextmanager
def settle(request: FinishRequest, watch: Watch = UNWATCHED, *, to_run: bool = True) -> Iterator[Settled]:
    """Decide a job, with its source open for as long as the block takes.

    to_run: whether it will be run: its frames are then read from where the analysis begins, and decoded as asked.
    Raises a UserError where the input, the output or the recipe is at fault.
    """
    choice, read = request.recipe, request.read
    profile = declared_source(request.profile, choice.recipe)
    origin = load_source(profile)
    like = _reference(choice, read.max_pixels)
    measured = like.settings if like else ()
    recipe = resolve_recipe(choice, measured, piped=request.is_piped, origin=origin)
    _refuse_series(request, recipe)
    first, end = read.frames
    start = 0 if to_run and remembers(recipe) else first
    with ExitStack() as stack:
        if to_run:
            stack.enter_context(_loading_ahead(recipe, choice.adapt))
        source = stack.enter_context(read.source(request.input, start, end, stdin=watch.stdin, on_card=to_run))
        plans, inputs = plans_of(request, recipe, source.info), input_files(source.info)
        mattes = None
        if read.matte is not None:
            mattes = mattes_for(read.matte, source.info, inputs, start=start, stop=end, max_pixels=read.max_pixels)
        yield Settled(request, recipe, like, profile, origin, source, plans, tuple(inputs), mattes)


def resolve_recipe(
    choice: RecipeChoice, measured: Iterable[str] = (), *, piped: bool = False, origin: SourceProfile | None = None
) -> Recipe:
    """The recipe asked for, with overrides. Nothing asked: `social`, or `video` for a pipe.

    Preset, then source profile, then a recipe's own values, then what was measured (KEY=VALUE each), then settings: the
    later wins.
    """
    preset, recipe = choice.preset, choice.recipe
    if preset is not None and recipe is not None:
        raise RecipeError("give a preset or a recipe, not both; a recipe can say `extends: PRESET`")
    recipe = preset if isinstance(preset, Recipe) else recipe
    if not isinstance(recipe, Recipe):
        name = str(recipe if recipe is not None else preset or ("video" if piped else "social"))
        if not name.endswith(RECIPE_ENDINGS) and name not in preset_names() and os.path.exists(name):
            ends = ", ".join(RECIPE_ENDINGS)
            raise RecipeError(f"{name} is no recipe: it is a file or folder whose name ends in none of {ends}")
        recipe = load_recipe(name, None if origin is None else origin.over)
    seed = [] if choice.seed is None else [f"seed={choice.seed}"]
    return override(recipe, [*measured, *choice.settings, *seed])


def plans_of(request: FinishRequest, recipe: Recipe, info: SourceInfo) -> tuple[DeliveryPlan, ...]:
    """The plan of the output, and behind it the pilot's where one is asked for."""
    plan = make_plan(info, recipe, request.output)
    return (plan, _pilot_plan(info, recipe, plan)) if request.write.pilot else (plan,)


def remembers(recipe: Recipe) -> bool:
    """Whether a frame of a clip depends on those before it: any part of it must then be analysed from the start."""
    return any(effect.strength and effect.remembers for effect in recipe.for_kind("clip").effects.values())


def _reference(choice: RecipeChoice, max_pixels: int | None) -> GrainLike | None:
    """The grain of a reference, measured; None where none is named."""
    if choice.grain_like is None:
        return None
    if choice.grain_table is not None:
        raise RecipeError("--grain-like and --grain-table both say what the grain is; give one of them")
    from grainkit.job.grain_like import grain_like

    return grain_like(choice.grain_like, max_pixels)


def _refuse_series(request: FinishRequest, recipe: Recipe) -> None:
    """InputError where the input stands for several stills: one job is one of them."""
    read = request.read
    if read.as_ == SEQUENCE or (not os.path.isdir(request.input) and read.as_ is None):
        return
    from grainkit.job.inputs import expand_inputs

    output = None if request.output is None else str(request.output)
    taken = expand_inputs([str(request.input)], read, output, lambda: recipe)
    if taken.said and taken.is_series:
        raise InputError(f"{request.input}: {taken.said[0]} (as_='sequence' in Python)")
    if read.as_ is not None and taken.is_series:
        raise InputError(f"{request.input}: holds {len(taken.inputs)} stills; finish them one by one")


@contextmanager
def _loading_ahead(recipe: Recipe, adapt: bool | None) -> Iterator[None]:
    """Load what skin texture is made with in a thread, while the block opens its input: decoding needs no Python."""
    textured = any(recipe.for_kind(kind).effect(SkinTexture).strength for kind in ("still", "clip"))
    if "grainkit.effects.skin_texture.stage" in sys.modules or not textured:
        yield
        return
    # OpenCV takes itself out of the list of modules as it is imported: nobody else may import it meanwhile.
    from grainkit.analysis.matte import prepare

    def load() -> None:
        prepare()
        import_module("grainkit.effects.skin_texture.stage")
        if adapt or (adapt is None and recipe.adapt.still):
            import_module("grainkit.adapt.loop")

    with ThreadPoolExecutor(1, "grainkit-ahead") as pool:
        pool.submit(load)
        yield


def _pilot_plan(info: SourceInfo, recipe: Recipe, plan: DeliveryPlan) -> StillPlan:
    """The clean picture at the source's own size, 16 bit, without grain: OUTPUT.pilot.png (or .tif)."""
    if not isinstance(plan, StillPlan):
        what = f"{info.name} is a {info.kind}" if info.kind != "still" else "this one goes to standard output"
        raise InputError(f"a pilot is a file beside a finished still, but {what}; leave --pilot out")
    form = TIFF if plan.still.container == TIFF.name else PNG
    clean = override(
        recipe,
        [
            "cinema_grain.strength=0", "highlight_guard.patches=0",
            "delivery.fit=keep", "delivery.width_mm=0", "delivery.height_mm=0",
            "delivery.still.sharpen=0", "delivery.still.depth=16",
            f"delivery.still.container={form.name}", f"delivery.still.compression={form.compression}",
        ],
    )  # fmt: skip
    pilot = make_plan(info, clean, plan.output.with_suffix(f".pilot{form.ending}"))
    assert isinstance(pilot, StillPlan)
    return replace(pilot, new_folder=plan.new_folder)
