"""The `campaigns` command: every question a person or a script has, and every move they can make.

    root      the command itself, its help, and which commands it has
    door      the one way out: every error becomes a sentence and an exit code, never a traceback
    words     times, money, numbers and tables as people and programs read them
    standing  where a campaign stands at a moment
    live      its progress, as bars or as lines

and a file for each group of commands.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """The entry point of the installed command."""
    try:
        from worker.cli import door  # noqa: PLC0415 - it takes a second, in which people press Ctrl-C
    except KeyboardInterrupt:
        sys.stderr.write("campaigns: interrupted\n")
        sys.exit(130)
    door.main()
