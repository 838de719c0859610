"""A process of one thread that calls the gateway at `sys.argv[2]` while its machine sleeps; prints what came of it."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable
from typing import Any

from kavenegar_campaigns.errors import CampaignsError
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.kavenegar.transport import Fault, Transport, prepare_request
from kavenegar_campaigns.rules.pace import Lane
from tests.kavenegar.scripted_server import API_KEY
from tests.sleeping import fall_asleep

DEADLINE_S = 60.0


def say(*words: object) -> None:
    """One line, at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def in_time_then_asleep(client: Client) -> None:
    """The machine falls asleep right after the look at the lease."""

    def look() -> bool:
        fall_asleep()
        return True

    client.send(["09120000001"], "x", sender=None, localids=[1], in_time=look)


def between_two_calls(client: Client) -> None:
    """The machine falls asleep while a connection rests."""
    client.status([1])
    fall_asleep()
    client.status([1])


def holding_a_slot(client: Client) -> None:
    """The machine falls asleep between the slot of the pace and the call."""
    throttle = Throttle(connect_redis(sys.argv[3]), account="sleeper", start_rate=500, max_rate=500)
    gateway = PacedClient(client, throttle)
    gateway.acquire_slot(Lane.POLL)
    fall_asleep()
    gateway.status([1])
    say("calls", throttle.view().lanes[Lane.POLL].calls)


def in_the_middle_of_a_write(_: Client) -> None:
    """The machine falls asleep, at a signal, while the server takes no more of a long request."""
    signal.signal(signal.SIGUSR1, lambda *_: (fall_asleep(), say("asleep")))
    transport = Transport(sys.argv[2], deadline_s=DEADLINE_S, connect_timeout_s=5, pool_size=1)
    with contextlib.suppress(Fault):
        transport.request(prepare_request(f"{sys.argv[2]}/v1/KEY/sms/send.json"), b"x" * 20_000_000)


CASES: dict[str, Callable[[Client], Any]] = {
    each.__name__: each for each in (in_time_then_asleep, between_two_calls, holding_a_slot, in_the_middle_of_a_write)
}

if __name__ == "__main__":
    try:
        CASES[sys.argv[1]](Client(API_KEY, sys.argv[2], deadline_s=DEADLINE_S, connect_timeout_s=5))
    except CampaignsError as why:
        say(type(why).__name__)
    else:
        say("done")
