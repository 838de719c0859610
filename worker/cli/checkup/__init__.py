"""What a doctor looks at, from the ground up: what stands on a thing that is missing is not looked at.

Every finding is a sentence, and where something is wrong, what to do about it.

    finding     how it is told
    writes      whether the database takes what is written
    house       settings, database, and what the tables say of the house
    clocks      of this host, the database and the gateway
    dispatcher  does it tick, and if not, who is missing
    safety      what keeps messages from being sent twice: durability, the database's place and clock, the key
    listening   the lines that are pulled, and the gateway's callbacks
    servers     the broker, the pace in it, and the workers behind it
    installations  whether workers of another database take tasks from the same queues
    gateway     the gateway: its answer, the account, its clock
"""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.errors import CampaignsError
from worker import wiring
from worker.cli.checkup import gateway, house, servers
from worker.cli.checkup.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]


def examine() -> Iterator[Finding]:
    """Everything there is to look at, one finding after the other."""
    try:
        chosen = wiring.settings()
        where = wiring.places()
    except CampaignsError as why:
        for sentence in str(why).splitlines():
            yield Finding("settings", Level.BAD, sentence, "correct the setting; `campaigns settings` lists them all")
        return
    yield from house.settings(chosen)
    yield from house.database()
    broker = servers.broker(where.broker_url)
    yield broker
    if broker.level is Level.OK:
        yield servers.pace()
        yield from servers.workers()
        yield servers.queue_lengths()
        yield from gateway.findings()
