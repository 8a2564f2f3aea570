"""How old the facts are that presets and source profiles state of platforms and generators."""

from __future__ import annotations

from datetime import date

from grainkit.recipe.presets import load_recipe, preset_names, shipped
from grainkit.recipe.yaml_text import read_mapping


def outdated(today: date) -> dict[str, date]:
    """What was checked more than a year before `today`: presets, and sources as `source NAME`, and the day of each."""
    days = {name: load_recipe(name).checked_on for name in preset_names()}
    for name, file in shipped("sources").items():
        where = f"source {name}"
        days[where] = str(read_mapping(file.read_text(encoding="utf-8"), where).get("checked_on", ""))
    checked = {name: date.fromisoformat(day) for name, day in days.items() if day}
    return {name: day for name, day in checked.items() if _a_year_after(day) < (today.year, today.month, today.day)}


def _a_year_after(day: date) -> tuple[int, int, int]:
    # Not a date: there is no 29 February a year after one.
    return day.year + 1, day.month, day.day
