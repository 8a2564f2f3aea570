"""`python -m grainkit` is the `grainkit` command."""

import sys

from grainkit.hosts.cli.command import command

if __name__ == "__main__":
    sys.exit(command())
