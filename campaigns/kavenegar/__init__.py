"""The wire: what Kavenegar can be asked, what it answers, and how fast it may be asked.

    codes       the gateway's numbers as tables: return codes, message statuses
    methods     the methods we call, with their limits and what a lost answer means for each
    form        parameters to a form body, fast for Persian
    envelope    an answer's bytes to its code and rows
    records     a row to a typed record
    connection  a total deadline for every step, and the certain knowledge whether anything left us
    transport   one POST over kept connections
    faults      whatever is no answer, to one error of the tree
    client      every method as a Python function
    throttle    the pace all workers share, kept in Redis (pace.lua)
    gateway     the client behind the pace: what the stations call

The gateway's own words stay inside this room: receptor, entries, messageid, localid.
"""
