"""Which sessions keep an upgrade waiting, and since when. What they ask of the database is never read: it may hold
phone numbers and texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, text

_MOST_NAMED: Final = 3
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that holds, or waits ahead of us for, what the upgrade needs."""

    pid: int
    application: str | None
    role: str | None
    kind: str | None  # PostgreSQL's backend_type
    open_s: float | None  # how long its transaction has been open; None: this role may not see it

    @property
    def is_client(self) -> bool:
        """Whether a person can end it without harm to the server's own work."""
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
    """A name that its owner chose, fit for one line."""
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

# Which other sessions hold a lock on this table? A prepared transaction has no pid. Of other roles' sessions only
# members of pg_read_all_stats see the times.
_HOLDERS: Final = text(f"""
    SELECT DISTINCT coalesce(held.pid, 0) AS pid, {_ACTIVITY}
      FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
     WHERE held.locktype = 'relation' AND held.granted AND held.relation = to_regclass(:table)
       AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND held.pid IS DISTINCT FROM pg_backend_pid()
""")

# For which sessions does this one wait?
_BLOCKING: Final = text(f"""
    SELECT DISTINCT blocking.pid, {_ACTIVITY}
      FROM unnest(pg_blocking_pids(:pid)) AS blocking (pid)
      LEFT JOIN pg_stat_activity AS activity ON activity.pid = blocking.pid
""")


def holders(connection: Connection, table: str, *, longer_than_s: float) -> Sequence[Blocker]:
    """Who holds a lock on `table` in a transaction older than that, or of unknown age; the oldest first."""
    found = _blockers(connection.execute(_HOLDERS, {"table": table}).all())
    return [blocker for blocker in found if blocker.open_s is None or blocker.open_s >= longer_than_s]


def blocking(connection: Connection, pid: int) -> Sequence[Blocker]:
    """For whom the session `pid` waits at this moment; the oldest transaction first."""
    return _blockers(connection.execute(_BLOCKING, {"pid": pid}).all())


# Which session holds the lock of upgrades? Its transactions are short: what counts is since when it is connected.
_UPGRADING: Final = text("""
    SELECT held.pid, activity.application_name AS application,
           CAST(extract(epoch FROM clock_timestamp() - activity.backend_start) AS double precision) AS connected_s
      FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity ON activity.pid = held.pid
     WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
       AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (CAST(held.classid AS bigint) << 32 | CAST(held.objid AS bigint)) = hashtext('sms.migrate')
""")


def upgrading(connection: Connection) -> str | None:
    """The session that upgrades at this moment, for a sentence. None: there is none."""
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


def named(blockers: Sequence[Blocker]) -> str:
    """The sessions, for a sentence. Where there is none: what holds locks comes and goes."""
    if not blockers:
        return "sessions that come and go"
    listed = ", ".join(str(blocker) for blocker in blockers[:_MOST_NAMED])
    more = len(blockers) - _MOST_NAMED
    return f"{listed} and {more} more" if more > 0 else listed


def advice(blockers: Sequence[Blocker], *, open_s: float) -> str:
    """What a person can do about them. Only who is known to have been in a transaction for `open_s` may be ended.

    A sender that happened to hold the table when the last try gave up is not what the upgrade fails for.
    """
    if any(not blocker.pid for blocker in blockers):
        return "Commit the prepared transaction, or roll it back: it does not end by itself"
    lasting = [each.pid for each in blockers if each.is_client and each.open_s is not None and each.open_s >= open_s]
    if not lasting:
        return "Wait until it has ended"
    ends = ", ".join(f"pg_terminate_backend({pid})" for pid in lasting[:_MOST_NAMED])
    return f"Wait until it has ended, or end it: SELECT {ends}"
