"""The session that changes the schema, and the sessions that it waits for.

One upgrade at a time, with timeouts that let the senders go first. A session that keeps it waiting is named by process
id, application and role. The statements of other sessions are never read: they may hold phone numbers and texts.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import DBAPIError

# The sessions that keep an upgrade waiting, and since when. Their statements are never read: they may hold phone
# numbers and texts.

_MOST_NAMED: Final = 3
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that holds a lock that the upgrade needs, or waits for it ahead of us."""

    pid: int
    application: str | None
    role: str | None
    kind: str | None  # PostgreSQL's backend_type
    open_s: float | None  # how long its transaction has been open; None: this role may not see it

    @property
    def is_client(self) -> bool:
        """Return whether a person can end the session without harm to the server's own work."""
        return bool(self.pid) and self.kind in (None, "client backend")

    def __str__(self) -> str:
        if not self.pid:
            return "a prepared transaction (pg_prepared_xacts names it)"
        facts = [f'application "{_printable(self.application)}"'] if self.application else []
        facts += [f"role {_printable(self.role)}"] if self.role else []
        facts += [self.kind or ""] if not self.is_client else []
        facts.append(
            "how long its transaction has been open is hidden from this role"
            if self.open_s is None
            else f"its transaction has been open for {_duration(self.open_s)}"
        )
        return f"pid {self.pid} ({', '.join(facts)})"


def _printable(name: str) -> str:
    """Return a name of any characters in printable form, cut to `_LONGEST_NAME` characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:_LONGEST_NAME]


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


_ACTIVITY: Final = """
    activity.application_name AS application, activity.usename AS role, activity.backend_type AS kind,
    CAST(extract(epoch FROM clock_timestamp() - activity.xact_start) AS double precision) AS open_s
"""

# Which other sessions hold a lock on this table? A prepared transaction has no pid. Only members of pg_read_all_stats
# see the times of other roles' sessions.
_HOLDERS: Final = text(f"""
    SELECT DISTINCT coalesce(held.pid, 0) AS pid, {_ACTIVITY}
      FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
     WHERE held.locktype = 'relation' AND held.granted AND held.relation = to_regclass(:table)
       AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND held.pid IS DISTINCT FROM pg_backend_pid()
""")

# Which sessions does this session wait for?
_BLOCKING: Final = text(f"""
    SELECT DISTINCT blocking.pid, {_ACTIVITY}
      FROM unnest(pg_blocking_pids(:pid)) AS blocking (pid)
      LEFT JOIN pg_stat_activity AS activity ON activity.pid = blocking.pid
""")


def lock_holders(connection: Connection, table: str, *, longer_than_s: float) -> Sequence[Blocker]:
    """Return sessions that hold a lock on `table`, the oldest transaction first.

    Only transactions older than `longer_than_s` seconds count, or of unknown age.
    """
    found = _blockers(connection.execute(_HOLDERS, {"table": table}).all())
    return [blocker for blocker in found if blocker.open_s is None or blocker.open_s >= longer_than_s]


def blockers_of(connection: Connection, pid: int) -> Sequence[Blocker]:
    """Return the sessions that the session `pid` waits for at this moment, the oldest transaction first."""
    return _blockers(connection.execute(_BLOCKING, {"pid": pid}).all())


# Which session holds the lock of upgrades? Its transactions are short, so the time of its connection counts.
_UPGRADING: Final = text("""
    SELECT held.pid, activity.application_name AS application,
           CAST(extract(epoch FROM clock_timestamp() - activity.backend_start) AS double precision) AS connected_s
      FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
     WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
       AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (CAST(held.classid AS bigint) << 32 | CAST(held.objid AS bigint)) = hashtext('sms.migrate')
""")


def upgrading_session(connection: Connection) -> str | None:
    """Return a description of the session that upgrades at this moment; None if there is none."""
    row = connection.execute(_UPGRADING).first()
    if row is None:
        return None
    facts = [f"pid {row.pid}"]
    facts += [f'application "{_printable(row.application)}"'] if row.application else []
    facts += [f"connected for {_duration(row.connected_s)}"] if row.connected_s is not None else []
    return ", ".join(facts)


def _blockers(rows: Sequence[Row[Any]]) -> list[Blocker]:
    found = {row.pid: Blocker(row.pid, row.application, row.role, row.kind, row.open_s) for row in rows}
    return sorted(found.values(), key=lambda blocker: -(blocker.open_s or 0))


def name_blockers(blockers: Sequence[Blocker]) -> str:
    """Return the names of the sessions, for a sentence. Without any, the sessions in the way come and go."""
    if not blockers:
        return "sessions that come and go"
    listed = ", ".join(str(blocker) for blocker in blockers[:_MOST_NAMED])
    more = len(blockers) - _MOST_NAMED
    return f"{listed} and {more} more" if more > 0 else listed


def blocker_advice(blockers: Sequence[Blocker], *, open_s: float) -> str:
    """Return the advice for a person: end only sessions whose transaction has been open for `open_s` seconds.

    A sender that held the table just when the last try gave up is not the cause of the failure.
    """
    if any(not blocker.pid for blocker in blockers):
        return "Commit the prepared transaction, or roll it back: it does not end by itself"
    lasting = [each.pid for each in blockers if each.is_client and each.open_s is not None and each.open_s >= open_s]
    if not lasting:
        return "Wait until it has ended"
    ends = ", ".join(f"pg_terminate_backend({pid})" for pid in lasting[:_MOST_NAMED])
    return f"Wait until it has ended, or end it: SELECT {ends}"


Progress = Callable[[str], None]
"""A function that receives a sentence for the person who waits for the upgrade."""

LOCK_WAIT_S: Final = 0.4
"""The longest wait for a lock: a session that waits makes every session behind it wait, too."""

_SETTINGS: Final = {
    "application_name": "campaigns migrate",
    "lock_timeout": f"{LOCK_WAIT_S * 1000:.0f}ms",
    "statement_timeout": "0",  # a statement under a lock has its own limit: see `migrations.lock_table`
    "idle_in_transaction_session_timeout": "5s",  # a frozen process keeps its locks no longer
    "idle_session_timeout": "60s",  # a frozen or unreachable process does not block the next upgrade
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
}

# May this session upgrade? The lock belongs to the session; earlier versions take this lock for a transaction.
_TRY: Final = text("SELECT pg_try_advisory_lock(hashtext('sms.migrate'))")

_REMIND_EVERY_S: Final = 30.0
_ASK_EVERY_S: Final = (0.05, 1.0)


@contextmanager
def upgrade_session(engine: Engine, report: Progress) -> Iterator[Connection]:
    """Open a connection that holds the lock of upgrades. Both end with the block, or with the connection.

    The lock and the work share one session on purpose. A lost connection releases the lock, and a statement that goes
    on after its process was killed keeps the next upgrade away until it ends.
    """
    with engine.connect() as connection:
        try:
            for name, value in _SETTINGS.items():
                connection.execute(text(f"SET {name} = '{value}'"))
            connection.commit()
            _wait_for_turn(connection, report)
            yield connection
        finally:
            connection.invalidate()  # the session ends: the pool must not hand out its settings and its lock


def _wait_for_turn(connection: Connection, report: Progress) -> None:
    """Try to take the lock until it is free, however long another upgrade takes.

    The lock is polled: a session that waits inside PostgreSQL holds a snapshot, and CREATE INDEX CONCURRENTLY would
    wait for this snapshot.
    """
    pause_s, longest_s = _ASK_EVERY_S
    reminder = 0.0
    while not _try_lock(connection):
        if time.monotonic() >= reminder:
            report(f"another upgrade is at work ({_holder(connection)}): waiting until it has ended")
            reminder = time.monotonic() + _REMIND_EVERY_S
        time.sleep(random.uniform(0.5, 1.0) * pause_s)  # noqa: S311 - jitter, no secret
        pause_s = min(1.5 * pause_s, longest_s)


def _try_lock(connection: Connection) -> bool:
    with connection.begin():
        return bool(connection.execute(_TRY).scalar_one())


def _holder(connection: Connection) -> str:
    with connection.begin():
        return upgrading_session(connection) or "it has just ended"


@contextmanager
def outside_transactions(connection: Connection) -> Iterator[Connection]:
    """Put the connection into autocommit mode for the block. Afterwards its mode is as before, even after an error."""
    connection.execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield connection
    finally:
        if not connection.invalidated:
            connection.rollback()
            connection.execute(text(f"SET lock_timeout = '{_SETTINGS['lock_timeout']}'"))
            connection.rollback()
            connection.execution_options(isolation_level="READ COMMITTED")


# ── while a step of an upgrade waits inside PostgreSQL, report the session that it waits for ──

_LOOK_EVERY_S: Final = 0.2
_REPORT_AFTER_S: Final = 1.0
_REPORT_EVERY_S: Final = 30.0


class Watch:
    """Watches, from a connection of its own, which sessions the upgrade's session waits for."""

    def __init__(self, engine: Engine, report: Progress) -> None:
        self.blockers: Sequence[Blocker] = ()
        self._engine = engine
        self._report = report

    @contextmanager
    def over(self, connection: Connection, doing: str) -> Iterator[None]:
        """Watch the session of `connection` during the block. `blockers` then holds the last sessions it waited for."""
        self.blockers = ()
        pid = int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        ended = threading.Event()
        thread = threading.Thread(
            target=self._watch_session, args=(ended, pid, doing), name="watch of the upgrade", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _watch_session(self, ended: threading.Event, pid: int, doing: str) -> None:
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                self._report_until(ended, connection, pid, doing)
        except DBAPIError:
            return  # without the database there is no session to watch; the upgrade itself fails

    def _report_until(self, ended: threading.Event, connection: Connection, pid: int, doing: str) -> None:
        report_at: float | None = None
        while not ended.wait(_LOOK_EVERY_S):
            found = blockers_of(connection, pid)
            if not found:
                report_at = None
                continue
            self.blockers = found
            report_at = time.monotonic() + _REPORT_AFTER_S if report_at is None else report_at
            if time.monotonic() >= report_at:
                self._report(f"{doing}: it waits for {name_blockers(found)}; sending goes on meanwhile")
                report_at += _REPORT_EVERY_S
