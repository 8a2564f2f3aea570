"""Grain that is carried beside the picture: what goes into the stream instead of the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grainkit.effects.base import Context
from grainkit.effects.grain.av1.film_grain import FilmGrain
from grainkit.effects.grain.av1.fit import fit_film_grain
from grainkit.effects.grain.av1.stream import GrainStream, grain_seed
from grainkit.effects.grain.av1.table import GrainTable, read_table, table_text
from grainkit.effects.grain.parameters import CinemaGrain
from grainkit.errors import RecipeError
from grainkit.picture.color import Range
from grainkit.picture.noise import stream_key

#: The stream of `noise.stream_key` that seeds are drawn from; planes of grain have 0 to 2.
_SEEDS = 3
#: Difference of autocorrelation (rms) from which AV1's grain no longer looks like that asked.
_FAR = 0.05


@dataclass(frozen=True)
class CarriedGrain:
    """Grain for the frames of one clip. table: parameters by time. notes: what to say about it."""

    table: GrainTable
    start: int
    hold: int
    rate: float
    notes: tuple[str, ...]

    def stream(self, first: int) -> GrainStream:
        """What puts it into the clip's packets. first: absolute number of the first frame.

        A frame's grain depends on its absolute number, and is shared by as many frames as the recipe holds it for.
        """
        return GrainStream(lambda n: self.table.at(n / self.rate), lambda n: self._seed(first + n))

    def text(self) -> str:
        """It as a `filmgrn1` table. RecipeError where it came out of a table of several entries."""
        grains = {grain for _, _, grain in self.table.entries}
        if len(grains) != 1 or None in grains:
            raise RecipeError("--grain-table-out writes one set of parameters; leave it out, or --grain-table")
        (grain,) = grains
        assert grain is not None
        return table_text(grain, self._seed(0))

    def _seed(self, index: int) -> int:
        return grain_seed(self.start, index // self.hold)


def carried_grain(grain: CinemaGrain, context: Context, table: Path | None = None) -> CarriedGrain | None:
    """The grain that goes into a clip as metadata, fitted to the parameters or read from a table; None for none.

    Raises RecipeError for a table where none is carried, InputError for one that cannot be read.
    """
    if not grain.is_carried:
        if table is not None:
            raise RecipeError(
                "--grain-table is for clips that carry grain as metadata; "
                "use --preset video/av1, or --set cinema_grain.carrier=metadata with an AV1 encoder"
            )
        return None
    notes: tuple[str, ...] = ()
    if table is not None:
        entries = read_table(table, clip=context.target.range is Range.LIMITED)
        notes = (f"grain is that of the table {table.name}, not the recipe's",)
    else:
        fitted = fit_film_grain(grain, context.target, context.width, context.height, context.dpi)
        entries = constant(fitted.grain)
        if fitted.correlation_error > _FAR:
            notes = (
                "AV1 film grain cannot be as coarse as asked, and players will show it finer; for the exact grain use "
                "--set cinema_grain.carrier=animated",
            )
    start = int(stream_key(context.seed, _SEEDS, 0)) & 0xFFFF
    return CarriedGrain(entries, start, grain.frames_held(context.rate), float(context.rate or 25), notes)


def constant(grain: FilmGrain) -> GrainTable:
    """A table of one entry for all time."""
    return GrainTable(((0, 2**63 - 1, grain),))
