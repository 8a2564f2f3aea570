"""Every parameter there is by its full key, as `--set` takes it, with its one declaration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from typing import TYPE_CHECKING

from grainkit.effects import EFFECTS
from grainkit.effects.base import Effect
from grainkit.io.delivery import Delivery
from grainkit.params import Param, Plain, declaration
from grainkit.recipe.targets import Adapt, Proxy, Targets

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_SEED = 2**32 - 1
#: The recipe's one parameter that stands by itself.
SEED = Param("Number that all noise is drawn by; the same number gives the same grain and skin.", low=0, high=MAX_SEED)

#: What an encoder's options are: a mapping of text to text that no declaration lists.
_OPTIONS_FORM = "names and values that the encoder knows, such as {crf: 18, preset: medium}"
#: Least likeness of a key's front part that makes it worth naming: grain for cinema_grain.
_ALIKE = 0.6


@dataclass(frozen=True)
class Entry:
    """One parameter: its key, its declaration, and the value where nobody says otherwise."""

    key: str
    declared: Param
    default: Plain

    @property
    def allowed(self) -> str:
        """The allowed values in words, unit and all."""
        return "true or false" if isinstance(self.default, bool) else self.declared.allowed()


def catalogue() -> dict[str, Entry]:
    """Every parameter by its full key, in the order of a recipe. Those of `proxies` stand in a list there."""
    return _catalogue(tuple(EFFECTS.values()))


@cache
def _catalogue(effects: tuple[type[Effect], ...]) -> dict[str, Entry]:
    parts: dict[str, type[DataclassInstance]] = {
        **{effect.name: effect for effect in effects},
        "delivery": Delivery,
        "proxies": Proxy,
        "targets": Targets,
        "adapt": Adapt,
    }
    found = [Entry("seed", SEED, 0)]
    for name, kind in parts.items():
        found += _entries(kind, name)
    return {entry.key: entry for entry in found}


def _entries(kind: type[DataclassInstance], above: str) -> Iterator[Entry]:
    for f in fields(kind):
        key = f"{above}.{f.name}"
        if "part" in f.metadata:
            yield from _entries(f.metadata["part"], key)
        elif "strings" in f.metadata:
            yield Entry(key, Param(f.metadata["strings"], form=_OPTIONS_FORM), {})
        else:
            default, declared = declaration(f)
            yield Entry(key, declared, default)


def nearest_keys(key: str, known: Iterable[str] | None = None) -> list[str]:
    """Full keys that `key` may stand for: quality for delivery.still.quality, grain.strength for cinema_grain.strength.

    Those with the same last part, or else with one like it; of them the ones whose front is most like the key's.
    At most three. known: the keys to look among, all that `--set` takes where None.
    """
    keys = [k for k in catalogue() if not k.startswith("proxies.")] if known is None else list(known)
    front, _, last = key.lower().replace("-", "_").rpartition(".")
    leaves: dict[str, list[str]] = {}
    for each in keys:
        leaves.setdefault(each.rpartition(".")[2], []).append(each)
    near = [last] if last in leaves else get_close_matches(last, list(leaves), n=1, cutoff=0.75)
    found = leaves[near[0]] if near else []
    if front:
        likeness = {each: max(_alike(front, part) for part in _fronts(each)) for each in found}
        best = max(likeness.values(), default=0.0)
        found = [each for each in found if likeness[each] == best and best >= _ALIKE] or found
    if not found:
        found = get_close_matches(key, keys, n=1, cutoff=0.75)
    return found[:3]


def _fronts(key: str) -> list[str]:
    """What a key may be called by, less its last part: delivery.still, delivery, still; cinema_grain, cinema, grain."""
    front = key.rpartition(".")[0]
    return [front, *front.split("."), *front.split("_")]


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
