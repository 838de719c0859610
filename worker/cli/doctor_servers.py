"""Check the broker, the pace, the workers behind it, the gateway, and the clocks of all of them.

Due times and leases go by the database's clock, and durations by a steady clock. So the clocks of two of our hosts may
differ; only the times in their logs are then wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from kavenegar_campaigns.api import admin, gateway
from kavenegar_campaigns.api.gateway import CREDIT_TOO_LOW, AccountConfig
from kavenegar_campaigns.context import PacedClient, connect_redis
from kavenegar_campaigns.errors import CampaignsError, GatewayError
from kavenegar_campaigns.rules.batches import MAX_CLOCK_SKEW
from kavenegar_worker import queues, wiring
from kavenegar_worker.cli.output import Finding, Level, format_duration
from kavenegar_worker.cli.pace import pause_sentence, rate_origin
from kavenegar_worker.logs import first_line, redact

CLOCKS_ANSWER_WITHIN_S: Final = 1.0
HOST_CLOCK_TOLERANCE_S: Final = 5.0
GATEWAY_CLOCK_TOLERANCE_S: Final = 60.0


def check_host_clock() -> Finding:
    """Compare this host's clock with the database's."""
    return _clock_finding("clock", {"this host": _offset_s(time.time())})


def check_process_clocks(workers: int) -> Iterator[Finding]:
    """Compare the clocks of beat and of the workers that have just answered with the database's."""
    off = dict(_worker_offsets(workers))
    try:
        beat = queues.read_beat_clock(wiring.broker())
    except RedisError:
        beat = None  # the check `broker` reports this
    if beat is not None:
        off["beat"] = _offset_s(beat)
    if off:
        yield _clock_finding("clocks", off)


def _worker_offsets(count: int) -> Iterator[tuple[str, float]]:
    """Return how far the clock of each worker is ahead of the database's at the moment of its answer."""
    from kavenegar_worker.app import app  # noqa: PLC0415 - Celery takes a while to import, and no other command needs it
    from kavenegar_worker.process import WALL_CLOCK  # noqa: PLC0415 - likewise

    off: dict[str, float] = {}

    def compare(answer: dict[str, dict[str, float]]) -> None:
        off.update({name: _offset_s(clock["wall_s"]) for name, clock in answer.items() if "wall_s" in clock})

    with suppress(BrokerError):  # the check `workers` reports this
        app.control.broadcast(WALL_CLOCK, reply=True, timeout=CLOCKS_ANSWER_WITHIN_S, limit=count, callback=compare)
    yield from sorted(off.items())


def _offset_s(wall_s: float) -> float:
    """Return the seconds by which a clock with this reading is ahead of the database's."""
    return wall_s - wiring.database().now().timestamp()


def _clock_finding(name: str, off: Mapping[str, float]) -> Finding:
    """Return the finding about the clocks in `off`: each name with its offset in seconds."""
    says = ", ".join(f"{whose}: {_describe_offset(off_s)} the database's" for whose, off_s in off.items())
    if all(abs(off_s) <= HOST_CLOCK_TOLERANCE_S for off_s in off.values()):
        return Finding(name, Level.OK, says)
    says += "; times in logs and in Flower are wrong by that, and nothing is sent earlier, later or twice for it"
    return Finding(name, Level.WARN, says, "set the clocks by NTP, of these hosts and of the database's")


def check_gateway_clock(asked: PacedClient) -> Iterator[Finding]:
    """Compare the gateway's clock with the database's."""
    try:
        theirs = asked.getdate().unixtime
    except GatewayError as why:
        yield Finding("gateway clock", Level.WARN, f"it could not be read: {why}")
        return
    off_s = theirs - wiring.database().now().timestamp()
    says = f"the gateway's is {_describe_offset(off_s)} the database's"
    if abs(off_s) <= GATEWAY_CLOCK_TOLERANCE_S:
        yield Finding("gateway clock", Level.OK, says)
        return
    says += (
        ": dates that are handed to it are kept by its clock, and beyond "
        f"{format_duration(MAX_CLOCK_SKEW.total_seconds())} the ledger and the inbox may miss what lies at a day's edge"
    )
    yield Finding("gateway clock", Level.WARN, says, "set the clock of the database's host by NTP")


def _describe_offset(off_s: float) -> str:
    """Describe an offset between two clocks: `0 s from`, `6 s ahead of`, `5 h behind`."""
    if round(off_s) == 0:
        return "0 s from"
    return f"{format_duration(abs(off_s))} {'ahead of' if off_s > 0 else 'behind'}"


# ── workers of another database on the same queues ──
#
# A task carries an id, and an id of one database means no row, or another row, in another database. Nothing is lost,
# since a claim decides. But a task that the wrong worker takes is published again only after REENQUEUE_AFTER, and a
# task that creates a campaign creates it in the wrong database.

DATABASES_ANSWER_WITHIN_S: Final = 2.0


def foreign_workers(count: int) -> dict[str, str]:
    """Return the workers of another database, with that database, among those that have just answered.

    A worker of an older version gives no database and counts as ours. So do all while our database is away.
    """
    from kavenegar_worker.app import app  # noqa: PLC0415 - Celery takes a while to import, and no other command needs it
    from kavenegar_worker.process import DATABASE_LABEL  # noqa: PLC0415 - likewise

    try:
        with wiring.engine().connect() as connection:
            here = admin.database_label(connection)
    except SQLAlchemyError:
        return {}  # the check `database` reports this
    databases: dict[str, str] = {}

    def record(answer: Mapping[str, Mapping[str, str]]) -> None:
        databases.update({name: said["database"] for name, said in answer.items() if "database" in said})

    with suppress(BrokerError):  # the check `workers` reports this
        app.control.broadcast(
            DATABASE_LABEL, reply=True, timeout=DATABASES_ANSWER_WITHIN_S, limit=count, callback=record
        )
    return {name: database for name, database in databases.items() if database != here}


def foreign_workers_finding(foreign: Mapping[str, str]) -> Finding:
    """Return the finding about workers of another database, with the remedy."""
    says = (
        f"{', '.join(sorted(foreign))} work for another database, {', '.join(sorted(set(foreign.values())))}: "
        "each installation takes tasks of the other, which are late by that, or carried out in the wrong database"
    )
    do = (
        "give each installation a database of the broker for itself, by another number at the end of its "
        "CAMPAIGNS_BROKER_URL (…:6379/1), and restart all its processes"
    )
    return Finding("installations", Level.BAD, says, do)


# ── the gateway: its answer, the account behind the key, its clock ──


def check_gateway() -> Iterator[Finding]:
    """Check that the gateway answers, the state of the account, and the gateway's clock."""
    try:
        context = wiring.context()
        credit, config = gateway.fetch_credit(context), gateway.fetch_settings(context)
    except DBAPIError:
        says = "it was not asked: the database does not take what it would say of the account"
        yield Finding("gateway", Level.WARN, says, "see what is said of the database")
        return
    except (GatewayError, CampaignsError) as why:
        yield Finding("gateway", Level.BAD, str(why), "correct the key or the address, or wait until it is back")
        return
    yield Finding("gateway", Level.OK, f"{wiring.endpoints().base_url} answers and takes the key")
    yield _check_credit(credit.remaincredit, gateway.low_credit(context, config.mincreditalarm))
    yield _check_debug_mode(config)
    yield from check_gateway_clock(context.gateway)


def _check_credit(rial: int, low_rial: int) -> Finding:
    says = f"{rial:,} rial are left"
    if rial < low_rial:
        return Finding(
            "credit", Level.WARN, says, f"top up before it stops: {CREDIT_TOO_LOW} puts the whole account on hold"
        )
    return Finding("credit", Level.OK, says)


def _check_debug_mode(config: AccountConfig) -> Finding:
    if not config.debugmode:
        return Finding("debug mode", Level.OK, "it is off: what is sent is sent")
    do = "`campaigns account config --debug-mode off` ends that"
    return Finding("debug mode", Level.BAD, "the account is in DEBUG MODE: nothing is sent to anybody", do)


# ── the broker, the pace in it, and the workers behind it ──

WORKERS_ANSWER_WITHIN_S: Final = 1.0


TAKES_NO_WRITES: Final = (
    "let CAMPAIGNS_BROKER_URL lead to the primary, and give it memory: nothing can be published until then"
)


def check_broker(url: str | None) -> Finding:
    """Check that the broker answers."""
    if url is None:
        return Finding("broker", Level.BAD, "CAMPAIGNS_BROKER_URL is not set", "set it to a Redis or a Valkey")
    try:
        with connect_redis(url) as client:
            client.ping()
            queues.check_writes(client)
    except (ReadOnlyError, OutOfMemoryError) as why:
        return Finding(
            "broker", Level.BAD, f"it answers, and takes no writes: {first_line(why).rstrip('.')}", TAKES_NO_WRITES
        )
    except RedisError as why:
        return Finding(
            "broker", Level.BAD, f"it does not answer: {first_line(why)}", "start it, or correct CAMPAIGNS_BROKER_URL"
        )
    return Finding("broker", Level.OK, "it answers")


def check_pace() -> Finding:
    """Report the present pace."""
    try:
        view = wiring.pace().view()
    except CampaignsError as why:
        return Finding("pace", Level.BAD, str(why), "correct CAMPAIGNS_BROKER_URL, and KAVENEGAR_API_KEY or PACE_NAME")
    if paused := pause_sentence(view):
        do = "nothing: calls go on by themselves, slower; `campaigns pace --watch` shows how"
        return Finding("pace", Level.WARN, f"all calls pause {paused}", do)
    return Finding("pace", Level.OK, f"{view.rate:.2f} calls a second, {rate_origin(view)}")


def check_queue_lengths() -> Finding:
    """Report how many messages wait for the workers in the broker."""
    try:
        waiting = queues.lengths(wiring.broker())
    except RedisError as why:
        return Finding("waiting", Level.BAD, f"the queues cannot be measured: {redact(str(why))}", "see the broker")
    full = [name for name, count in waiting.items() if count >= queues.MAX_LENGTH[name]]
    if full:
        says = f"the queues {', '.join(full)} are full: nothing is added until their workers catch up"
        return Finding("waiting", Level.WARN, says, "see whether workers for them run, and what their logs say")
    lengths = ", ".join(f"{count:,} in {name}" for name, count in waiting.items() if count)
    return Finding(
        "waiting", Level.OK, f"messages wait for workers: {lengths}" if lengths else "no message waits for a worker"
    )


def check_workers() -> Iterator[Finding]:
    """Check which workers answer, that all work for this database, and that every queue has a worker."""
    from kavenegar_worker.app import app  # noqa: PLC0415 - Celery takes a while to import, and no other command needs it

    do = "start workers for the queues send, otp, poll, inbox and maint: see the Procfile"
    try:
        inspect = app.control.inspect(timeout=WORKERS_ANSWER_WITHIN_S)
        answered = inspect.active_queues() or {}
    except BrokerError as why:
        yield Finding("workers", Level.BAD, f"they cannot be asked: {redact(str(why))}", do)
        return
    foreign = foreign_workers(len(answered))
    if foreign:
        yield foreign_workers_finding(foreign)
    own = {name: those for name, those in answered.items() if name not in foreign}
    if not own:
        which = "none of this database" if foreign else "none"
        yield Finding("workers", Level.BAD, f"{which} answered within {WORKERS_ANSWER_WITHIN_S:.0f} s", do)
        return
    yield Finding("workers", Level.OK, f"{len(own)} answer: {', '.join(sorted(own))}")
    yield from check_process_clocks(len(answered))
    served = {queue["name"] for each in own.values() for queue in each}
    if missing := set(queues.NAMES) - served:
        yield Finding("queues", Level.BAD, f"nobody serves {', '.join(sorted(missing))}", do)
