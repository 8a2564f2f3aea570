"""Stages side by side: the order and the errors of the iterator, a bounded lead, and no thread left over."""

import threading
import time

import pytest

from grainkit.scale.overlap import Overlapped


def stages():
    return [t for t in threading.enumerate() if t.name == "grainkit-stage"]


def test_items_come_in_order_and_all_of_them():
    with Overlapped(iter(range(1000)), 3) as inner, Overlapped((2 * i for i in inner), 2) as outer:
        assert list(outer) == list(range(0, 2000, 2))
        assert list(outer) == []
    assert stages() == []


def test_the_lead_is_bounded():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    with Overlapped(items(), 3) as ahead:
        for taken in range(10):
            next(ahead)
            time.sleep(0.01)
            assert len(made) <= taken + 1 + 3 + 1  # taken, waiting, and one in the hand
    assert len(made) < 20


def test_an_error_comes_after_the_items_before_it_and_once():
    def items():
        yield 1
        yield 2
        raise KeyError("third")

    with Overlapped(items(), 5) as ahead:
        assert [next(ahead), next(ahead)] == [1, 2]
        with pytest.raises(KeyError, match="third"):
            next(ahead)
        assert list(ahead) == []
    assert stages() == []


def test_leaving_early_closes_the_generator_in_its_own_thread():
    closed = []

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread().name)

    with Overlapped(items(), 2) as ahead:
        next(ahead)
    assert closed == ["grainkit-stage"]
    assert stages() == []


def test_a_stopped_stage_frees_the_one_that_waits_for_it():
    stuck = threading.Event()

    def items():
        yield 1
        stuck.wait()

    try:
        with Overlapped(items(), 2, patience=0.05) as inner, Overlapped((i for i in inner), 2) as outer:
            assert next(outer) == 1
            inner.stop()
            assert list(outer) == []
        assert len(stages()) == 1  # what waits for its input cannot be stopped, only left alone
    finally:
        stuck.set()
        for thread in stages():
            thread.join()


def test_no_more_items_after_stop():
    with Overlapped(iter(range(10)), 5) as ahead:
        next(ahead)
        ahead.stop()
        assert list(ahead) == []
