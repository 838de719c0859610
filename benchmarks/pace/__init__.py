"""The pace against limits it is not told, over HTTP.

    cases      what is measured, and the hidden limit of each
    callers    a worker process that calls as often as the pace lets it (a process of its own)
    watch      the pace as it stands, looked at again and again
    run        one case: a gateway, and its worker processes
    campaign   a real campaign over Celery workers while one-time passwords are asked for
    outcome    the figures of a case, from the gateway's own ledger
    plot       the calls and the rate against the hidden limit over time

`measure` runs the cases that were chosen, several at a time.
"""
