"""The `campaigns` command: every question a person or a script has, and every move they can make.

    main      the command itself, its help, and which commands it has
    exits     exit codes, and the sentence with which every error leaves: never a traceback
    output    times, money, numbers and tables as people and programs read them
    options   arguments and options that several commands share, and the files that commands write
    progress  how a campaign stands at a moment, and its progress as bars or as lines

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
