"""The commands beside `finish`: presets, params, doctor, warm-up and bench. Each returns its exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from grainkit.errors import RecipeError
from grainkit.hosts.cli import startup


def presets(name: str | None, *, explain: bool, as_json: bool) -> int:
    """List the presets, or print one of them; explain: what its values mean and where they come from."""
    from grainkit.recipe.presets import load_recipe, preset_names
    from grainkit.recipe.recipe import to_mapping, to_yaml

    if explain:
        from grainkit.recipe.explain import explain_mapping, explain_text

        if name is None:
            raise RecipeError("--explain tells of one preset; name it, such as grainkit presets social/reel --explain")
        print(json.dumps(explain_mapping(name)) if as_json else explain_text(name))
        return 0
    if name is not None:
        recipe = load_recipe(name)
        print(json.dumps(to_mapping(recipe)) if as_json else to_yaml(recipe).rstrip())
        return 0
    described = {each: load_recipe(each).description for each in preset_names()}
    if as_json:
        print(json.dumps(described))
        return 0
    width = max(map(len, described))
    for each, description in described.items():
        print(f"{each:{width}}  {description}")
    return 0


def params(name: str | None, *, as_json: bool) -> int:
    """Print what parameters mean: all, or those that `name` stands for."""
    from grainkit.recipe.explain import parameter_mapping, parameter_text, select

    entries = select(name)
    print(json.dumps(parameter_mapping(entries)) if as_json else parameter_text(entries))
    return 0


def doctor(*, with_selfcheck: bool, as_json: bool) -> int:
    """Print what works on this machine; 1 where something is broken."""
    startup.refuse_settings_of_numba()
    from grainkit.report.doctor import examine, selfcheck

    findings = [*examine(), *(selfcheck() if with_selfcheck else [])]
    status = int(any(f.broken for f in findings))
    if as_json:
        print(json.dumps({"findings": [f.as_mapping() for f in findings]}))
        return status
    width = max(len(f.what) for f in findings)
    for f in findings:
        print(f"{'ok' if f.works else 'no'}  {f.what:{width}}  {f.detail}")
        if f.remedy:
            print(f"    {'':{width}}  {f.remedy}")
    return status


def warm_up(*, quiet: bool, as_json: bool) -> int:
    """Compile ahead what `finish` needs."""
    startup.load()
    from grainkit.job import warm_up as job

    def progress(done: int, total: int, what: str) -> None:
        if not quiet:
            print(f"grainkit: {done + 1}/{total}  {what}", file=sys.stderr, flush=True)

    warmth = job.warm_up(progress)
    if as_json:
        print(json.dumps(warmth.as_mapping()))
    elif not quiet:
        print(f"{warmth.functions} functions compiled in {warmth.seconds:.0f} s, kept in {warmth.kept_in}")
    return 0


def compare_benches(paths: Sequence[str]) -> int:
    """Print two results of `bench --json` side by side."""
    startup.refuse_settings_of_numba()
    from grainkit.report import bench

    (was, before), (now, after) = (bench.load(path) for path in paths)
    print(f"{was['backend']}  ->  {now['backend']}")
    print("\n".join(bench.compared(before, after)))
    return 0


def bench(name: str, size: tuple[int, int] | None, frames: int, *, as_json: bool) -> int:
    """Measure a backend, stage by stage. name: of the backend. size: one alone, None for the usual ones."""
    startup.refuse_settings_of_numba()
    from grainkit.backends import open_backend
    from grainkit.report import bench as measuring

    backend = open_backend(name)
    try:
        about, sizes = measuring.machine(backend), measuring.SIZES if size is None else (size,)
        if not as_json:
            print(about["backend"])
        rows = []
        for row in measuring.measure(backend, sizes, frames, stages=size or measuring.STAGES_SIZE):
            rows.append(row)
            if not as_json:
                print(measuring.line(row), flush=True)
        if as_json:
            print(json.dumps(measuring.as_mapping(about, rows)))
    finally:
        backend.close()
    return 0
