"""What the parser hands on: plain values, and the options of a job by their own names."""

import pytest

from grainkit.hosts.cli import parser
from grainkit.job.request import FinishRequest, Options


@pytest.fixture
def order(monkeypatch):
    """The order that a command line gives, which is not carried out."""
    orders = []
    monkeypatch.setattr(parser, "run_finish", lambda order: orders.append(order) or 0)

    def given(*words):
        call = parser.call_of(["finish", *words])
        assert (call.name, call.run(), call.debug) == ("finish", 0, "--debug" in words)
        return orders[-1]

    return given


def test_every_option_of_a_job_can_be_written_and_no_other_is_handed_on(order):
    assert set(order("a.png").options) == set(Options.__annotations__)


def test_options_left_out_ask_for_what_a_request_asks_for_by_itself(order):
    assert order("a.png").request("a.png", None) == FinishRequest.of("a.png")


def test_options_become_a_request(order):
    words = [
        "--set",
        "seed=3",
        "--set",
        "delivery.fit=cover",
        "--frames",
        "2:9",
        "--rate",
        "23.976",
        "--source",
        "flux",
    ]
    made = order("s_%03d.png", "-o", "o.mp4", "--backend", "cpu", "--device-memory", "64", "--debug", *words)
    wanted = FinishRequest.of(
        "s_%03d.png", "o.mp4", settings=["seed=3", "delivery.fit=cover"], frames=(2, 9), rate=23.976,
        source_profile="flux", backend="cpu", device_memory=64 << 20,
    )  # fmt: skip
    assert made.request("s_%03d.png", "o.mp4") == wanted
    assert (made.inputs, made.output, made.workers, made.debug) == (["s_%03d.png"], "o.mp4", None, True)
