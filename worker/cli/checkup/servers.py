"""The broker, the pace in it, and the workers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError

from campaigns.errors import CampaignsError
from campaigns.kavenegar.throttle import connect
from worker import queues, wiring
from worker.cli.checkup import clocks, installations
from worker.cli.checkup.finding import Finding, Level
from worker.cli.pace import how_found, pause
from worker.logs import first_line, redact

WORKERS_ANSWER_WITHIN_S: Final = 1.0


TAKES_NO_WRITES: Final = "let BROKER_URL lead to the primary, and give it memory: nothing can be published until then"


def broker(url: str | None) -> Finding:
    """Whether it answers."""
    if url is None:
        return Finding("broker", Level.BAD, "BROKER_URL is not set", "set it to a Redis or a Valkey")
    try:
        with connect(url) as client:
            client.ping()
            queues.check_writes(client)
    except (ReadOnlyError, OutOfMemoryError) as why:
        return Finding(
            "broker", Level.BAD, f"it answers, and takes no writes: {first_line(why).rstrip('.')}", TAKES_NO_WRITES
        )
    except RedisError as why:
        return Finding("broker", Level.BAD, f"it does not answer: {first_line(why)}", "start it, or correct BROKER_URL")
    return Finding("broker", Level.OK, "it answers")


def pace() -> Finding:
    """How fast the gateway is called now."""
    try:
        view = wiring.pace().view()
    except CampaignsError as why:
        return Finding("pace", Level.BAD, str(why), "correct BROKER_URL, and KAVENEGAR_API_KEY or PACE_NAME")
    if paused := pause(view):
        do = "nothing: calls go on by themselves, slower; `campaigns pace --watch` shows how"
        return Finding("pace", Level.WARN, f"all calls pause {paused}", do)
    return Finding("pace", Level.OK, f"{view.rate:.2f} calls a second, {how_found(view)}")


def queue_lengths() -> Finding:
    """How many messages wait for the workers."""
    try:
        waiting = queues.lengths(wiring.broker())
    except RedisError as why:
        return Finding("waiting", Level.BAD, f"the queues cannot be measured: {redact(str(why))}", "see the broker")
    full = [name for name, count in waiting.items() if count >= queues.FULL[name]]
    if full:
        says = f"the queues {', '.join(full)} are full: nothing is added until their workers catch up"
        return Finding("waiting", Level.WARN, says, "see whether workers for them run, and what their logs say")
    told = ", ".join(f"{count:,} in {name}" for name, count in waiting.items() if count)
    return Finding(
        "waiting", Level.OK, f"messages wait for workers: {told}" if told else "no message waits for a worker"
    )


def workers() -> Iterator[Finding]:
    """Who answers, whether all of them work for this database, and which queues nobody serves."""
    from worker.app import app  # noqa: PLC0415 - Celery takes a while to import, and no other command needs it

    do = "start workers for the queues send, otp, poll, inbox and maint: see the Procfile"
    try:
        inspect = app.control.inspect(timeout=WORKERS_ANSWER_WITHIN_S)
        answered = inspect.active_queues() or {}
    except BrokerError as why:
        yield Finding("workers", Level.BAD, f"they cannot be asked: {redact(str(why))}", do)
        return
    foreign = installations.foreign_workers(len(answered))
    if foreign:
        yield installations.finding(foreign)
    own = {name: those for name, those in answered.items() if name not in foreign}
    if not own:
        which = "none of this database" if foreign else "none"
        yield Finding("workers", Level.BAD, f"{which} answered within {WORKERS_ANSWER_WITHIN_S:.0f} s", do)
        return
    yield Finding("workers", Level.OK, f"{len(own)} answer: {', '.join(sorted(own))}")
    yield from clocks.processes(len(answered))
    served = {queue["name"] for each in own.values() for queue in each}
    if missing := set(queues.NAMES) - served:
        yield Finding("queues", Level.BAD, f"nobody serves {', '.join(sorted(missing))}", do)
