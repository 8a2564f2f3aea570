"""One clip or batch for a program that asks for frames one by one: a node, a filter, a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from types import TracebackType
from typing import Self

from grainkit.analysis.shots import ShotDetector
from grainkit.arguments import GivenRate, as_index, as_rate
from grainkit.backends import open_backend
from grainkit.backends.base import Backend
from grainkit.effects.base import Analysed
from grainkit.errors import InputError, RecipeError
from grainkit.finishing.arrays import joined, pictures_of, refuse_other_things
from grainkit.finishing.finisher import analysed, conformed, finish_frame, plan_tables, refuse_patches, stages_of
from grainkit.finishing.plan import Plan
from grainkit.finishing.planning import own_format_plan
from grainkit.finishing.regrain import wants_regrain
from grainkit.io.base import SourceInfo
from grainkit.params import shown
from grainkit.picture.frame import Frame
from grainkit.picture.rgb import RGB
from grainkit.recipe.recipe import Recipe

#: Gives the frame of a number, as the host has it.
GetFrame = Callable[[int], Frame]


class Session:
    """Finishes the frames of one clip in any order; each comes out as a run over the whole clip would give it.

    Where an effect remembers the frames before (skin texture, locked grain), a frame that does not follow the last one
    is worked out from the cut before it: the frames between are asked for and analysed. Frames in order cost nothing
    more. Frames keep their size, sampling and depth.

    recipe: what is done; its parameters for clips. backend: auto, cpu or cuda, or one that is open already, which stays
    open. rate: frames per second, which grain is held by; 24 where nobody says.
    Not for several threads at once; a session each is.
    """

    def __init__(self, recipe: Recipe, backend: str | Backend = "auto", *, rate: GivenRate | None = None) -> None:
        if not isinstance(recipe, Recipe):
            raise RecipeError(f"Session takes a Recipe, not {shown(recipe)}; load_recipe('video') makes one")
        self.recipe = recipe
        self._rate = as_rate(rate) or Fraction(24)
        self._owned = not isinstance(backend, Backend)
        self.backend = backend if isinstance(backend, Backend) else open_backend(backend)
        self._effects = recipe.for_kind("clip").effects.values()
        self._remembers = any(effect.strength and effect.remembers for effect in self._effects)
        self._run: _Run | None = None
        self._closed = False
        self._cuts = _Cuts()

    def frame(self, number: int, get: GetFrame) -> Frame:
        """The finished frame of this number.

        get: gives the frame of a number from 0 on as it comes, with that number as its index and all of one size and
            colour. It is called for this number, and for those before it that effects have to know.
        Raises InputError for a number below 0 and for a frame that is another's.
        """
        found = self._number(number)
        if not callable(get):
            raise InputError(f"get = {shown(get)} is no function; give one that takes a number and gives its Frame")
        run = self._run
        # What a batch began with afresh is not what the whole clip would give.
        if run is None or run.next != found or run.is_afresh:
            begin = self._cuts.before(found, _checked(get)) if self._remembers else found
            run = self._run = _Run(self, _checked(get), begin, found)
        return self._next(run, get)

    def _next(self, run: _Run, get: GetFrame) -> Frame:
        """The next frame of a run, which an error ends."""
        run.state.get = _checked(get)
        try:
            return next(run.frames)
        except BaseException:
            self._run = None
            raise

    def batch(self, rgb: RGB, *, first: int = 0) -> RGB:
        """The frames of a batch that follow each other, finished; shape and type stay.

        rgb: (B, H, W, 3) or (H, W, 3), uint8, uint16 or float32 0..1, display-encoded like sRGB.
        first: number of the first. A batch that goes on where the last one ended goes on with what effects remember;
            any other begins afresh, as behind a cut.
        """
        first = self._number(first)
        refuse_other_things(rgb)
        pictures = pictures_of(rgb)
        frames = {
            first + at: replace(Frame.from_rgb(one.samples, index=first + at), alpha=one.alpha)
            for at, one in enumerate(pictures)
        }
        run = self._run
        if run is None or run.next != first:
            run = self._run = _Run(self, _checked(frames.__getitem__), first, first, is_afresh=True)
        done = []
        for _ in frames:
            finished = self._next(run, frames.__getitem__)
            assert finished.rgb is not None
            done.append(finished.rgb)
        return joined(rgb, done)

    def _number(self, number: int) -> int:
        """A frame's number, checked; and that the session is not closed."""
        if self._closed:
            raise InputError("the session is closed; open another one")
        found = as_index(number)
        if found is None:
            raise InputError("the number of a frame is missing; give a whole number from 0 on")
        return found

    def close(self) -> None:
        """Let the backend go, if it was opened here."""
        self._run, self._closed = None, True
        if self._owned:
            self.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def info(self, frame: Frame) -> SourceInfo:
        """What the clip of this frame says of itself, as far as a session knows."""
        return SourceInfo("session", None, "clip", frame.width, frame.height, frame.color, rate=self._rate)


@dataclass(eq=False)
class _State:
    """What a run is told and tells between frames. get: where frames come from. next: number of the next one."""

    get: GetFrame
    next: int


class _Run:
    """Frames in order from `begin` on, of which those from `first` on are finished.

    is_afresh: whether it began where a caller said, and not at a cut or the clip's first frame. The generator knows
    neither the run nor the session: it ends, and its threads with it, when the last of them is let go.
    """

    def __init__(self, session: Session, get: GetFrame, begin: int, first: int, *, is_afresh: bool = False) -> None:
        self.state = _State(get, first)
        self.is_afresh = is_afresh
        opening = get(begin)
        plan = own_format_plan(session.info(opening), session.recipe)
        refuse_patches(plan)
        if wants_regrain(plan):
            raise RecipeError(
                "cinema_grain.regrain = true needs the clip measured before it is finished; use finish(), or set it to "
                "false"
            )
        self.frames = _finished(self.state, opening, plan, session.backend)

    @property
    def next(self) -> int:
        """Number of the frame that comes next."""
        return self.state.next


def _finished(state: _State, opening: Frame, plan: Plan, backend: Backend) -> Iterator[Frame]:
    """The frames from `opening` on, of which those from the state's first on are finished and given."""
    first = state.next
    stages = stages_of(plan, plan.recipe.effects)
    tables = plan_tables(plan)
    numbers = (_like(opening, number, state.get) for number in count(opening.index))
    ready = (Analysed(conformed(frame, plan, backend)) for frame in numbers)
    for one in analysed(ready, stages.values()):
        if one.frame.index >= first:
            state.next = one.frame.index + 1
            yield finish_frame(one.frame, plan, tables, backend, one.term)


def _like(opening: Frame, number: int, get: GetFrame) -> Frame:
    """The frame of a number. InputError where it is none of the clip that the run began with."""
    frame = opening if number == opening.index else get(number)
    if (frame.width, frame.height, frame.color) != (opening.width, opening.height, opening.color):
        raise InputError(
            f"frame {number} is {frame.width}x{frame.height} {frame.color}, and frame {opening.index} was "
            f"{opening.width}x{opening.height} {opening.color}; a session is for frames of one size and colour"
        )
    return frame


class _Cuts:
    """Where shots of the clip begin with a cut, as far as it has been looked at: there nothing is remembered.

    It is looked at in order from frame 0 on, by thumbnails: what a dissolve or black is depends on what came before.
    """

    def __init__(self) -> None:
        self._detector = ShotDetector()
        self._seen = 0
        self._cuts = [0]

    def before(self, number: int, get: GetFrame) -> int:
        """Number of the first frame of the shot that a frame is in; of an earlier one where that began in no cut."""
        for each in range(self._seen, number + 1):
            step = self._detector.see(get(each))
            # After a dissolve or black texture comes in slowly, which is remembered.
            if step.starts and step.share == 1.0:
                self._cuts.append(each)
            self._seen = each + 1
        return max(cut for cut in self._cuts if cut <= number)


def _checked(get: GetFrame) -> GetFrame:
    """`get`, whose frames must bear the numbers that they were asked for by."""

    def checked(number: int) -> Frame:
        frame = get(number)
        if not isinstance(frame, Frame) or frame.index != number:
            given = f"frame {frame.index}" if isinstance(frame, Frame) else shown(frame)
            raise InputError(f"frame {number} was asked for, and {given} came; give a Frame with index={number}")
        return frame

    return checked
