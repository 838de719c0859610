"""The client of the Kavenegar gateway: every method, how it answers, and how fast it may be called.

    codes         the gateway's numbers as tables: return codes and message statuses
    methods       the methods as data: their limits, their codes, and where the worker uses them
    call          build one call: check its parameters, encode its form
    answers       read an answer: its bytes, its rows, the values of a row
    sending       methods: SMS, one-time passwords, voice calls
    sent_messages methods: status, outbox, cancel, with the records of messages
    inbox         methods: inbound messages, with their records
    account       methods: account, settings, clock, block lists of lines, with their records
    connection    a total deadline for every step, and whether a request has left this machine
    transport     one HTTP request over kept connections; every library error under a name of ours
    client        `Client`: one try of a call; its answer, or one error of the tree in `kavenegar_campaigns.errors`
    pace          the rate of calls that all workers share, kept in Redis (lua/)
    paced_client  `PacedClient`: makes calls at the pace, with further tries; the stages use this one

The gateway's own words stay inside this package: receptor, entries, messageid, localid.
"""
