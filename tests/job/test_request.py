"""A job as a value: checked once, pickled, settled with nothing done, and run from it alone."""

import io
import pickle
from dataclasses import FrozenInstanceError, fields
from fractions import Fraction
from pathlib import Path

import pytest

import grainkit as gk
from grainkit.io.reading import Read
from grainkit.io.sequence import SequenceSource
from grainkit.job import settle as settling
from grainkit.job.request import FinishRequest, Machine, Options, RecipeChoice, Watch, Write
from grainkit.job.run import run, run_settled
from grainkit.job.series import Outcome, outcome_of
from grainkit.job.series import run as run_series
from grainkit.job.settle import settle
from grainkit.scale.executors import Ended, OneByOne
from grainkit.scale.processes import SideBySide
from tests.drawn import clip, leftovers, numbered, still, y4m_of

PLAIN = {"preset": "video", "backend": "cpu", "settings": {"skin_texture.strength": 0}}


def test_every_option_stands_in_one_part_and_is_told():
    parts = [each.name for part in (RecipeChoice, Read, Write, Machine) for each in fields(part)]
    assert sorted([*Options.__annotations__, "backend"]) == sorted([*parts, "source_profile"])
    for name in Options.__annotations__:
        assert f"{name}:" in Options.__doc__.replace(",", ":"), name


def test_a_request_holds_what_was_asked_in_one_form():
    request = FinishRequest.of(
        Path("s"), "o.mp4", settings={"cinema_grain": {"strength": 2}}, rate=23.976, frames=[2, 9], seed=4,
        source_profile="flux", max_pixels=10, overwrite=True, backend="cpu",
    )  # fmt: skip
    assert request.recipe == RecipeChoice(settings=("cinema_grain.strength=2",), seed=4)
    assert request.read == Read(frames=(2, 9), rate=Fraction(24000, 1001), max_pixels=10)
    assert (request.write, request.machine, request.profile) == (Write(overwrite=True), Machine("cpu"), "flux")
    with pytest.raises(FrozenInstanceError):
        request.input = "t"


def test_a_request_goes_to_another_process_and_back():
    for preset in ("social/reel", gk.load_recipe("print")):
        request = FinishRequest.of("a.png", "b.png", preset=preset, settings=iter(["seed=3"]), rate="25", as_="stills")
        assert pickle.loads(pickle.dumps(request)) == request


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rate": 0}, "is not a frame rate"),
        ({"frames": (3, 3)}, "is not \\(first, end\\)"),
        ({"matte": 5}, "matte = 5 is of type int"),
        ({"grain_like": "https://x.org/a.png"}, "is an address"),
        ({"grain_table": ""}, "grain_table is empty"),
        ({"recipe": 7}, "recipe = 7 is of type int"),
        ({"settings": 7}, "are no settings"),
        ({"max_pixels": -1}, "is no number of pixels"),
        ({"as_": "clip"}, "as_ is 'clip'; it is one of stills, sequence, or None"),
    ],
)
def test_what_is_at_fault_in_itself_is_refused_as_it_is_made(given, said):
    with pytest.raises(gk.UserError, match=said):
        FinishRequest.of("a.png", **given)


def test_an_option_that_there_is_not_is_named(tmp_path):
    for job in (FinishRequest.of, gk.finish):
        with pytest.raises(TypeError, match="'qualty' is no option of a job; there are preset, recipe"):
            job(tmp_path / "a.png", qualty=3)


def test_who_is_told_must_be_a_function():
    for role in ("progress", "announce"):
        with pytest.raises(gk.InputError, match=f"{role} is a function to call, not 5"):
            Watch(**{role: 5})


def test_what_is_settled_is_decided_and_nothing_is_done(tmp_path):
    request = FinishRequest.of(numbered(tmp_path / "s", 5), f"{tmp_path}/new/", frames=(1, 3), **PLAIN)
    before = sorted(tmp_path.rglob("*"))
    with settle(request) as settled:
        assert (settled.plan.kind, settled.recipe.name, settled.info.frames) == ("clip", "video", 2)
        assert settled.words == ("--frames", "1:3")
        assert settled.plan.output.parent == tmp_path / "new"
        assert len(settled.inputs) == 5
        assert sorted(tmp_path.rglob("*")) == before
        report = run_settled(settled)
    assert report.frames == 2


def test_a_pipe_is_opened_once_and_a_sequence_too(tmp_path, monkeypatch):
    stream = y4m_of(clip(tmp_path / "c.nut", frames=4))

    class Once(io.BytesIO):
        def seek(self, *_):
            raise AssertionError("a pipe cannot be read twice")

    request = FinishRequest.of("-", tmp_path / "o.mp4", **PLAIN)
    assert run(request, Watch(stdin=Once(stream))).frames == 4
    opened = []
    whole = SequenceSource.__init__
    monkeypatch.setattr(
        SequenceSource, "__init__", lambda self, *told, **named: (opened.append(told), whole(self, *told, **named))[1]
    )
    run(FinishRequest.of(numbered(tmp_path / "s", 3), tmp_path / "s.mp4", **PLAIN))
    assert len(opened) == 1


def test_an_unsettled_job_leaves_its_source_closed(tmp_path, monkeypatch):
    closed = []
    whole = SequenceSource.close
    monkeypatch.setattr(SequenceSource, "close", lambda self: (closed.append(self), whole(self))[1])
    monkeypatch.setattr(settling, "plans_of", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), settle(FinishRequest.of(numbered(tmp_path / "s", 3), **PLAIN)):
        pass
    assert len(closed) == 1


def stills(folder):
    made = [still(folder / f"{name}.png", 64, 48, phase=at / 3) for at, name in enumerate(("ant", "bee", "cow"))]
    (folder / "bee.png").write_bytes(b"\x89PNG\r\n\x1a\n but not for long")
    return [FinishRequest.of(each, f"{folder}/out/", **PLAIN) for each in made]


@pytest.mark.parametrize("executor", [OneByOne(), SideBySide(2)])
def test_a_series_runs_wherever_its_executor_does(tmp_path, executor):
    (tmp_path / "out").mkdir()
    outcomes = list(run_series(stills(tmp_path), executor))
    assert [getattr(each.result, "frames", None) for each in outcomes] == [1, None, 1]
    assert (outcomes[1].result.exit_status, "bee.png" in outcomes[1].result.message) == (2, True)
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == ["ant.video.png", "cow.video.png"]
    assert leftovers(tmp_path / "out") == []


def test_a_folder_of_stills_is_a_series_of_reports(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for at, name in enumerate(("ant", "bee")):
        still(folder / f"{name}.png", 64, 48, phase=at / 3)
    reports = gk.finish_series(folder, tmp_path / "out", **PLAIN)
    assert [Path(each.output).name for each in reports] == ["ant.video.png", "bee.video.png"]
    assert [each.skipped for each in gk.finish_series(folder, tmp_path / "out", resume=True, **PLAIN)] == [True, True]
    # Each is what it would be alone.
    alone = gk.finish(folder / "bee.png", tmp_path / "bee.png", **PLAIN)
    assert alone.sha256 == reports[1].sha256
    (one,) = gk.finish_series([numbered(tmp_path / "s", 3)], **PLAIN)
    assert (one.kind, one.frames) == ("clip", 3)


def test_one_of_a_series_that_fails_is_told_when_all_others_are_done(tmp_path):
    requests = stills(tmp_path)
    with pytest.raises(gk.UserError, match=r"^1 of 3 inputs failed; .*bee\.png: the PNG cannot be read"):
        gk.finish_series([each.input for each in requests], f"{tmp_path}/out/", **PLAIN)
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == ["ant.video.png", "cow.video.png"]
    with pytest.raises(gk.OutputError, match="do not fit into"):
        gk.finish_series(tmp_path, tmp_path / "one.png", **PLAIN)


def test_any_executor_will_do_and_what_ends_is_told():
    class Elsewhere:
        def map(self, work, items):
            assert pickle.loads(pickle.dumps(work)) is outcome_of
            yield from (Ended(-9) if at else Outcome(None) for at, _ in enumerate(items))

    requests = [FinishRequest.of("a.png"), FinishRequest.of("b.png")]
    first, second = run_series(requests, Elsewhere())
    assert first == Outcome(None)
    assert second.result.message.startswith("b.png: the process that was finishing it ended by signal 9; finish it")
