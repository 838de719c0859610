"""Our tables in a test database, from which nothing can be sent; and the messages that would have left.

A test database is created from `tables`, without a migration: it is faster, and needs no Alembic. Triggers refuse every
claim, so no process can send from it, whatever it was started with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateTable

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.message_options import CampaignKind
from kavenegar_campaigns.rules.otp_request import OtpKind
from kavenegar_campaigns.store import database_now, identity, inbound, installation
from kavenegar_campaigns.store import tables as tables_of_ours
from kavenegar_campaigns.store.engine import set_up_engine
from kavenegar_campaigns.store.tables import SCHEMA, metadata
from kavenegar_campaigns.store.writing import LONGEST_WAIT

_MARK: Final = "test database of kavenegar-campaigns"
_KEPT: Final = {tables_of_ours.installation, tables_of_ours.identity, tables_of_ours.epochs}

# Refuse every claim: a claim is made before anything leaves.
_REFUSE: Final = text(f"""
    CREATE OR REPLACE FUNCTION {SCHEMA}.refuse_in_tests() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'nothing leaves a test database (%): a worker is connected to it', current_database()
              USING ERRCODE = 'object_not_in_prerequisite_state';
    END $$
""")
_CLAIMS: Final = {
    "batches": "NEW.state = 'claimed'",
    "otps": "NEW.state = 'claimed'",
    "lines": "NEW.lease_owner IS NOT NULL",
    "blocklists": "NEW.lease_owner IS NOT NULL",
}
"""What a claim writes, by the table whose work is claimed."""

# Has this database our schema, and who made it?
_FOUND: Final = text("SELECT obj_description(oid, 'pg_namespace') AS mark FROM pg_namespace WHERE nspname = :schema")
# One process creates the schema, the others wait.
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('sms.testing'))")
# Are the tables of the installation there?
_HAS_TABLES: Final = text(f"SELECT to_regclass('{SCHEMA}.installation') IS NOT NULL")
# Has a worker used this database, or has it campaigns?
_USED: Final = text("""
    SELECT EXISTS (SELECT FROM sms.installation WHERE ticked_at IS NOT NULL) OR EXISTS (SELECT FROM sms.campaigns)
""")
# Do not wait without end for a transaction that a test has left open.
_WAIT_BRIEFLY: Final = text(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'")
# Is there a row of a test that was committed?
_LEFT_OVER: Final = text(
    "SELECT "
    + " OR ".join(
        f"EXISTS (SELECT FROM {SCHEMA}.{name})" for name in ("campaigns", "otps", "suppressions", "inbound", "lines")
    )
)


def create_test_schema(where: Engine | str) -> None:
    """Create the schema `sms` in a test database, by an engine or a URL, or renew that of another version.

    Safe to repeat. Tables that `campaigns migrate` made there stay as they are, and get the triggers.
    Raises: BadInput for a database with campaigns, or one that a worker has used: it is no test database.
    """
    version = f"{_MARK}, {_version()}"
    with _transaction(where) as connection:
        connection.execute(_ONE_AT_A_TIME)
        mark = connection.execute(_FOUND, {"schema": SCHEMA}).scalar_one_or_none() or ""
        if not mark.startswith(_MARK):
            _check_unused(connection)
        elif mark != version:
            connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
        if mark != version:
            _create(connection, version)
        identity.record_place(connection)  # a test database is often a clone, or was left by an earlier run


def _version() -> str:
    """Return a label of the tables and the triggers: where they differ, it differs."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    tables = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    return sha256("".join([*tables, str(_REFUSE), repr(_CLAIMS)]).encode()).hexdigest()[:16]


def _check_unused(connection: Connection) -> None:
    """Check that nothing is lost, and no worker stopped, if this becomes a test database. Raises: BadInput."""
    if connection.execute(_HAS_TABLES).scalar_one() and connection.execute(_USED).scalar_one():
        raise BadInput(
            f"the database {identity.database_label(connection)} is no test database: it has campaigns, or a worker "
            "has used it. Give the tests a database of their own"
        )


def _create(connection: Connection, version: str) -> None:
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    metadata.create_all(connection)
    installation.establish(connection)
    connection.execute(_REFUSE)
    for table, claim in _CLAIMS.items():
        connection.execute(text(f"DROP TRIGGER IF EXISTS nothing_leaves ON {SCHEMA}.{table}"))
        connection.execute(
            text(f"""
                CREATE TRIGGER nothing_leaves BEFORE INSERT OR UPDATE ON {SCHEMA}.{table}
                   FOR EACH ROW WHEN ({claim}) EXECUTE FUNCTION {SCHEMA}.refuse_in_tests()
            """)
        )
    connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{version}'"))


def empty_test_schema(where: Engine | str) -> None:
    """Delete the rows that tests have committed to a test database. Does nothing in any other database.

    Raises: BadInput where a transaction that is still open holds them for five seconds.
    """
    with _transaction(where) as connection:
        connection.execute(_WAIT_BRIEFLY)
        mark = connection.execute(_FOUND, {"schema": SCHEMA}).scalar_one_or_none() or ""
        if mark.startswith(_MARK) and connection.execute(_LEFT_OVER).scalar_one():
            tables = ", ".join(table.fullname for table in metadata.sorted_tables if table not in _KEPT)
            try:
                connection.execute(text(f"TRUNCATE {tables}"))
            except OperationalError as why:
                if not isinstance(why.orig, psycopg.errors.LockNotAvailable):
                    raise
                raise BadInput(
                    "the test database cannot be emptied: a transaction in it is still open, of a test or a fixture. "
                    "End it first; the fixture campaigns_outbox ends its own when it is torn down"
                ) from None


@contextmanager
def _transaction(where: Engine | str) -> Iterator[Connection]:
    """Begin a transaction. With a URL its connection is closed afterwards: the database may be dropped next."""
    if isinstance(where, Engine):
        with where.begin() as connection:
            yield connection
        return
    engine = create_engine(where, poolclass=NullPool, hide_parameters=True)
    set_up_engine(engine)
    with engine.begin() as connection:
        yield connection


# ── what comes in ──

# Which id does the next inbound message get?
_NEXT_INBOUND: Final = text("SELECT coalesce(max(gateway_id), 0) + 1 FROM sms.inbound")


def receive(connection: Connection, number: str, said: str, line: str) -> int:
    """Store an inbound message as if `number` had sent it, and return its id. Raises: BadInput for other databases."""
    mark = connection.execute(_FOUND, {"schema": SCHEMA}).scalar_one_or_none() or ""
    if not mark.startswith(_MARK):
        raise BadInput(f"the database {identity.database_label(connection)} is no test database: nobody wrote this")
    now, inbound_id = database_now(connection), int(connection.execute(_NEXT_INBOUND).scalar_one())
    arrival = inbound.Arrival(inbound_id, number, said, received_at=now)
    inbound.store_new(
        connection, line, [arrival], via=inbound.Via.RECEIVE, watch=inbound.InboundPolicy(deliver=True), now=now
    )
    return inbound_id


# ── what would have left ──


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message of a started campaign. `text` is what its recipient would have read; calls have no sender."""

    campaign_id: int
    campaign_name: str
    campaign_key: str | None
    kind: CampaignKind
    sender: str | None
    number: str = field(repr=False)
    text: str = field(repr=False)
    start_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutboxOtp:
    """A one-time password that was ordered; `tokens` are the values of its template, by their names."""

    id: int
    key: str
    kind: OtpKind
    template: str
    tag: str | None
    call_after: timedelta | None
    number: str = field(repr=False)
    tokens: dict[str, str] = field(repr=False)


# Which messages of started campaigns wait to be sent, in the order in which they would leave?
_MESSAGES: Final = text("""
    SELECT campaign.id AS campaign_id, campaign.name AS campaign_name, campaign.client_key AS campaign_key,
           campaign.kind, nullif(campaign.sender, '') AS sender, message.number,
           coalesce(message.text, campaign.template) AS text, campaign.start_at
      FROM sms.campaigns AS campaign JOIN sms.messages AS message ON message.campaign_id = campaign.id
     WHERE campaign.state IN ('scheduled', 'running') AND message.state = 'pending'
  ORDER BY campaign.id, message.id
""")
# Which one-time passwords wait to be sent?
_OTPS: Final = text("""
    SELECT id, client_key AS key, kind, template, tag, call_after_s, number, tokens FROM sms.otps
     WHERE state = 'waiting' ORDER BY id
""")


def outbox_messages(connection: Connection) -> list[OutboxMessage]:
    """Return the messages that would have left, as this transaction sees them."""
    rows = connection.execute(_MESSAGES).mappings()
    return [OutboxMessage(**{**row, "kind": CampaignKind(row["kind"])}) for row in rows]


def outbox_otps(connection: Connection) -> list[OutboxOtp]:
    """Return the one-time passwords that would have left, as this transaction sees them."""
    return [
        OutboxOtp(
            id=row.id,
            key=row.key,
            kind=OtpKind(row.kind),
            template=row.template,
            tag=row.tag,
            call_after=None if row.call_after_s is None else timedelta(seconds=row.call_after_s),
            number=row.number,
            tokens=dict(row.tokens),
        )
        for row in connection.execute(_OTPS)
    ]
