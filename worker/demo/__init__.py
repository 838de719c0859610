"""The whole house on one machine, for a look at it: servers, workers, beat, Flower and the sandbox gateway.

    sample       recipients that nobody has, in all the spellings that people use
    surroundings the settings that make a campaign take seconds instead of days
    keeper       the process that starts everything, keeps it running and leaves nothing behind
    leash        how a command starts a keeper, finds one, and lets one go
    ledger       what the gateway says it really sent

Nothing here reads or uses DATABASE_URL, BROKER_URL or KAVENEGAR_API_KEY: a demo never touches a real account.
"""
