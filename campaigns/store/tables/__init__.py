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
    """Return the condition that a column holds one of these values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def time(name: str, *, nullable: bool = True, **options: object) -> Column[object]:
    """Return a column for a time with time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable, **options)  # type: ignore[arg-type]


# ── the installation, its gateway account, and the account's ledger ──

installation = Table(
    "installation",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    # The high bits of every message id. Two databases on one gateway account must not share an epoch.
    Column("epoch", Integer, nullable=False),
    time("created_at", nullable=False, server_default=text("now()")),
    # The account is on hold: no batch is sent until a check of the account succeeds.
    Column("hold_code", SmallInteger),
    Column("hold_reason", Text),
    time("held_since"),
    time("hold_recheck_at"),
    # The credit at the last release of the hold, and its time: one credit is not tried twice.
    Column("released_credit_rial", BigInteger),
    time("released_at"),
    Column("credit_rial", BigInteger),
    time("credit_seen_at"),
    time("ticked_at"),
    time("alive_at"),  # the last tick at the recorded place: only later commits can be lost
    # The account's settings as last seen, and the time of the next check of the account.
    Column("debug_mode", Boolean),
    Column("min_credit_alarm_rial", BigInteger),
    time("config_seen_at"),
    time("account_check_at"),
    time("ledger_count_at"),  # the time of the next count of the ledger
    # When the last confirmed callback came, and whether the reduced polling schedule applies.
    time("last_callback_at"),
    Column("callbacks_active", Boolean),
    # When and by how much the database's clock has leapt: no batch is sent or resolved until it is trusted again.
    time("clock_leapt_at"),
    Column("clock_leapt_by", Interval),
    time("identity_check_at"),  # the time of the next check of this database's place and our key
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
    # The place of the database when the row was written. Only `store.identity.record_place` writes it: see there.
    Column("database_oid", BigInteger, nullable=False),
    Column("system_id", BigInteger, nullable=False),
    Column("timeline", Integer, nullable=False),
    time("server_started_at", nullable=False),
    Column("written_by", BigInteger, nullable=False),  # the row's own xmin
    time("seen_at", nullable=False),
    CheckConstraint("id = 1", name="single"),
)
"""The place of this database: a copy finds that its place is another one."""

epochs = Table(
    "epochs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    time("began_at", nullable=False),
    Column("cause", Text, nullable=False),  # installed | collision | restored | copied | failed over | lost commits …
    # Commits after this time may be missing here: a campaign of an earlier epoch may have left since then.
    time("lost_since"),
    time("ask_at"),  # from this time on the gateway can be asked about it
    CheckConstraint("number BETWEEN 1 AND 1048575", name="number"),
    CheckConstraint("(lost_since IS NULL) = (ask_at IS NULL)", name="lost"),
)
"""Every epoch of message ids, in the order of their beginnings, and why each began."""

accounts = Table(
    "accounts",
    metadata,
    Column("label", Text, primary_key=True),  # of a key at a gateway: it does not show the key
    Column("account", SmallInteger, nullable=False),  # keys of one account share this number
    time("recognised_at", nullable=False),
)
"""The used keys, and the account that each belongs to."""

pace = Table(
    "pace",
    metadata,
    # <address>-<key>, as in the pace in Redis: the remembered rate belongs to the address. Neither the address nor the
    # API key can be derived from it. Older rows have the part of the key alone.
    Column("label", Text, primary_key=True),
    Column("rate", Double, nullable=False),  # the highest rate that the gateway accepted, in calls a second
    Column("refused", Double),  # the lowest rate that it refused
    time("learnt_at", nullable=False),  # on the clock of the Redis server
    CheckConstraint("rate > 0", name="rate"),
    CheckConstraint("refused > 0", name="refused"),
)
"""The rates that the pace has found: Redis gets them back when it has lost them."""

ledger_days = Table(
    "ledger_days",
    metadata,
    Column("day", Date, primary_key=True),  # of Tehran
    # The counts of our own rows, and those of the gateway; a day that is not over is counted so far.
    Column("messages", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("cost_rial", BigInteger, nullable=False),
    Column("gateway_messages", Integer),
    Column("gateway_parts", Integer),
    Column("gateway_cost_rial", BigInteger),
    Column("unexplained", Integer),  # messages that the gateway counts and that cannot be ours
    time("seen_at", nullable=False),
    # How many of our messages have no price from the gateway, and their estimated cost.
    Column("unpriced", Integer),
    Column("estimated_rial", BigInteger),
)
"""The ledger, one row a day: the gateway counts only three days back, so its counts are kept."""


# These modules add their tables to the metadata above, which is complete once this package is imported.
from kavenegar_campaigns.store.tables import incoming, sending  # noqa: E402, F401
