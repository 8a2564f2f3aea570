"""What became of a series, in one sentence at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: How many are named of each sort; --json names all.
_NAMED = 5


def series_summary(done: Sequence[str], skipped: Mapping[str, str], failed: Sequence[str]) -> str:
    """How many inputs were done, which were skipped and why, and which failed (why, was said before).

    done, failed: inputs. skipped: inputs to reasons.
    """
    count = len(done) + len(skipped) + len(failed)
    said = [f"{len(failed)} of {count} inputs failed, {len(done)} done" if failed else f"{_inputs(len(done))} done"]
    if skipped:
        reasons: dict[str, list[str]] = {}
        for name, reason in skipped.items():
            reasons.setdefault(reason, []).append(name)
        said[0] += f", {len(skipped)} skipped"
        said += [f"skipped, {reason}: {_named(names)}" for reason, names in reasons.items()]
    if failed:
        said.append(f"failed: {_named(failed)}")
    return "; ".join(said)


def _inputs(count: int) -> str:
    return f"{count} input{'' if count == 1 else 's'}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
