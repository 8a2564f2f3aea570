"""The `grainkit` command: words in, exit status out."""

from __future__ import annotations

import io
import logging
import signal
import sys
from collections.abc import Sequence

from grainkit.hosts.cli import startup
from grainkit.hosts.cli.parser import Call, call_of
from grainkit.hosts.cli.streams import flush_standard_output, silence, write_out
from grainkit.hosts.cli.telling import show, tell
from grainkit.job.failures import failure_of, of_the_system
from grainkit.scale.interrupts import Interrupted, interrupts
from grainkit.unforeseen import doing


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
        number = interrupt.signal if isinstance(interrupt, Interrupted) else signal.SIGINT
        said = getattr(interrupt, "__notes__", None) or ["nothing unfinished was left behind"]
        return _failed(f"interrupted; {said[0]}", 128 + number)


def _run(arguments: Sequence[str] | None) -> int:
    call: Call | None = None
    try:
        call = call_of(arguments)
        with doing(f"running grainkit {call.name}"):
            status = call.run()
        flush_standard_output()
        return status
    except Exception as error:
        (silence if of_the_system(error) else write_out)(sys.stdout)
        if call is not None and call.debug:
            show(error)
        if isinstance(error, BrokenPipeError):
            return _failed("the program that reads the output stopped early", 1)
        failure = failure_of(error)
        return _failed(failure.message, failure.exit_status)


def _failed(message: str, status: int) -> int:
    tell(message)
    return status
