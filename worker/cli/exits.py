"""What the command says to the shell when it ends."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes. They are a promise: scripts decide by them."""

    FINE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_CHECKED = 4
    INTERRUPTED = 130
    NOBODY_READS = 141

    @property
    def meaning(self) -> str:
        """For the table in `campaigns --help`."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.FINE: "done, or the answer is yes",
    Exit.NO: "the answer is no: something is not true, not healthy, held, or refused by the gateway",
    Exit.USAGE: "what was asked for or given cannot be used; the sentence says what would be right",
    Exit.UNREACHABLE: "the database, the broker or the gateway cannot be reached, or is not ready",
    Exit.NOT_CHECKED: "nothing was found wrong, but not everything could be checked, for example at the gateway",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
    Exit.NOBODY_READS: "the reader of the output has gone",
}
