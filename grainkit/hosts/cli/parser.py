"""What may be written behind `grainkit`: a parser a command, and what its options ask for as plain values."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, cast

from grainkit import __version__
from grainkit.errors import UserError
from grainkit.hosts.cli import commands, suggest, words
from grainkit.hosts.cli.finish import finish as run_finish
from grainkit.hosts.cli.jobs import Order

if TYPE_CHECKING:
    from grainkit.job.request import Options

    Group = argparse._SubParsersAction["Parser"]


class Parser(argparse.ArgumentParser):
    """Raises UserError with what was probably meant, instead of printing its usage."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.flags: list[str] = []
        self.wants: dict[str, str] = {}
        self.commands: dict[str, Parser] = {}
        super().__init__(*arguments, **named)

    def add_argument(self, *names: str, **named: Any) -> argparse.Action:
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


@dataclass(frozen=True)
class Call:
    """A command that is to be run. name: its own. run: does it, and returns the exit status. debug: show tracebacks."""

    name: str
    run: Callable[[], int]
    debug: bool


def call_of(arguments: Sequence[str] | None) -> Call:
    """The command that these words ask for; None for the process's own. UserError where they are wrong."""
    options = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    return Call(options.command, lambda: run(options), options.debug)


def parser() -> Parser:
    """The parser of the whole command line. What it finds has `run`, which takes it and does the command."""
    made = Parser(
        "grainkit", description="The finishing step that AI pictures lack: grain and highlights for what follows."
    )
    made.add_argument("--version", action="version", version=f"grainkit {__version__}")
    group = made.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for add in (_finish, _presets, _params, _doctor, _warm_up, _bench):
        add(group)
    made.commands = dict(group.choices)
    for each in group.choices.values():
        each.add_argument("--debug", action="store_true", help="show where an error comes from, for a report")
    return made


def _finish(group: Group) -> None:
    finish = group.add_parser("finish", help="finish clips, stills or sequences by preset", epilog=_FINISH_EPILOG,
                              formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    _add_what(finish)
    _add_how(finish)
    _add_beside(finish)
    finish.set_defaults(run=lambda options: run_finish(_order(options)))


def _add_what(finish: Parser) -> None:
    """Options that say what is finished, and as what."""
    finish.add_argument("input", nargs="+", type=words.path, metavar="INPUT",
                        help="clip, still, folder, pattern f_%%05d.png, or - (Y4M)")  # fmt: skip
    finish.add_argument("-o", "--output", type=words.path, metavar="OUTPUT",
                        help="file, pattern, folder/, or - (Y4M on stdout); without: beside INPUT")  # fmt: skip
    finish.add_argument("--preset", metavar="NAME", help="what to deliver (default: social; see `grainkit presets`)")
    finish.add_argument("--recipe", type=words.path, metavar="FILE",
                        help="a .yaml recipe, or the .grainkit.txt of an earlier output")  # fmt: skip
    finish.add_argument("--source", default="auto", metavar="NAME", dest="source_profile",
                        help="where the picture comes from: flux, sdxl, midjourney, chatgpt, gemini or photo, which "
                             "adjusts the preset and declares the origin where the file claims none (default: auto, "
                             "neither)")  # fmt: skip
    finish.add_argument("--set", action="append", default=[], metavar="EFFECT.PARAM=VALUE", dest="settings",
                        help="change one value, e.g. cinema_grain.strength=1.5 or delivery.fit=cover")  # fmt: skip
    finish.add_argument("--seed", type=words.seed, metavar="N", help="what all noise is drawn by")
    finish.add_argument("--backend", default="auto", metavar="NAME", help="auto, cpu or cuda (default: auto)")
    finish.add_argument("--matte", type=words.path, metavar="FILE_OR_PATTERN",
                        help="your own grey matte in place of the one found: white where skin may be textured (paint "
                             "eyes, lips and hair black); a clip or sequence takes a clip or a pattern, frame by "
                             "frame, a series a folder of mattes called like the inputs. Texture still goes only "
                             "round faces that are found, and nowhere else")  # fmt: skip


def _add_how(finish: Parser) -> None:
    """Options that say how it is read and finished."""
    finish.add_argument("--device-memory", type=words.mebibytes, metavar="MIB",
                        help="what frames may take of the GPU's memory (default: most of what is free)")  # fmt: skip
    finish.add_argument(
        "--frames", type=words.frames, default=(0, None), metavar="A:B", help="frames A up to, not with, B"
    )
    finish.add_argument("--rate", type=words.rate, metavar="FPS",
                        help="of a numbered sequence, e.g. 25 or 30000/1001 (default: 24)")  # fmt: skip
    finish.add_argument("--adapt", action=argparse.BooleanOptionalAction,
                        help="adapt grain and highlights to what the platform's codec leaves of them: seconds for a "
                        "still, minutes for a clip (default: as the preset says)")  # fmt: skip
    finish.add_argument("--as", choices=("stills", "sequence"), dest="as_",
                        help="what numbered stills are: pictures of their own, or the frames of one clip (default: "
                        "found out by preset, sizes and how alike neighbours are, and said)")  # fmt: skip
    finish.add_argument("--pilot", action="store_true", help="a still also gets a clean 16-bit picture without grain")
    finish.add_argument("--grain-like", type=words.path, metavar="FILE",
                        help="a clip or still whose grain is measured, on plain surfaces, and laid")  # fmt: skip
    finish.add_argument("--grain-table", type=words.path, metavar="FILE",
                        help="the film grain table (filmgrn1) that an AV1 clip is to carry")  # fmt: skip
    finish.add_argument("--grain-table-out", type=words.path, metavar="FILE",
                        help="also write the grain an AV1 clip carries as a table")  # fmt: skip
    finish.add_argument("--hwaccel", metavar="NAME", default="",
                        help="cuda: decode a clip on the GPU and leave its frames there, with --backend cuda "
                        "(experimental: has not run on a card)")  # fmt: skip
    finish.add_argument("--workers", type=words.count, metavar="N",
                        help="stills of a series that are finished at once, a process each (default: one for each "
                        "core and 2 GiB of memory, where the series is worth it; not with CUDA)")  # fmt: skip


def _add_beside(finish: Parser) -> None:
    """Options that say what is made do with, what may be replaced and what is told."""
    finish.add_argument("--allow-truncated", action="store_true", help="finish what decodes of a damaged clip")
    finish.add_argument("--max-pixels", type=words.pixels, metavar="N",
                        help="refuse pictures with more pixels, such as 500M (default: 300M for stills, 150M for "
                             "frames of clips and pipes)")  # fmt: skip
    finish.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    finish.add_argument("--resume", action="store_true",
                        help="go on with an earlier run of the same job: what is whole stays, the rest is done, "
                             "and what a sequence has done is kept should this run end early")  # fmt: skip
    finish.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    finish.add_argument("--json", action="store_true", help="one JSON object on stdout")
    finish.add_argument("--quiet", action="store_true", help="no progress, no summary")


def _order(options: argparse.Namespace) -> Order:
    """What `finish` is asked for. Options of a job are called as in `grainkit.job.request.Options`."""
    given = dict(vars(options))
    del given["command"], given["run"]
    return Order(
        inputs=given.pop("input"), output=given.pop("output"), backend=given.pop("backend"),
        workers=given.pop("workers"), dry_run=given.pop("dry_run"), json=given.pop("json"), quiet=given.pop("quiet"),
        debug=given.pop("debug"), options=cast("Options", given),
    )  # fmt: skip


def _presets(group: Group) -> None:
    presets = group.add_parser("presets", help="list the presets, or print one fully resolved, with its sources")
    presets.add_argument("name", nargs="?", type=words.path, metavar="NAME")
    presets.add_argument("--explain", action="store_true",
                         help="what each value of it means, and which preset and source it comes from")  # fmt: skip
    presets.add_argument("--json", action="store_true", help="one JSON object on stdout")
    presets.set_defaults(
        run=lambda options: commands.presets(options.name, explain=options.explain, as_json=options.json)
    )


def _params(group: Group) -> None:
    params = group.add_parser("params", help="what each parameter means: values, unit, default, source")
    params.add_argument("name", nargs="?", metavar="EFFECT[.NAME]",
                        help="one or some: cinema_grain, skin_texture.age, delivery.still or adapt")  # fmt: skip
    params.add_argument("--json", action="store_true", help="one JSON object on stdout")
    params.set_defaults(run=lambda options: commands.params(options.name, as_json=options.json))


def _doctor(group: Group) -> None:
    doctor = group.add_parser("doctor", help="what works on this machine, and the remedy for what does not")
    doctor.add_argument("--selfcheck", action="store_true",
                        help="run every CUDA kernel and compare with the CPU, bit for bit")  # fmt: skip
    doctor.add_argument("--json", action="store_true", help="one JSON object on stdout")
    doctor.set_defaults(run=lambda options: commands.doctor(with_selfcheck=options.selfcheck, as_json=options.json))


def _warm_up(group: Group) -> None:
    warm_up = group.add_parser("warm-up", help="compile ahead what `finish` needs, such as in an image of a machine")
    warm_up.add_argument("--json", action="store_true", help="one JSON object on stdout")
    warm_up.add_argument("--quiet", action="store_true", help="no progress, no summary")
    warm_up.set_defaults(run=lambda options: commands.warm_up(quiet=options.quiet, as_json=options.json))


def _bench(group: Group) -> None:
    bench = group.add_parser("bench", help="how fast this machine is, stage by stage (under two minutes)")
    bench.add_argument("--backend", default="auto", metavar="NAME", help="auto, cpu or cuda (default: auto)")
    bench.add_argument("--size", type=words.size, metavar="WxH", help="one size instead of 720p, 1080p and 2160p")
    bench.add_argument("--frames", type=words.count, default=8, metavar="N", help="frames a round (default: 8)")
    bench.add_argument("--compare", nargs=2, type=words.path, metavar=("OLD", "NEW"),
                       help="two results of --json side by side")  # fmt: skip
    bench.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def run(options: argparse.Namespace) -> int:
        if options.compare:
            return commands.compare_benches(options.compare)
        return commands.bench(options.backend, options.size, options.frames, as_json=options.json)

    bench.set_defaults(run=run)


_FINISH_EPILOG = """\
examples:
  grainkit finish portrait.png --preset social/instagram-feed
  grainkit finish clip.mp4 --preset social/reel --set cinema_grain.strength=0.5
  grainkit finish frames/f_%05d.png -o finished/ --preset video/sequence --rate 25
  ffmpeg -i in.mov -f yuv4mpegpipe -strict -1 - | grainkit finish - -o - | ffmpeg -f yuv4mpegpipe -i - out.mkv

`grainkit params` says what each parameter means, `grainkit presets NAME --explain` where a preset's values come from.
"""
