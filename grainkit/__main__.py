"""`python -m grainkit` is the `grainkit` command."""

import sys

from grainkit.cli import main

sys.exit(main())
