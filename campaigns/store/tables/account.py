"""The installation itself, its gateway account, and what the account was charged."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)

from campaigns.store.tables.base import metadata, time

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
    time("probe_at"),
    # The credit with which the account was last let go, and when: the same credit is not tried twice.
    Column("let_go_credit_rial", BigInteger),
    time("let_go_at"),
    Column("credit_rial", BigInteger),
    time("credit_seen_at"),
    time("ticked_at"),
    # The account's settings as last seen, and when it is looked at again.
    Column("debug_mode", Boolean),
    Column("min_credit_alarm_rial", BigInteger),
    time("config_seen_at"),
    time("watch_at"),
    time("ledger_at"),  # when the days are counted again
    # When a status callback about a message of ours came last, and whether polls are thinned out for it.
    time("called_back_at"),
    Column("leans_on_callbacks", Boolean),
    CheckConstraint("id = 1", name="single"),
    CheckConstraint("epoch BETWEEN 1 AND 1048575", name="epoch"),
    CheckConstraint("(hold_code IS NULL) = (held_since IS NULL)", name="hold"),
    CheckConstraint("(hold_code IS NULL) = (probe_at IS NULL)", name="probe"),
)

pace = Table(
    "pace",
    metadata,
    Column("label", Text, primary_key=True),  # of the account, as the pace in Redis names it: never the API key
    Column("rate", Double, nullable=False),  # the most calls a second that the gateway took
    Column("refused", Double),  # the least that it refused
    time("learnt_at", nullable=False),  # on the clock of the Redis server
    CheckConstraint("rate > 0", name="rate"),
    CheckConstraint("refused > 0", name="refused"),
)
"""What the gateway has taught the pace: what Redis is given back when it has forgotten."""

days = Table(
    "days",
    metadata,
    Column("day", Date, primary_key=True),  # of Tehran
    # What our own rows say, and what the gateway counts; of a day that is not over yet, so far.
    Column("messages", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("cost_rial", BigInteger, nullable=False),
    Column("gateway_messages", Integer),
    Column("gateway_parts", Integer),
    Column("gateway_cost_rial", BigInteger),
    time("seen_at", nullable=False),
)
"""The ledger, a day a row: the gateway counts three days back only, so what it said is kept."""
