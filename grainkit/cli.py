"""The `grainkit` command: words in, exit status out."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from grainkit import __version__
from grainkit.errors import GrainkitError, InputError, UserError

if TYPE_CHECKING:
    from grainkit.pipeline import Progress


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 the user can mend it, 1 anything else."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except GrainkitError as error:
        print(f"grainkit: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("grainkit: interrupted; nothing was left behind", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output went away. Keep Python from complaining once more at exit.
        sys.stderr.write("grainkit: the program reading the output stopped early\n")
        sys.stdout = None  # type: ignore[assignment]
        return 1
    except OSError as error:
        print(f"grainkit: {error.strerror or error}: {error.filename or 'a file in use'}", file=sys.stderr)
        return 1


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("grainkit", description="The finishing step that AI pictures lack: grain and highlights for what follows.")
    parser.add_argument("--version", action="version", version=f"grainkit {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)

    finish = commands.add_parser("finish", help="finish clips, stills or sequences by preset", epilog=_FINISH_EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    finish.add_argument("input", nargs="+", metavar="INPUT", help="clip, still, folder, pattern f_%%05d.png, or - (Y4M)")
    finish.add_argument("-o", "--output", metavar="OUTPUT", help="file, folder/ for several inputs, or - (Y4M on stdout)")
    finish.add_argument("--preset", metavar="NAME", help="what to deliver (default: social; see `grainkit presets`)")
    finish.add_argument("--recipe", metavar="FILE", help="a .yaml recipe, or the .grainkit.txt of an earlier output")
    finish.add_argument("--set", action="append", default=[], metavar="EFFECT.PARAM=VALUE", dest="settings",
                        help="change one value, e.g. cinema_grain.strength=1.5 or delivery.fit=cover")  # fmt: skip
    finish.add_argument("--seed", type=_whole("--seed"), metavar="N", help="what all noise is drawn by")
    finish.add_argument("--backend", default="auto", metavar="NAME", help="auto, cpu or cuda (default: auto)")
    finish.add_argument("--frames", type=_frames, default=(0, None), metavar="A:B", help="frames A up to, not with, B")
    finish.add_argument("--rate", type=_rate, metavar="FPS", help="of a numbered sequence, e.g. 25 or 30000/1001 (default 24)")
    finish.add_argument("--pilot", action="store_true", help="a still also gets a clean 16-bit picture without grain")
    finish.add_argument("--allow-truncated", action="store_true", help="finish what decodes of a damaged clip")
    finish.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    finish.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    finish.add_argument("--json", action="store_true", help="one JSON object on stdout")
    finish.add_argument("--quiet", action="store_true", help="no progress, no summary")
    finish.set_defaults(run=_finish)

    presets = commands.add_parser("presets", help="list the presets, or print one fully resolved, with its sources")
    presets.add_argument("name", nargs="?", metavar="NAME")
    presets.add_argument("--json", action="store_true", help="one JSON object on stdout")
    presets.set_defaults(run=_presets)

    doctor = commands.add_parser("doctor", help="what works on this machine, and the remedy for what does not")
    doctor.add_argument("--json", action="store_true", help="one JSON object on stdout")
    doctor.set_defaults(run=_doctor)
    return parser


_FINISH_EPILOG = """\
examples:
  grainkit finish portrait.png --preset social/instagram-feed
  grainkit finish clip.mp4 --preset social/reel --set cinema_grain.strength=0.5
  grainkit finish frames/f_%05d.png -o finished/ --preset video/sequence --rate 25
  ffmpeg -i in.mov -f yuv4mpegpipe -strict -1 - | grainkit finish - -o - | ffmpeg -f yuv4mpegpipe -i - out.mkv

`grainkit presets NAME` shows every parameter, its value and its source.
"""


def _whole(option: str) -> Any:
    def read(text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None

    return read


def _frames(text: str) -> tuple[int, int | None]:
    first, colon, end = text.partition(":")
    try:
        found = int(first or 0), int(end) if end else None
    except ValueError:
        found = (-1, None)
    if not colon or found[0] < 0 or (found[1] is not None and found[1] <= found[0]):
        raise argparse.ArgumentTypeError(f"{text!r} is not A:B with 0 <= A < B, such as 10:20, :48 or 100:")
    return found


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame rate, such as 25 or 30000/1001 (0 to 1000 fps)")
    return rate


def _finish(options: argparse.Namespace) -> int:
    from grainkit.series import expand_inputs, output_for

    inputs = expand_inputs(options.input)
    several = len(inputs) > 1 or inputs != options.input
    results, failures = [], []
    for number, one in enumerate(inputs, start=1):
        try:
            output = output_for(one, options.output, several)
            label = f"[{number}/{len(inputs)}] " if several else ""
            results.append(_finish_one(one, output, options, label))
        except UserError as error:
            if not several:
                raise
            failures.append(error)
            print(f"grainkit: {one}: {error}", file=sys.stderr)
    if options.json:
        print(json.dumps(results[0] if not several else {"results": results, "failed": [str(f) for f in failures]}))
    if failures:
        print(f"grainkit: {len(failures)} of {len(inputs)} inputs failed, {len(results)} done", file=sys.stderr)
    return failures[0].exit_status if failures else 0


def _finish_one(input: str, output: str | None, options: argparse.Namespace, label: str) -> dict[str, Any]:
    from grainkit.pipeline import dry_run, finish

    told = {
        "preset": options.preset, "recipe": options.recipe, "seed": options.seed, "settings": options.settings,
        "frames": options.frames, "rate": options.rate, "allow_truncated": options.allow_truncated,
        "overwrite": options.overwrite,
    }  # fmt: skip
    if options.dry_run:
        plan = dry_run(input, output, **told)
        if not options.json:
            from grainkit.recipe import yaml_text

            print(yaml_text(plan), end="")
        return plan
    progress = None if options.quiet or not sys.stderr.isatty() else _progress(label + Path(input).name)
    report = finish(input, output, backend=options.backend, pilot=options.pilot, progress=progress, **told)
    if progress is not None:
        sys.stderr.write("\r\x1b[K")
    if not options.quiet:
        for note in report.notes:
            print(f"grainkit: {label}note: {note}", file=sys.stderr)
        if not options.json and report.output != "-":
            frames = f", {report.frames} frames" if report.kind != "still" else ""
            print(f"{label}{report.output}  {report.width}x{report.height}{frames}, {report.backend}, {report.seconds:.1f} s")
    return report.as_mapping()


def _progress(label: str) -> Progress:
    """A line on stderr: frames, rate and time left, redrawn at most ten times a second."""
    shown = [0.0]

    def show(done: int, total: int | None, rate: float) -> None:
        now = time.monotonic()
        if now - shown[0] < 0.1 and done != total:
            return
        shown[0] = now
        of = f"/{total}" if total else ""
        left = f", {max(0, total - done) / rate:.0f} s left" if total and rate > 0 else ""
        sys.stderr.write(f"\r\x1b[K{label}: frame {done}{of}, {rate:.1f} fps{left}")
        sys.stderr.flush()

    return show


def _presets(options: argparse.Namespace) -> int:
    from grainkit.recipe import load_recipe, preset_names, to_mapping, to_yaml

    if options.name is not None:
        recipe = load_recipe(options.name)
        print(json.dumps(to_mapping(recipe)) if options.json else to_yaml(recipe), end="" if not options.json else "\n")
        return 0
    described = {name: load_recipe(name).description for name in preset_names()}
    if options.json:
        print(json.dumps(described))
        return 0
    width = max(map(len, described))
    for name, description in described.items():
        print(f"{name:{width}}  {description}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from grainkit.doctor import examine

    findings = examine()
    if options.json:
        print(json.dumps([f.as_mapping() for f in findings]))
    else:
        for f in findings:
            print(f"{'ok  ' if f.works else 'no  '}{f.what:<18}{f.detail}" + (f"\n      {f.remedy}" if f.remedy else ""))
    return 0
