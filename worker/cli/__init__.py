"""The `campaigns` command, for people and for scripts.

    main      the command itself, its help, and the list of its commands
    exits     exit codes, and the sentence for each error: never a traceback
    output    prints times, money, numbers and tables, for people and as JSON
    options   arguments and options that several commands share, and the files that commands write
    progress  reads the state of a campaign, and shows its progress as bars or as lines

and a file for each group of commands.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from kavenegar_campaigns.extras import missing


def entry_point() -> NoReturn:
    """Run the installed command: its entry point. Without the extra `worker` a sentence says how to install it."""
    sentence = missing("worker", "the command")
    if sentence is not None:
        sys.stderr.write(f"campaigns: {sentence}\n")
        sys.exit(2)
    try:
        from kavenegar_worker.cli import main  # noqa: PLC0415 - the import takes a second, in which people press Ctrl-C
    except KeyboardInterrupt:
        sys.stderr.write("campaigns: interrupted\n")
        sys.exit(130)
    main.main()
