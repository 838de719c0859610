"""The `campaigns` command, for people and for scripts.

    main      the command itself, its help, and which commands it has
    exits     exit codes, and the one sentence in which each error is reported: never a traceback
    output    prints times, money, numbers and tables, for people and as JSON
    options   arguments and options that several commands share, and the files that commands write
    progress  reads the state of a campaign, and shows its progress as bars or as lines

and a file for each group of commands.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def entry_point() -> NoReturn:
    """The entry point of the installed command."""
    try:
        from worker.cli import main  # noqa: PLC0415 - it takes a second, in which people press Ctrl-C
    except KeyboardInterrupt:
        sys.stderr.write("campaigns: interrupted\n")
        sys.exit(130)
    main.main()
