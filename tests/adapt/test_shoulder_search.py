"""Where the shoulder of a clip's highlights may lie."""

import pytest

from grainkit.adapt.shoulder_search import RUN, SHOULDER, Room, fitted
from grainkit.effects.highlights.parameters import HighlightGuard

GUARD = HighlightGuard(knee=0.88, ceiling=0.97)
ROOM = Room(0.82, 0.91, True, True)


def takes(guard):
    """Light: as much for what the knee rolls as for what the ceiling cuts."""
    return 40 * (1 - guard.ceiling) + 10 * (1 - guard.knee)


def test_it_goes_where_it_is_wanted_when_light_is_plenty():
    found = fitted(GUARD, 0.95, ROOM, lambda guard: 0.0, 2.5)
    assert found.ceiling == pytest.approx(0.95)
    assert found.knee == pytest.approx(1 - RUN * 0.05)
    assert fitted(GUARD, 0.95, ROOM, lambda guard: None, 2.5) == found


def test_it_is_never_flat_at_its_top_nor_below_its_bounds():
    for wanted in (0.7, 0.9, 0.94, 0.96, 0.98):
        found = fitted(GUARD, wanted, ROOM, lambda guard: 0.0, 2.5)
        assert found.knee >= ROOM.least_knee - 1e-4
        assert 1 - found.knee >= RUN * (1 - found.ceiling) - 1e-3
        assert found.ceiling - found.knee >= SHOULDER - 1e-4


def test_where_light_is_short_the_knee_rises_then_the_ceiling():
    some = fitted(GUARD, 0.97, ROOM, takes, 2.2)
    assert some.ceiling == pytest.approx(0.97)
    assert some.knee > GUARD.knee
    assert takes(some) <= 2.2
    little = fitted(GUARD, 0.97, ROOM, takes, 1.0)
    assert little.ceiling > 0.97
    assert takes(little) <= 1.0


def test_where_no_shoulder_keeps_within_the_light_the_lightest_is_taken():
    found = fitted(GUARD, 0.95, ROOM, lambda guard: 9 + takes(guard), 2.5)
    assert found.ceiling > 0.98


def test_what_may_not_move_stays():
    assert fitted(GUARD, 0.93, Room(0.82, 0.91, False, False), takes, 0.1) == GUARD
    bent = fitted(GUARD, 0.93, Room(0.82, 0.91, True, False), takes, 2.2)
    assert bent.ceiling == GUARD.ceiling
    assert bent.knee > GUARD.knee
    lowered = fitted(GUARD, 0.93, Room(0.82, 0.91, False, True), lambda guard: 0.0, 2.5)
    assert lowered.knee == GUARD.knee
    assert lowered.ceiling == pytest.approx(1 - (1 - GUARD.knee) / RUN)
