"""What a disk, a user or a stranger's file may do to an export: nothing half done, one line said, nothing left."""

import contextlib
import json
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import fuzz, fuzz_guided
from grainkit.errors import InputError, RecipeError
from grainkit.hosts.cli import command as cli
from grainkit.job.finish import finish
from grainkit.recipe.presets import parse_recipe, preset_names
from tests.drawn import clip, leftovers, numbered, still

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
OFF = ("skin_texture.strength=0",)


def test_exports_that_are_killed_leave_nothing_torn():
    """The whole harness is run by hand: python -m benchmarks.kill."""
    words = ["--kills", "4", "--seed", "2", "--job", "clip", "--job", "replaced", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kill", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(found["kills"] for found in json.loads(done.stdout).values()) == 4


@contextlib.contextmanager
def files_of_at_most(size):
    """No file of this process may grow beyond so many bytes: what a full disk does, and needs no disk for it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("output", ["o.mkv", "o.png", "frames/f_%03d.png"])
def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(tmp_path, capsys, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    source = (
        still(tmp_path / "in.png", 200, 150) if output == "o.png" else clip(tmp_path / "in.nut", width=160, frames=8)
    )
    words = ["finish", source.name, "--no-adapt", "--quiet", "--set", "skin_texture.strength=0", "-o"]
    assert cli.main([*words, "whole.png" if output == "o.png" else "whole.mkv"]) == 0
    before = sorted(p.name for p in tmp_path.iterdir())
    with files_of_at_most(4000):
        assert cli.main([*words, output]) == 2
    said = capsys.readouterr().err
    assert said.startswith("grainkit: cannot write ")
    assert "choose another folder with -o" in said
    assert said.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["sequence", "clip"])
def test_an_input_that_vanishes_is_named_and_nothing_is_left(tmp_path, kind):
    if kind == "sequence":
        source, gone = numbered(tmp_path / "in", 40), tmp_path / "in/f_0040.png"
    else:
        source = gone = clip(tmp_path / "c.nut", frames=8)
    with pytest.raises(InputError, match=str(gone)):
        finish(source, tmp_path / "out.nut", settings=OFF, progress=lambda *_: gone.unlink(missing_ok=True))
    assert not (tmp_path / "out.nut").exists()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_clip_that_is_damaged_midway_is_said_and_nothing_is_left(tmp_path, kind):
    source = clip(tmp_path / f"c.{kind}", codec="libx264", frames=30)
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = random.Random(1).randbytes(400)
    source.write_bytes(data)
    with pytest.raises(InputError, match=r"^.*truncated or damaged after frame .*--allow-truncated.*$"):
        finish(source, tmp_path / "out.nut", settings=OFF)
    assert not (tmp_path / "out.nut").exists()
    assert leftovers(tmp_path) == []


# Damage and malice, a small part of what benchmarks.fuzz runs


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    room = tmp_path_factory.mktemp("fuzz")
    seeds = fuzz.seeds(room)
    fuzz.prepare_inputs(seeds)
    return seeds


@pytest.fixture
def limit():
    """A case that hangs is a failure, not the end of the suite."""

    def hang(*_):
        raise fuzz.Finding("hang")

    before = signal.signal(signal.SIGALRM, hang)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", fuzz.CASES)
@pytest.mark.filterwarnings("default")  # what libraries say of damaged files is theirs to say
def test_a_sample_of_damaged_input_is_read_or_refused(good, limit, kind):
    outcomes = set()
    for number in range(8 if kind == "command" else 24):
        signal.setitimer(signal.ITIMER_REAL, 60)
        outcomes.add(fuzz.run_case(kind, number, good))
    assert len(outcomes) > 1  # some damage is found, and some files are still read


@pytest.mark.parametrize("name", fuzz_guided.TARGETS)
@pytest.mark.filterwarnings("default")
def test_what_guided_fuzzing_starts_from_passes_without_it(good, limit, name):
    """And a little of it damaged: what benchmarks.fuzz_guided asks of a case is asked here too."""
    target, draw = fuzz_guided.TARGETS[name], random.Random(name)
    signal.setitimer(signal.ITIMER_REAL, 60)
    outcomes = []
    for data in list(target.seeds(good))[:12]:
        outcomes.append(fuzz_guided.outcome(target, data, good))
        fuzz_guided.outcome(target, fuzz.damaged(data, draw), good)
    assert outcomes.count("done") > len(outcomes) / 3  # not all: some settings cannot be, and a CMYK JPEG is refused


def test_guided_fuzzing_without_atheris_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "atheris", None)
    with pytest.raises(SystemExit, match="it needs atheris, which is not installed: pip install atheris"):
        fuzz_guided.main(["table", "--corpus", str(tmp_path / "corpus")])
    assert not (tmp_path / "corpus").exists()


KEYS = [
    "effects", "cinema_grain", "strength", "size", "delivery", "still", "clip", "options", "proxies", "seed", "extends",
    "targets", "adapt", "name", "width", "codec", "depth", "container",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=20),
    st.sampled_from(["", "0", "cover", "libx264", "../x.yaml", *preset_names()]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
def test_a_recipe_of_any_shape_is_read_or_refused(values):
    with contextlib.suppress(RecipeError):
        parse_recipe(json.dumps({"grainkit": 1, **values}))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "[" * 500, "{a: " * 500, "x: " + "9" * 100_000,
        "- " * 30_000, "\n".join(["? a"] * 5000), '"' + "\\u0000" * 5000,
    ],
)  # fmt: skip
def test_a_recipe_made_to_fill_the_memory_is_refused(text):
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"grainkit: 1\n{text}")
    assert len(str(caught.value)) < 500
