"""Upgrade a database to the newest schema while workers use it.

Several processes may run it at once, and an interrupted upgrade can be run again. docs/upgrades.md says how it gives
way to the senders, and how to write a revision.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import psycopg.errors
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from kavenegar_campaigns.errors import NotReady
from kavenegar_campaigns.store import installation, migrations
from kavenegar_campaigns.store.migrations import InUse, Step, giving_way, session
from kavenegar_campaigns.store.migrations.session import (
    LOCK_WAIT_S,
    Blocker,
    Progress,
    Watch,
    outside_transactions,
    upgrade_session,
)
from kavenegar_campaigns.store.tables import SCHEMA

# ── how long an upgrade gives way to other sessions, and how long it pauses between two tries ──

PATIENCE_S: Final = 600.0
"""An upgrade that has spent so long on failed tries and pauses ends, and names the sessions in its way."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 15.0


class Retries:
    """The time that is left for failed tries and for the pauses between them, in seconds."""

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self.left_s = total_s
        self._pause_s = FIRST_PAUSE_S

    def spend(self, seconds: float) -> None:
        """Subtract the time of a failed try."""
        self.left_s = max(0.0, self.left_s - seconds)

    def pause(self) -> float:
        """Return the seconds to pause now, and spend them: half to one and a half of a pause that doubles each time."""
        pause = min(random.uniform(0.5, 1.5) * self._pause_s, self.left_s)  # noqa: S311 - jitter, no secret
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self.spend(pause)
        return pause

    def succeeded(self) -> None:
        """Make the next pause short again. The spent time stays spent."""
        self._pause_s = FIRST_PAUSE_S


_HERE: Final = Path(__file__).parent / "migrations"

RECONNECT_S: Final = 60.0
"""How long a database that goes away during an upgrade may stay away."""

ADOPTED: Final = (
    "from now on this database knows when it was restored or copied. If that happened before this upgrade, run "
    "`campaigns restored` now (`campaigns restored --copy` if the original goes on), before any worker starts: "
    "messages that are ready here may have left already"
)
"""A sentence for the person who upgrades a database of a version that could not recognise copies."""

# The server, or an administrator, ended the session.
_ENDED: Final = (
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.CannotConnectNow,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.IdleSessionTimeout,
)


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for our migrations, on `connection` where one is given."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config


def is_current(connection: Connection) -> bool:
    """Return whether the database is at the newest revision."""
    return _stands_at(connection) == ScriptDirectory.from_config(configuration()).get_current_head()


# Has the last step of the first upgrade been taken?
_ESTABLISHED: Final = text("SELECT EXISTS (SELECT FROM sms.installation) AND EXISTS (SELECT FROM sms.identity)")


def is_behind(connection: Connection) -> bool:
    """Return whether the upgrade to this version is incomplete. A database of a newer version is not behind."""
    stands_at, known = _stands_at(connection), [script.revision for script in revisions()]
    if stands_at is None or stands_at in known[:-1]:
        return True
    return not connection.execute(_ESTABLISHED).scalar_one()


def is_ahead(connection: Connection) -> bool:
    """Return whether a newer version has upgraded the database."""
    stands_at = _stands_at(connection)
    return stands_at is not None and stands_at not in [script.revision for script in revisions()]


def _stands_at(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision()


def revisions() -> list[Script]:
    """Return every revision, the first one first."""
    return [*ScriptDirectory.from_config(configuration()).walk_revisions()][::-1]


def _to_nobody(_: str) -> None:
    """Drop the sentence."""


def upgrade(
    engine: Engine, *, revision: str = "head", report: Progress = _to_nobody, patience_s: float = PATIENCE_S
) -> bool:
    """Create or upgrade the schema `sms`, revision by revision, and give a new database its epoch.

    `report` receives sentences: each step, and the sessions that the upgrade waits for. Returns whether any revision
    was applied.

    Raises: NotReady when other sessions were in the way for `patience_s`, a right is missing, or the database is newer
    than this version; sqlalchemy's OperationalError when the database cannot be reached.
    """
    return _Upgrade(engine, revision, report, patience_s).run()


class _Upgrade:
    """One call of `upgrade`: tries, and pauses between them in which no table is locked."""

    def __init__(self, engine: Engine, revision: str, report: Progress, patience_s: float) -> None:
        self._engine = engine
        self._report = report
        self._all = revisions()
        known = [script.revision for script in self._all]
        self._wanted = self._all if revision == "head" else self._all[: known.index(revision) + 1]
        self._watch = Watch(engine, report)
        self._retries = Retries(patience_s)
        self._reconnects = Retries(RECONNECT_S)
        self._applied = 0
        self._connected = False

    def run(self) -> bool:
        """Continue at the database's revision, also after a lost connection. Returns whether a revision was applied."""
        while True:
            try:
                with upgrade_session(self._engine, self._report) as connection:
                    self._connected = True
                    self._advance(connection)
                return bool(self._applied)
            except DBAPIError as error:
                if not (self._connected and _is_lost(error)):
                    raise
                self._reconnect(error)

    def _advance(self, connection: Connection) -> None:
        pending = self._pending(connection)
        if pending:
            migrations.ensure_rights(connection)
        for script in pending:
            name = f"revision {script.revision}"
            self._report(f"{name}: {script.doc.splitlines()[0]}")
            steps: Sequence[Step] = getattr(script.module, "outside", ())
            for step in steps:
                self._until_done(connection, step.doing, partial(self._run_step, connection, step))
            self._until_done(connection, name, partial(self._apply, connection, script))
        if self._wanted == self._all:
            self._until_done(connection, "the last step", partial(self._establish, connection))

    def _pending(self, connection: Connection) -> Sequence[Script]:
        """Return the revisions that are still to be applied, the next one first."""
        try:
            with connection.begin():
                stands_at = _stands_at(connection)
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                migrations.ensure_rights(connection)  # says what is missing
            raise
        known = [script.revision for script in self._all]
        if stands_at is not None and stands_at not in known:
            raise NotReady(
                f"the database stands at revision {stands_at}, which this version does not know: a newer version has "
                "upgraded it. Run that version, here too"
            )
        return self._wanted[0 if stands_at is None else known.index(stands_at) + 1 :]

    def _run_step(self, connection: Connection, step: Step) -> None:
        with outside_transactions(connection), self._watch.over(connection, step.doing):
            step.run(connection, patience_s=self._retries.left_s)

    def _apply(self, connection: Connection, script: Script) -> None:
        command.upgrade(configuration(connection), script.revision)
        self._applied += 1

    def _establish(self, connection: Connection) -> None:
        with connection.begin():
            adopted = installation.establish(connection)
        if adopted:
            self._report(ADOPTED)

    def _until_done(self, connection: Connection, doing: str, work: Callable[[], None]) -> None:
        """Try `work` until it is done. Between two tries the sessions that queued behind us proceed."""
        first_try = time.monotonic()
        while True:
            began = time.monotonic()
            try:
                with giving_way():
                    work()
            except InUse as in_use:
                connection.rollback()
                self._retries.spend(time.monotonic() - began)
                self._give_way(connection, doing, in_use, time.monotonic() - first_try)
            else:
                self._retries.succeeded()
                self._reconnects.succeeded()
                return

    def _give_way(self, connection: Connection, doing: str, in_use: InUse, tried_s: float) -> None:
        """Report the sessions in the way, and pause. Raises: NotReady when the patience is spent."""
        found = self._in_the_way(connection, in_use)
        who = session.name_blockers(found)
        why = f"{in_use.table} is in use by {who}" if in_use.table else f"it waits for {who}"
        pause_s = self._retries.pause()
        if not self._retries.left_s:
            advice = session.blocker_advice(found, open_s=tried_s if in_use.table else 0.0)
            raise NotReady(
                f"{doing} gave way for {self._retries.total_s:.0f} s and is not done: {why}. Nothing is lost, and "
                f"nothing is locked. {advice}; then run the upgrade again: it goes on from here"
            ) from in_use
        self._report(f"{doing}: {why}; trying again in {pause_s:.1f} s, nothing is locked until then")
        time.sleep(pause_s)

    def _in_the_way(self, connection: Connection, in_use: InUse) -> Sequence[Blocker]:
        """Return the sessions that the last try waited for."""
        if in_use.table is None:
            return self._watch.blockers
        found = session.lock_holders(connection, in_use.table, longer_than_s=LOCK_WAIT_S / 2)
        connection.rollback()
        return found

    def _reconnect(self, error: DBAPIError) -> None:
        """Pause, so that the database can come back. Raises: `error` where it stays away."""
        pause_s = self._reconnects.pause()
        if not self._reconnects.left_s:
            raise error
        self._report(f"the connection to the database was lost: connecting again in {pause_s:.1f} s")
        time.sleep(pause_s)


def _is_lost(error: DBAPIError) -> bool:
    """Return whether the connection was lost, or could not be made."""
    if error.connection_invalidated or isinstance(error.orig, _ENDED):  # the end of an idle one is an InternalError
        return True
    return isinstance(error, (OperationalError, InterfaceError)) and getattr(error.orig, "sqlstate", 1) is None
