"""The whole installation on one machine: servers, workers, beat, Flower and the sandbox gateway.

    command      `campaigns demo`
    demo_run     one campaign from a file to a verdict for every recipient, and the proof that the record is true
    sample       recipients that nobody has, in all the spellings that people use
    environment  the settings that make a campaign take seconds instead of days
    runner       the process that starts everything, keeps it running and leaves nothing behind
    control      how a command starts a runner, finds one, lets it stay or stops it
    gateway_ledger  the messages that the gateway says it really sent

Nothing here reads or uses DATABASE_URL, BROKER_URL or KAVENEGAR_API_KEY: a demo never touches a real account.
"""
