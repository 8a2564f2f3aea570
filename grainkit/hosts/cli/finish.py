"""The command `finish`: what its inputs are taken for, and one job or a series of them."""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING, BinaryIO

from grainkit.errors import InputError, OutputError
from grainkit.hosts.cli import startup, suggest
from grainkit.hosts.cli.jobs import Order, finish_one
from grainkit.hosts.cli.series import finish_series
from grainkit.hosts.cli.streams import frames_apart
from grainkit.hosts.cli.telling import tell
from grainkit.unforeseen import doing

if TYPE_CHECKING:
    from grainkit.recipe.recipe import Recipe


def finish(order: Order) -> int:
    """Finish all inputs; 0 done, else the exit status of what failed."""
    with frames_apart(order.output == "-" and not order.dry_run) as stdout:
        startup.load()
        from grainkit.machine.compiling import watched

        with watched(told=not order.quiet, shown=not order.quiet and sys.stderr.isatty()):
            return _finish_all(order, stdout)


def _finish_all(order: Order, stdout: BinaryIO | None) -> int:
    from grainkit.io.reading import Read
    from grainkit.job.inputs import expand_inputs
    from grainkit.job.request import RecipeChoice, part_of
    from grainkit.recipe.catalogue import nearest_keys
    from grainkit.recipe.presets import preset_names

    if (stray := suggest.stray_input(order.inputs, order.output, preset_names(), nearest_keys)) is not None:
        raise InputError(stray)
    if order.output == "-" and order.json and not order.dry_run:
        raise OutputError("--json and -o - both want standard output; leave one out")

    @functools.cache
    def recipe() -> Recipe:
        from grainkit.job.settle import resolve_recipe

        return resolve_recipe(part_of(RecipeChoice, order.options), piped=order.output == "-")

    taken = expand_inputs(order.inputs, part_of(Read, order.options), order.output, recipe)
    for sentence in () if order.quiet else taken.said:
        tell(sentence)
    if taken.is_series:
        # What is wrong with all of them is said once, and before any is begun.
        return finish_series(order, taken, recipe())
    input = taken.inputs[0]
    with doing(f"finishing {input}"):
        report = finish_one(order, order.request(input, order.output), "", stdout)
    if order.json:
        print(json.dumps(report))
    return 0
