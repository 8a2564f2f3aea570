"""Build the wheel, install it on every other supported Python of this machine, and use it away from the checkout.

    scripts/check-wheel [--lowest] [--tests] [VERSION]...

What is done with it: doctor, a clip, a still, a sequence, a pipe and bench, all of them tiny, with warnings as errors.
Environments stay under out/wheel until Python or the dependencies in pyproject.toml change, and for a week at most; the
wheel goes into them anew each time. Exit status 0 also where a Python, or the package index, is not to be had, which is
said.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
WORK = CHECKOUT / "out" / "wheel"
#: The Python of .venv, on which the tests run anyway.
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
PIP = ["-m", "pip", "--disable-pip-version-check", "--no-input"]
#: Warnings are errors, and neither the folder nor PYTHONPATH says what is imported.
ALONE = ["-I", "-W", "error"]
#: Libraries whose versions are told.
TOLD = ("av", "imagecodecs", "numba", "numpy", "opencv-python-headless", "pillow", "tifffile")

COMMANDS = [
    "doctor",
    "finish clip.mp4 --preset social/reel -o reel.mp4",
    "finish still.png --preset social/instagram-feed -o feed.jpg",
    "finish frames/f_%04d.png --preset video/sequence -o done/",
    "finish - -o - --quiet",
    "bench --size 64x48 --frames 1",
]
#: Run in the folder of the results: that they were made by the wheel, and are all there.
RESULTS = """
import sys
import grainkit

assert grainkit.__file__.startswith(sys.prefix), grainkit.__file__
for name, frames in {"reel.mp4": 6, "feed.jpg": 1, "done": 4}.items():
    with grainkit.open_source(name) as source:
        assert sum(1 for _ in source) == frames, name
with open("out.y4m", "rb") as stream, grainkit.open_source("-", stdin=stream) as source:
    assert sum(1 for _ in source) == 3
"""


class Failed(Exception):
    """A step that did not end well; the message is what it said."""


class Unreachable(Exception):
    """The package index cannot be reached."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/check-wheel", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--lowest", action="store_true", help="with the lowest versions of the libraries allowed")
    parser.add_argument("--tests", action="store_true", help="run the checkout's tests with those libraries, too")
    parser.add_argument("version", nargs="*", help="such as 3.12: on these, and not on all but that of .venv")
    options = parser.parse_args()

    found = pythons()
    say("found " + (", ".join(f"Python {name} ({path})" for name, path in found.items()) or "no Python"))
    wanted = options.version or [name for name in found if name != OWN]
    if not wanted:
        say(f"skipped: there is no supported Python here but that of .venv, {OWN}")
        return 0
    whole = True
    wheel, inputs = built(), drawn()
    for version in wanted:
        if version not in found:
            say(f"Python {version} skipped: it is not found here, or not supported")
            continue
        try:
            check(version, found[version], wheel, inputs, lowest=options.lowest, tests=options.tests)
        except Unreachable:
            say(f"Python {version} skipped: the package index cannot be reached for what the wheel needs")
        except Failed as failure:
            whole = False
            say(f"Python {version} FAILED: {failure}")
    return 0 if whole else 1


def say(words: str) -> None:
    print(f"check-wheel: {words}", flush=True)


def ran(command: list[str | Path], folder: Path = CHECKOUT, stdin: bytes = b"") -> bytes:
    """What the command wrote on standard output. Failed, with all that it said, where it does not end with 0."""
    done = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}\n{said}")
    return done.stdout


def pythons() -> dict[str, Path]:
    lines = ran(["scripts/pythons"]).decode().splitlines()
    return {version: Path(path) for version, path in (line.split(" ", 1) for line in lines)}


def built() -> Path:
    shutil.rmtree(WORK / "dist", ignore_errors=True)
    ran([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", WORK / "dist", "."])
    (wheel,) = (WORK / "dist").glob("*.whl")
    return wheel


def drawn() -> Path:
    """A folder of inputs: still.png, clip.mp4 of 6 frames with sound, frames/ of 4, in.y4m of 3."""
    sys.path.insert(0, str(CHECKOUT / "tests"))
    from drawn import clip, numbered, still, y4m_of

    folder = WORK / "inputs"
    shutil.rmtree(folder, ignore_errors=True)
    numbered(folder / "frames", 4)
    still(folder / "still.png")
    clip(folder / "clip.mp4", codec="libx264", sound=True)
    (folder / "in.y4m").write_bytes(y4m_of(clip(folder / "clip.nut", frames=3)))
    return folder


def check(version: str, base: Path, wheel: Path, inputs: Path, *, lowest: bool, tests: bool) -> None:
    """Raises Failed or Unreachable."""
    began = time.monotonic()
    python = environment(version, base, wheel, lowest=lowest, tests=tests)
    renew(python, wheel)
    with tempfile.TemporaryDirectory(prefix="grainkit-wheel-") as name:
        folder = Path(name)
        shutil.copytree(inputs, folder, dirs_exist_ok=True)
        for command in COMMANDS:
            piped = (folder / "in.y4m").read_bytes() if " - " in command else b""
            said = ran([python, *ALONE, "-m", "grainkit", *command.split()], folder, piped)
            if piped:
                (folder / "out.y4m").write_bytes(said)
        ran([python, *ALONE, "-c", RESULTS], folder)
    installed = json.loads(ran([python, *PIP, "list", "--format", "json"]))
    told = ", ".join(f"{each['name']} {each['version']}" for each in installed if each["name"].lower() in TOLD)
    say(f"Python {version} passed in {time.monotonic() - began:.0f} s, with {told}")
    if tests and subprocess.run([python, "-m", "pytest"], cwd=CHECKOUT, check=False).returncode != 0:
        raise Failed("the tests above")


def environment(version: str, base: Path, wheel: Path, *, lowest: bool, tests: bool) -> Path:
    """The Python of a virtual environment that has what the wheel needs."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    needs, extras = project["dependencies"], project["optional-dependencies"]["test"] if tests else []
    place = WORK / (version + ("-lowest" if lowest else "") + ("-tests" if tests else ""))
    python, stamp = place / "bin" / "python", place / "made-of.json"
    made_of = json.dumps([ran([base, "-VV"]).decode(), str(base), needs, extras, time.strftime("%G-W%V")])
    if stamp.exists() and stamp.read_text() == made_of:
        return python
    shutil.rmtree(place, ignore_errors=True)
    ran([base, "-m", "venv", place])
    constraints = place / "constraints.txt"
    constraints.write_text("".join(re.sub(r"^([\w-]+)>=([\d.]+).*", r"\1==\2", n) + "\n" for n in needs if lowest))
    try:
        ran([python, *PIP, "install", "-c", constraints, f"{wheel}[test]" if tests else wheel])
    except Failed:
        # Not to be had, or refused? Every index has pip.
        try:
            ran([python, *PIP, "download", "--no-deps", "--no-cache-dir", "--dest", place / "probe", "pip"])
        except Failed as error:
            raise Unreachable from error
        raise
    stamp.write_text(made_of)
    return python


def renew(python: Path, wheel: Path) -> None:
    """Put this wheel in place of an earlier one, of which nothing stays: numba's cache lies beside its modules."""
    packages = Path(
        ran([python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).decode().strip()
    )
    ran([python, *PIP, "uninstall", "--yes", "grainkit"])
    shutil.rmtree(packages / "grainkit", ignore_errors=True)
    ran([python, *PIP, "install", "--no-index", "--no-deps", wheel])
    ran([python, *PIP, "check"])


if __name__ == "__main__":
    sys.exit(main())
