"""The inbox: what people write to our lines is stored once and never lost, and handed to whoever wants to know.

The danger: `sms/receive` marks messages read *as it hands them out*. An answer that is lost on the way, or a crash
before our commit, and nobody is ever given them as new again.

    pull       one worker's turn at a line: a page is stored before the next one is asked for
    turn       what such a turn holds: the lease, and the doubt that was written down before the first call
    reconcile  after a lost answer: every message since the line was last known to be complete, read ones included;
               and the same for the last two days from time to time, for what others have read before us
    check      the gateway's own count against ours
    hand       to the user's own code, at least once: a Celery task or a signed webhook

The parts are imported one by one: whoever only looks needs no gateway.
"""
