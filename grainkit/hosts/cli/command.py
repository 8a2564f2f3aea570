"""The `grainkit` command: words in, exit status out."""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import io
import json
import logging
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypeGuard, cast

from grainkit import __version__
from grainkit.errors import GrainkitError, InputError, OutputError, RecipeError, UserError
from grainkit.hosts.cli import startup, suggest
from grainkit.scale.interrupts import interrupts
from grainkit.unforeseen import doing, done_meanwhile, in_one_line

if TYPE_CHECKING:
    from grainkit.job.report import Report
    from grainkit.job.request import FinishRequest, Options, Progress
    from grainkit.recipe.recipe import Recipe

#: Characters of a path that Linux takes; a longer word in a message is no path, and is cut.
_LONGEST_PATH = 4096
_NO_MEMORY = "out of memory; finish it at a smaller size, or fewer inputs at a time"


class _Parser(argparse.ArgumentParser):
    """Raises UserError with what was probably meant, instead of printing its usage."""

    def __init__(self, *told: Any, **named: Any) -> None:
        self.flags: list[str] = []
        self.wants: dict[str, str] = {}
        self.commands: dict[str, _Parser] = {}
        super().__init__(*told, **named)

    def add_argument(self, *names: Any, **named: Any) -> argparse.Action:
        self.flags += [name for name in names if name.startswith("-")]
        self.wants["/".join(names)] = f"{names[-1]} {named.get('metavar') or 'VALUE'}"
        return super().add_argument(*names, **named)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Each parser refuses what it does not know, by what it does know."""
        words = sys.argv[1:] if args is None else list(args)
        if self.commands and not set(words) & {*self.commands, "-h", "--help", "--version"} and words:
            word = next((word for word in words if not word.startswith("-")), None)
            if word is None:
                self.error(f"unrecognized arguments: {words[0]}{suggest.for_option(words[0], self.flags)}")
            known = ", ".join(self.commands)
            near = suggest.for_command(words, self.commands)
            self.error(f"invalid choice: {word!r} is no command (there are {known}){near}")
        if not self.commands and (word := suggest.dashed(words, self.flags)) is not None:
            self.error(f"unrecognized arguments: {word}{suggest.for_option(word, self.flags)}")
        found, unknown = super().parse_known_args(words, namespace)
        if unknown:
            from grainkit.recipe.catalogue import nearest_keys

            near = suggest.for_word(unknown[0], words)
            if unknown[0].startswith("-"):
                near = suggest.for_option(unknown[0], self.flags, nearest_keys)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{near}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        # The one message of argparse's that says too little.
        option, _, rest = message.removeprefix("argument ").partition(": ")
        if rest == "expected one argument" and option in self.wants:
            message = f"{option} needs a value behind it: {self.wants[option]}"
        raise UserError(f"{message}; see {self.prog} --help")


def command() -> int:
    """`main` in a process of its own."""
    startup.before_libraries()
    return main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 the user can mend it, 128 + N ended by signal N, 1 anything else."""
    startup.bear_closed_stderr()
    # Notes are printed with the result; without a handler Python would print them on stderr as well.
    logging.getLogger("grainkit").addHandler(logging.NullHandler())
    # A file's name may hold what the console cannot show, and even what is no text: that ends no command.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with interrupts():
            return _run(arguments)
    except KeyboardInterrupt as interrupt:
        number = getattr(interrupt, "signal", signal.SIGINT)
        said = getattr(interrupt, "__notes__", None) or ["nothing unfinished was left behind"]
        return _failed(f"interrupted; {said[0]}", 128 + number)


def _run(arguments: Sequence[str] | None) -> int:
    options = argparse.Namespace(debug=False)
    try:
        options = _parser().parse_args(arguments)
        with doing(f"running grainkit {options.command}"):
            status = int(options.run(options))
        _flush_standard_output()
        return status
    except Exception as error:
        (_silence if _of_the_system(error) else _settle)(sys.stdout)
        if options.debug:
            _show(error)
        if isinstance(error, BrokenPipeError):
            return _failed("the program that reads the output stopped early", 1)
        failure = _failure_of(error)
        return _failed(failure.message, failure.exit_status)


def _flush_standard_output() -> None:
    """OSError that names it, where it takes no more."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def _failure_of(error: Exception, input: str = "") -> _Failure:
    """What is told of an error, whatever it is. input: the one of a series that it failed."""
    if isinstance(error, GrainkitError):
        return _Failure(str(error), error.exit_status)
    place = f"{input}: " if input else ""
    if isinstance(error, MemoryError):
        return _Failure(f"{place}{_NO_MEMORY}", 1)
    if _of_the_system(error):
        if error.errno == errno.ENAMETOOLONG:
            return _Failure(f"{_cut(str(error.filename))}: {error.strerror}; give a shorter one", 2)
        told = f"{error.filename}: " if error.filename else place or f"{done_meanwhile(error)}: ".removeprefix(": ")
        return _Failure(f"{told}{error.strerror}", 1)
    return _Failure(in_one_line(error), 1)


def _of_the_system(error: Exception) -> TypeGuard[OSError]:
    """Whether the operating system refused, which its own words say; libraries raise OSError for much besides."""
    return isinstance(error, OSError) and error.errno is not None and type(error).__module__ == "builtins"


def _show(error: Exception) -> None:
    """The traceback, for --debug."""
    with contextlib.suppress(OSError):
        traceback.print_exception(error, file=sys.stderr)


def _failed(message: str, status: int) -> int:
    _tell(message)
    return status


def _tell(sentence: str) -> None:
    """A line on standard error; where that takes no more, nothing can be told."""
    with contextlib.suppress(OSError):
        print(f"grainkit: {_one_line(sentence)}", file=sys.stderr)


def _one_line(message: str) -> str:
    """What names of files and values given may break into several lines, or write all over a terminal."""
    shortened = re.sub(rf"\S{{{_LONGEST_PATH + 1},}}", lambda found: _cut(found[0]), message)
    return "".join(c if c.isprintable() else "?" for c in shortened)


def _cut(word: str) -> str:
    return word if len(word) <= 80 else f"{word[:60]}... ({len(word)} characters)"


def _settle(stream: Any) -> None:
    """Write out what a stream still holds, or silence it where that fails: the message is enough."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        _silence(stream)


def _silence(stream: Any) -> None:
    """Lead a stream that takes no more into nothing, or Python complains of it once more as it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "grainkit", description="The finishing step that AI pictures lack: grain and highlights for what follows."
    )
    parser.add_argument("--version", action="version", version=f"grainkit {__version__}")
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND", parser_class=_Parser
    )

    finish = commands.add_parser("finish", help="finish clips, stills or sequences by preset", epilog=_FINISH_EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    finish.add_argument("input", nargs="+", type=_path, metavar="INPUT",
                        help="clip, still, folder, pattern f_%%05d.png, or - (Y4M)")  # fmt: skip
    finish.add_argument("-o", "--output", type=_path, metavar="OUTPUT",
                        help="file, pattern, folder/, or - (Y4M on stdout); without: beside INPUT")  # fmt: skip
    finish.add_argument("--preset", metavar="NAME", help="what to deliver (default: social; see `grainkit presets`)")
    finish.add_argument("--recipe", type=_path, metavar="FILE",
                        help="a .yaml recipe, or the .grainkit.txt of an earlier output")  # fmt: skip
    finish.add_argument("--source", default="auto", metavar="NAME", dest="source_profile",
                        help="where the picture comes from: flux, sdxl, midjourney, chatgpt, gemini or photo, which "
                             "adjusts the preset and declares the origin where the file claims none (default: auto, "
                             "neither)")  # fmt: skip
    finish.add_argument("--set", action="append", default=[], metavar="EFFECT.PARAM=VALUE", dest="settings",
                        help="change one value, e.g. cinema_grain.strength=1.5 or delivery.fit=cover")  # fmt: skip
    finish.add_argument("--seed", type=_seed, metavar="N", help="what all noise is drawn by")
    finish.add_argument("--backend", default="auto", metavar="NAME", help="auto, cpu or cuda (default: auto)")
    finish.add_argument("--matte", type=_path, metavar="FILE_OR_PATTERN",
                        help="your own grey matte in place of the one found: white where skin may be textured (paint "
                             "eyes, lips and hair black); a clip or sequence takes a clip or a pattern, frame by "
                             "frame, a series a folder of mattes called like the inputs. Texture still goes only "
                             "round faces that are found, and nowhere else")  # fmt: skip
    finish.add_argument("--device-memory", type=_mebibytes, metavar="MIB",
                        help="what frames may take of the GPU's memory (default: most of what is free)")  # fmt: skip
    finish.add_argument("--frames", type=_frames, default=(0, None), metavar="A:B", help="frames A up to, not with, B")
    finish.add_argument("--rate", type=_rate, metavar="FPS",
                        help="of a numbered sequence, e.g. 25 or 30000/1001 (default: 24)")  # fmt: skip
    finish.add_argument("--adapt", action=argparse.BooleanOptionalAction,
                        help="adapt grain and highlights to what the platform's codec leaves of them: seconds for a "
                        "still, minutes for a clip (default: as the preset says)")  # fmt: skip
    finish.add_argument("--as", choices=("stills", "sequence"), dest="as_",
                        help="what numbered stills are: pictures of their own, or the frames of one clip (default: "
                        "found out by preset, sizes and how alike neighbours are, and said)")  # fmt: skip
    finish.add_argument("--pilot", action="store_true", help="a still also gets a clean 16-bit picture without grain")
    finish.add_argument("--grain-like", type=_path, metavar="FILE",
                        help="a clip or still whose grain is measured, on plain surfaces, and laid")  # fmt: skip
    finish.add_argument("--grain-table", type=_path, metavar="FILE",
                        help="the film grain table (filmgrn1) that an AV1 clip is to carry")  # fmt: skip
    finish.add_argument("--grain-table-out", type=_path, metavar="FILE",
                        help="also write the grain an AV1 clip carries as a table")  # fmt: skip
    finish.add_argument("--hwaccel", metavar="NAME", default="",
                        help="cuda: decode a clip on the GPU and leave its frames there, with --backend cuda "
                        "(experimental: has not run on a card)")  # fmt: skip
    finish.add_argument("--workers", type=_count, metavar="N",
                        help="stills of a series that are finished at once, a process each (default: one for each "
                        "core and 2 GiB of memory, where the series is worth it; not with CUDA)")  # fmt: skip
    finish.add_argument("--allow-truncated", action="store_true", help="finish what decodes of a damaged clip")
    finish.add_argument("--max-pixels", type=_pixels, metavar="N",
                        help="refuse pictures with more pixels, such as 500M (default: 300M for stills, 150M for "
                             "frames of clips and pipes)")  # fmt: skip
    finish.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    finish.add_argument("--resume", action="store_true",
                        help="go on with an earlier run of the same job: what is whole stays, the rest is done, "
                             "and what a sequence has done is kept should this run end early")  # fmt: skip
    finish.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    finish.add_argument("--json", action="store_true", help="one JSON object on stdout")
    finish.add_argument("--quiet", action="store_true", help="no progress, no summary")
    finish.set_defaults(run=_finish)

    presets = commands.add_parser("presets", help="list the presets, or print one fully resolved, with its sources")
    presets.add_argument("name", nargs="?", type=_path, metavar="NAME")
    presets.add_argument("--explain", action="store_true",
                         help="what each value of it means, and which preset and source it comes from")  # fmt: skip
    presets.add_argument("--json", action="store_true", help="one JSON object on stdout")
    presets.set_defaults(run=_presets)

    params = commands.add_parser("params", help="what each parameter means: values, unit, default, source")
    params.add_argument("name", nargs="?", metavar="EFFECT[.NAME]",
                        help="one or some: cinema_grain, skin_texture.age, delivery.still or adapt")  # fmt: skip
    params.add_argument("--json", action="store_true", help="one JSON object on stdout")
    params.set_defaults(run=_params)

    doctor = commands.add_parser("doctor", help="what works on this machine, and the remedy for what does not")
    doctor.add_argument("--selfcheck", action="store_true",
                        help="run every CUDA kernel and compare with the CPU, bit for bit")  # fmt: skip
    doctor.add_argument("--json", action="store_true", help="one JSON object on stdout")
    doctor.set_defaults(run=_doctor)

    warm_up = commands.add_parser("warm-up", help="compile ahead what `finish` needs, such as in an image of a machine")
    warm_up.add_argument("--json", action="store_true", help="one JSON object on stdout")
    warm_up.add_argument("--quiet", action="store_true", help="no progress, no summary")
    warm_up.set_defaults(run=_warm_up)

    bench = commands.add_parser("bench", help="how fast this machine is, stage by stage (under two minutes)")
    bench.add_argument("--backend", default="auto", metavar="NAME", help="auto, cpu or cuda (default: auto)")
    bench.add_argument("--size", type=_size, metavar="WxH", help="one size instead of 720p, 1080p and 2160p")
    bench.add_argument("--frames", type=_count, default=8, metavar="N", help="frames a round (default: 8)")
    bench.add_argument("--compare", nargs=2, type=_path, metavar=("OLD", "NEW"),
                       help="two results of --json side by side")  # fmt: skip
    bench.add_argument("--json", action="store_true", help="one JSON object on stdout")
    bench.set_defaults(run=_bench)
    parser.commands = dict(commands.choices)

    for each in commands.choices.values():
        each.add_argument("--debug", action="store_true", help="show where an error comes from, for a report")
    return parser


_FINISH_EPILOG = """\
examples:
  grainkit finish portrait.png --preset social/instagram-feed
  grainkit finish clip.mp4 --preset social/reel --set cinema_grain.strength=0.5
  grainkit finish frames/f_%05d.png -o finished/ --preset video/sequence --rate 25
  ffmpeg -i in.mov -f yuv4mpegpipe -strict -1 - | grainkit finish - -o - | ffmpeg -f yuv4mpegpipe -i - out.mkv

`grainkit params` says what each parameter means, `grainkit presets NAME --explain` where a preset's values come from.
"""


def _path(text: str) -> str:
    from grainkit.arguments import from_home

    return from_home(text)


def _seed(text: str) -> int:
    from grainkit.recipe.recipe import MAX_SEED

    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if not 0 <= seed <= MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {MAX_SEED}")
    return seed


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    try:
        found = int(width), int(height)
    except ValueError:
        found = (0, 0)
    if min(found) < 16:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1920x1080 (16 px or more each way)")
    return found


def _count(text: str, what: str = "whole number above 0") -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a {what}")
    return count


def _mebibytes(text: str) -> int:
    return _count(text, "whole number of MiB above 0, such as 4096") << 20


def _pixels(text: str) -> int:
    what = "number of pixels above 0, such as 500M"
    return _count(text[:-1], what) * 1_000_000 if text.endswith("M") else _count(text, what)


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
    from grainkit.arguments import as_rate

    try:
        rate = as_rate(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    assert rate is not None
    return rate


def _finish(options: argparse.Namespace) -> int:
    with _frames_apart(options):
        startup.load()
        from grainkit.machine.compiling import watched

        with watched(told=not options.quiet, shown=not options.quiet and sys.stderr.isatty()):
            return _finish_all(options)


def _finish_all(options: argparse.Namespace) -> int:
    from grainkit.job.series import at_once, expand_inputs, series_folder, series_output
    from grainkit.job.series_summary import series_summary
    from grainkit.recipe.catalogue import nearest_keys
    from grainkit.recipe.recipe import preset_names

    if (stray := suggest.stray_input(options.input, options.output, preset_names(), nearest_keys)) is not None:
        raise InputError(stray)
    if options.output == "-" and options.json and not options.dry_run:
        raise OutputError("--json and -o - both want standard output; leave one out")

    @functools.cache
    def recipe() -> Recipe:
        from grainkit.job.request import RecipeChoice
        from grainkit.job.settle import resolve_recipe

        choice = RecipeChoice(options.preset, options.recipe, options.settings, options.seed)
        return resolve_recipe(choice, piped=options.output == "-")

    taken = expand_inputs(
        options.input, options.matte, as_=options.as_, output=options.output,
        timed=options.frames != (0, None) or options.rate is not None, recipe=recipe, max_pixels=options.max_pixels,
    )  # fmt: skip
    inputs = taken.inputs
    for sentence in () if options.quiet else taken.said:
        _tell(sentence)
    if not taken.is_series:
        with doing(f"finishing {inputs[0]}"):
            report = _finish_one(inputs[0], options.output, options, "")
        if options.json:
            print(json.dumps(report))
        return 0

    # What is wrong with all of them is said once, and before any is begun.
    settled = recipe()
    output = options.output
    if len(inputs) > 1 or (output is not None and not Path(output).suffix):
        output = series_output(inputs, output, settled)
    jobs = [_Job(one, output, options, f"[{number}/{len(inputs)}] ") for number, one in enumerate(inputs, start=1)]
    count = 1 if options.dry_run else at_once(inputs, options.workers, options.backend)
    results, failed = [], []
    shown = not options.quiet and sys.stderr.isatty()
    with (
        series_folder(output if count > 1 else None),
        contextlib.closing(_finished(jobs, count, shown=shown)) as outcomes,
    ):
        for job, done in zip(jobs, outcomes, strict=True):
            if isinstance(done, _Failure):
                failed.append((job.input, done))
                _tell(done.message)
            else:
                results.append((job.input, done))
    if options.json:
        told = {
            "results": [done for _, done in results], "failed": [each.message for _, each in failed],
            "failed_inputs": [name for name, _ in failed],
            "skipped": [{"input": name, "reason": reason} for name, reason in taken.skipped.items()],
        }  # fmt: skip
        print(json.dumps(told))
    if failed or not options.quiet:
        again = {name for name, done in results if done.get("skipped")}
        skipped = {**dict.fromkeys((name for name, _ in results if name in again), "done already"), **taken.skipped}
        made = [name for name, _ in results if name not in again]
        _tell(series_summary(made, skipped, [name for name, _ in failed]))
    return min((each.exit_status for _, each in failed), default=0)


@dataclass(frozen=True)
class _Job:
    """One input of a series: what `_finish_one` takes."""

    input: str
    output: str | None
    options: argparse.Namespace
    label: str


@dataclass(frozen=True)
class _Failure:
    """What an input failed with."""

    message: str
    exit_status: int


@dataclass(frozen=True)
class _Apart:
    """What came of a job in another process, and what it said: (whether on stderr, text)."""

    done: Mapping[str, object] | _Failure
    said: tuple[tuple[bool, str], ...]


def _finished(
    jobs: Sequence[_Job], count: int, *, shown: bool
) -> Generator[Mapping[str, object] | _Failure, None, None]:
    """Reports of a series in its order, each with all it said before it; `count` at once."""
    if count == 1:
        yield from map(_done, jobs)
        return
    from grainkit.machine.compiled import is_cold
    from grainkit.scale.processes import Ended, side_by_side

    if is_cold():
        # The others take what the first one compiles, which would otherwise be compiled by each of them.
        yield _done(jobs[0])
        jobs = jobs[1:]

    def told(done: int) -> None:
        if shown:
            sys.stderr.write(f"\r\x1b[K{done} of {len(jobs)} stills done" if done < len(jobs) else "\r\x1b[K")
            sys.stderr.flush()

    with contextlib.closing(side_by_side(_done_apart, jobs, count, told)) as outcomes:
        for job, apart in zip(jobs, outcomes, strict=True):
            if shown:
                sys.stderr.write("\r\x1b[K")
            if isinstance(apart, Ended):
                yield _Failure(_ended(job.input, apart.code), 1)
                continue
            for on_stderr, text in apart.said:
                print(text, end="", file=sys.stderr if on_stderr else sys.stdout, flush=True)
            yield apart.done


def _ended(input: str, code: int | None) -> str:
    how = f"by signal {-code}" if code is not None and code < 0 else f"with status {code}"
    return (
        f"{input}: the process that was finishing it ended {how}; finish it again, and fewer at once with --workers if "
        "memory was short"
    )


def _done(job: _Job, *, apart: bool = False) -> Mapping[str, object] | _Failure:
    """What came of a job; apart: in a process of its own, whose standard output is kept."""
    try:
        with doing(f"finishing {job.input}"):
            startup.load()
            return _finish_one(job.input, job.output, job.options, job.label)
    except Exception as error:
        # Where standard output takes no more, nothing can be told of the rest either.
        if _of_the_system(error) and not error.filename and not apart:
            raise
        if job.options.debug:
            _show(error)
        return _failure_of(error, job.input)


def _done_apart(job: _Job) -> _Apart:
    """The same in a process of its own: what it says is kept, and nothing that fails goes further."""
    startup.before_libraries()
    said: list[tuple[bool, str]] = []
    with contextlib.redirect_stdout(_Kept(said, False)), contextlib.redirect_stderr(_Kept(said, True)):
        done = _done(job, apart=True)
    return _Apart(done, tuple(said))


class _Kept(io.TextIOBase):
    """A text stream that is kept, to be told in its turn."""

    def __init__(self, said: list[tuple[bool, str]], on_stderr: bool) -> None:
        super().__init__()
        self._said, self._on_stderr = said, on_stderr

    def write(self, text: str) -> int:
        self._said.append((self._on_stderr, text))
        return len(text)


def _finish_one(input: str, output: str | None, options: argparse.Namespace, label: str) -> Mapping[str, object]:
    from grainkit.job.dry_run import dry_run
    from grainkit.job.request import Watch
    from grainkit.job.run import run
    from grainkit.machine import system

    request = _request(input, output, options)
    stdin = _standard_input() if input == "-" else None
    if options.dry_run:
        plan = dry_run(request, Watch(stdin=stdin))
        if not options.json:
            from grainkit.recipe.recipe import yaml_text

            print(yaml_text(plan), end="")
        return plan

    def announce(sentence: str) -> None:
        if not options.quiet:
            print(f"grainkit: {label}{sentence}", file=sys.stderr, flush=True)

    shown = not options.quiet and sys.stderr.isatty()
    with _told_of_what_is_kept(options.resume), _progress(f"{label}{Path(input).name}", shown=shown) as progress:
        stdout = _standard_output(options) if output == "-" else None
        report = run(request, Watch(progress, announce, stdin, stdout))
    if not options.quiet:
        # Who has no such card need not hear what it lacks; `doctor` says it.
        if report.chosen_because and (not label or label.startswith("[1/")) and system.has_nvidia_driver():
            print(f"grainkit: note: finished on the CPU: {report.chosen_because}", file=sys.stderr)
        for note in report.notes:
            print(f"grainkit: {label}note: {_one_line(note)}", file=sys.stderr)
        if not options.json and report.output != "-":
            print(_line(report, label))
    return report.as_mapping()


def _request(input: str, output: str | None, options: argparse.Namespace) -> FinishRequest:
    """What the options ask for, of one input: each is called as in `grainkit.job.request.Options`."""
    from grainkit.job.request import FinishRequest, Options

    given = {name: value for name, value in vars(options).items() if name in Options.__annotations__}
    # Folders that are left by now are frames.
    given["as_"] = "sequence" if options.as_ or os.path.isdir(input) else None
    return FinishRequest.of(input, output, backend=options.backend, **cast("Options", given))


@contextmanager
def _told_of_what_is_kept(resume: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if resume:
            interrupt.add_note("what a sequence has done is kept for --resume, and nothing else unfinished")
        raise


def _line(report: Report, label: str) -> str:
    frames = f", {report.frames} frames" if report.kind != "still" else ""
    pilot = f"\n{label}{report.pilot}  pilot" if report.pilot else ""
    size = f"{report.width}x{report.height} {report.pixel_format}"
    if report.skipped:
        return f"{label}{report.output}  {size}{frames}, was done already{pilot}"
    went_on = f", of which {report.kept} were done already" if report.kept else ""
    return f"{label}{report.output}  {size}{frames}{went_on}, {report.backend}, {report.seconds:.1f} s{pilot}"


def _standard_input() -> BinaryIO:
    """Standard input as a reader of our own: a thread that still waits in Python's one would crash its end."""
    try:
        stream = open(0, "rb", closefd=False)  # noqa: SIM115 (it lives as long as the process)
    except OSError as error:
        raise InputError("standard input is closed; pipe Y4M into it, or name a file") from error
    if stream.isatty():
        raise InputError("standard input is a terminal; pipe Y4M into it, or name a file")
    return stream


def _standard_output(options: argparse.Namespace) -> BinaryIO:
    if options.stdout is not None:
        return options.stdout  # type: ignore[no-any-return]
    if sys.stdout is None:
        raise OutputError("standard output is closed; pipe it into a program that reads Y4M, or name a file with -o")
    if sys.stdout.isatty():
        raise OutputError(
            "standard output is a terminal; pipe it into a program that reads Y4M, or name a file with -o"
        )
    return sys.stdout.buffer


@contextmanager
def _frames_apart(options: argparse.Namespace) -> Iterator[None]:
    """Keep standard output for frames where they go there: what libraries print meanwhile goes to standard error.

    `options.stdout` is the stream for them; None where standard output is not the process's own, or takes no frames.
    """
    options.stdout = None
    if options.output != "-" or options.dry_run or not _is_own(sys.stdout):
        yield
        return
    sys.stdout.flush()
    ours = os.dup(1)
    stream = open(ours, "wb", closefd=False)  # noqa: SIM115 (it is closed below, whether it can be flushed or not)
    options.stdout = stream
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
        stream.flush()
    finally:
        with contextlib.suppress(OSError):
            stream.close()
        os.dup2(ours, 1)
        os.close(ours)


def _is_own(stream: Any) -> bool:
    """Whether a stream is file descriptor 1, and no terminal."""
    try:
        return stream is not None and stream.fileno() == 1 and not stream.isatty()
    except (OSError, ValueError):  # io.UnsupportedOperation is both
        return False


@contextmanager
def _progress(label: str, *, shown: bool) -> Iterator[Progress | None]:
    """A line on stderr with frames, rate and time left, redrawn ten times a second and wiped at the end."""
    if not shown:
        yield None
        return
    last = 0.0

    def show(done: int, total: int | None, rate: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.1 and done != total:
            return
        last = now
        of = f"/{total}" if total else ""
        left = f", {max(0, total - done) / rate:.0f} s left" if total and rate > 0 else ""
        sys.stderr.write(f"\r\x1b[K{label}: frame {done}{of}, {rate:.1f} fps{left}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _presets(options: argparse.Namespace) -> int:
    from grainkit.recipe.recipe import load_recipe, preset_names, to_mapping, to_yaml

    if options.explain:
        from grainkit.recipe.explain import explain_mapping, explain_text

        if options.name is None:
            raise RecipeError("--explain tells of one preset; name it, such as grainkit presets social/reel --explain")
        print(json.dumps(explain_mapping(options.name)) if options.json else explain_text(options.name))
        return 0
    if options.name is not None:
        recipe = load_recipe(options.name)
        print(json.dumps(to_mapping(recipe)) if options.json else to_yaml(recipe).rstrip())
        return 0
    described = {name: load_recipe(name).description for name in preset_names()}
    if options.json:
        print(json.dumps(described))
        return 0
    width = max(map(len, described))
    for name, description in described.items():
        print(f"{name:{width}}  {description}")
    return 0


def _params(options: argparse.Namespace) -> int:
    from grainkit.recipe.explain import parameter_mapping, parameter_text, select

    entries = select(options.name)
    print(json.dumps(parameter_mapping(entries)) if options.json else parameter_text(entries))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    startup.refuse_settings_of_numba()
    from grainkit.report.doctor import examine, selfcheck

    findings = [*examine(), *(selfcheck() if options.selfcheck else [])]
    status = int(any(f.broken for f in findings))
    if options.json:
        print(json.dumps({"findings": [f.as_mapping() for f in findings]}))
        return status
    width = max(len(f.what) for f in findings)
    for f in findings:
        print(f"{'ok' if f.works else 'no'}  {f.what:{width}}  {f.detail}")
        if f.remedy:
            print(f"    {'':{width}}  {f.remedy}")
    return status


def _warm_up(options: argparse.Namespace) -> int:
    startup.load()
    from grainkit.job.warm_up import warm_up

    def progress(done: int, total: int, what: str) -> None:
        if not options.quiet:
            print(f"grainkit: {done + 1}/{total}  {what}", file=sys.stderr, flush=True)

    warmth = warm_up(progress)
    if options.json:
        print(json.dumps(warmth.as_mapping()))
    elif not options.quiet:
        print(f"{warmth.functions} functions compiled in {warmth.seconds:.0f} s, kept in {warmth.kept_in}")
    return 0


def _bench(options: argparse.Namespace) -> int:
    startup.refuse_settings_of_numba()
    from grainkit.backends import open_backend
    from grainkit.report import bench

    if options.compare:
        (was, before), (now, after) = (bench.load(path) for path in options.compare)
        print(f"{was['backend']}  ->  {now['backend']}")
        print("\n".join(bench.compared(before, after)))
        return 0
    backend = open_backend(options.backend)
    try:
        about, sizes = bench.machine(backend), bench.SIZES if options.size is None else (options.size,)
        if not options.json:
            print(about["backend"])
        rows = []
        for row in bench.measure(backend, sizes, options.frames, stages=options.size or bench.STAGES_SIZE):
            rows.append(row)
            if not options.json:
                print(bench.line(row), flush=True)
        if options.json:
            print(json.dumps(bench.as_mapping(about, rows)))
    finally:
        backend.close()
    return 0
