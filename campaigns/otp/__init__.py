"""One-time passwords: ordered in the caller's transaction, sent once, told about at once, followed by a call if asked.

The gateway takes no localid for them, so nobody can find out later what became of a request without an answer. Such a
one is unknown for good: it is never sent again by itself, and whoever ordered it is told.

    ordering  ordered in the caller's transaction, and how it stands
    send      one that is due: claim, call, write down
    follow    verdicts, and the calls that follow some of them
    looking   when one is asked about

The parts are imported one by one: whoever only orders needs no gateway.
"""
