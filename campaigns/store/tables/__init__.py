"""The tables, as they stand after the newest migration; here, those of the installation, its account and its ledger.

Everything lives in the schema `sms`, so that the tables can share a database with a web app's own.

sending   campaigns, messages, rejects, batches, attempts, one-time passwords
incoming  inbox lines and messages, callbacks, the gateway's ids, suppressions, block lists
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Integer,
    Interval,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

SCHEMA: Final = "sms"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_name)s_idx",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)


def one_of(column: str, values: Iterable[StrEnum]) -> str:
    """The condition that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def time(name: str, *, nullable: bool = True, **options: object) -> Column[object]:
    """A column for a moment, with its time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable, **options)  # type: ignore[arg-type]


# The installation itself, its gateway account, and what the account was charged.

installation = Table(
    "installation",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    # The high bits of every message id. Two databases on one gateway account must not share an epoch.
    Column("epoch", Integer, nullable=False),
    time("created_at", nullable=False, server_default=text("now()")),
    # The account is held: nothing is sent for anybody until a probe succeeds.
    Column("hold_code", SmallInteger),
    Column("hold_reason", Text),
    time("held_since"),
    time("hold_recheck_at"),
    # The credit with which the account was last let go, and when: the same credit is not tried twice.
    Column("released_credit_rial", BigInteger),
    time("released_at"),
    Column("credit_rial", BigInteger),
    time("credit_seen_at"),
    time("ticked_at"),
    time("alive_at"),  # the last tick in the place where the database was settled: what was lost, was lost since
    # The account's settings as last seen, and when it is looked at again.
    Column("debug_mode", Boolean),
    Column("min_credit_alarm_rial", BigInteger),
    time("config_seen_at"),
    time("account_check_at"),
    time("ledger_count_at"),  # when the days are counted again
    # When a status callback about a message of ours came last, and whether polls are thinned out for it.
    time("last_callback_at"),
    Column("callbacks_active", Boolean),
    # The database's clock has leapt by so much: nothing is sent or resolved until it is trusted again.
    time("clock_leapt_at"),
    Column("clock_leapt_by", Interval),
    time("identity_check_at"),  # when the gateway is asked again whether this database and our key are what they were
    CheckConstraint("id = 1", name="single"),
    CheckConstraint("epoch BETWEEN 1 AND 1048575", name="epoch"),
    CheckConstraint("(clock_leapt_at IS NULL) = (clock_leapt_by IS NULL)", name="leap"),
    CheckConstraint("(hold_code IS NULL) = (held_since IS NULL)", name="hold"),
    CheckConstraint("(hold_code IS NULL) = (hold_recheck_at IS NULL)", name="hold_recheck"),
)

identity = Table(
    "identity",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    # Where the database was when the row was written. Only `store.identity.record_place` writes it: see there.
    Column("database_oid", BigInteger, nullable=False),
    Column("system_id", BigInteger, nullable=False),
    Column("timeline", Integer, nullable=False),
    time("server_started_at", nullable=False),
    Column("written_by", BigInteger, nullable=False),  # the row's own xmin
    time("seen_at", nullable=False),
    CheckConstraint("id = 1", name="single"),
)
"""Where this database lives: a copy of it finds that it lives elsewhere."""

epochs = Table(
    "epochs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    time("began_at", nullable=False),
    Column("cause", Text, nullable=False),  # installed | collision | restored | copied | failed over | lost commits …
    # What was committed after that may be missing here: a campaign of an earlier epoch may have left since then.
    time("lost_since"),
    time("ask_at"),  # from when on the gateway can be asked about it
    CheckConstraint("number BETWEEN 1 AND 1048575", name="number"),
    CheckConstraint("(lost_since IS NULL) = (ask_at IS NULL)", name="lost"),
)
"""Every epoch that message ids were handed out in, in its order, and why it began."""

accounts = Table(
    "accounts",
    metadata,
    Column("label", Text, primary_key=True),  # of a key at a gateway: it does not tell the key
    Column("account", SmallInteger, nullable=False),  # keys of one account share this number
    time("recognised_at", nullable=False),
)
"""The keys that were used, and which of them belong to one account."""

pace = Table(
    "pace",
    metadata,
    # <address>-<key>, as the pace in Redis names it: what was learnt belongs to the address. Neither the address nor
    # the API key can be told from it. Older rows have the part of the key alone.
    Column("label", Text, primary_key=True),
    Column("rate", Double, nullable=False),  # the most calls a second that the gateway took
    Column("refused", Double),  # the least that it refused
    time("learnt_at", nullable=False),  # on the clock of the Redis server
    CheckConstraint("rate > 0", name="rate"),
    CheckConstraint("refused > 0", name="refused"),
)
"""What the gateway has taught the pace: what Redis is given back when it has forgotten."""

ledger_days = Table(
    "ledger_days",
    metadata,
    Column("day", Date, primary_key=True),  # of Tehran
    # What our own rows say, and what the gateway counts; of a day that is not over yet, so far.
    Column("messages", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("cost_rial", BigInteger, nullable=False),
    Column("gateway_messages", Integer),
    Column("gateway_parts", Integer),
    Column("gateway_cost_rial", BigInteger),
    Column("unexplained", Integer),  # messages that the gateway counts and that cannot be ours
    time("seen_at", nullable=False),
    # Of how many of our messages did the gateway never tell the price, and what are they taken to cost?
    Column("unpriced", Integer),
    Column("estimated_rial", BigInteger),
)
"""The ledger, a day a row: the gateway counts three days back only, so what it said is kept."""


# Their tables belong to the metadata above, which is whole once this package is imported.
from campaigns.store.tables import incoming, sending  # noqa: E402, F401
