"""The wire: what Kavenegar can be asked, what it answers, and how fast it may be asked.

    codes       the gateway's numbers as tables: return codes, message statuses
    methods     the 22 methods: their limits, their codes, and where the worker uses them
    limits      what the documentation forbids, found before anything leaves us
    form        parameters to a form body, fast for Persian
    envelope    an answer's bytes to its code, rows and metadata
    records/    a row to a typed record
    call        one request, checked and encoded
    calls/      every method as a Python function
    connection  a total deadline for every step, and the certain knowledge whether anything left us
    transport   one request over kept connections
    faults      our words for every error of the HTTP libraries
    client      makes a call, once: its answer, or one error of the tree
    throttle    the pace all workers share, kept in Redis (pace.lua)
    gateway     makes a call at the pace, with further tries: what the stations use

The gateway's own words stay inside this room: receptor, entries, messageid, localid.
"""
