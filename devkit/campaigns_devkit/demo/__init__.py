"""The whole installation on one machine: servers, workers, beat, Flower and the sandbox gateway.

    command      `campaigns demo`
    demo_run     one campaign from a file to a verdict for every recipient, and the check of its record
    sample       recipients with unassigned numbers, in all the spellings that people use
    environment  the settings that make a campaign take seconds instead of days
    runner       the process that starts all others, keeps them running and leaves none behind
    control      how a command starts a runner, finds one, lets it stay or stops it
    gateway_ledger  the messages that the gateway sent, by its own record

Nothing here reads or uses DATABASE_URL, CAMPAIGNS_BROKER_URL or KAVENEGAR_API_KEY: a demo never touches a real account.
"""
