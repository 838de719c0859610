"""For authors of revisions: change tables while workers send from them. docs/upgrades.md says when to use each tool.

A revision is one transaction, `upgrade()`. It may create tables, and it may lock one existing table, by `lock_table`,
and add columns and checks to it. Work that cannot run in a transaction (an index, the validation of a check) is a step
of `outside`, a tuple at the top of the revision. The steps run before its `upgrade()`, and again if they were
interrupted. An index on a new column is therefore a revision of its own, after the one that adds the column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import psycopg.errors
from alembic import op
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from kavenegar_campaigns.errors import NotReady
from kavenegar_campaigns.store.migrations.session import LOCK_WAIT_S
from kavenegar_campaigns.store.tables import SCHEMA, metadata

HOLD_S: Final = 3.0
"""The longest time that a statement may take while a table is locked. A change of the catalog takes milliseconds."""

# Errors after which another try can succeed.
_GIVES_WAY: Final = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.QueryCanceled,
)


class InUse(Exception):
    """Other sessions hold a lock that the upgrade needs. `table` is the name of the table, if it is a table's lock."""

    def __init__(self, table: str | None = None) -> None:
        super().__init__(table)
        self.table = table


@contextmanager
def giving_way(table: str | None = None) -> Iterator[None]:
    """Translate the database errors after which another try can succeed. Raises: InUse."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, _GIVES_WAY):
            raise InUse(table) from error
        raise


# How long does PostgreSQL wait before it looks for a deadlock? In milliseconds.
_DEADLOCK_TIMEOUT: Final = text("SELECT CAST(setting AS integer) FROM pg_settings WHERE name = 'deadlock_timeout'")
_VACUUM_YIELDS_WITHIN_S: Final = 10.0


def lock_table(name: str) -> None:
    """Lock an existing table for this revision within LOCK_WAIT_S, or raise InUse: the revision is tried again.

    The first lock keeps VACUUM away and blocks no sender. An autovacuum gives way only to a session that waits for
    longer than `deadlock_timeout`. The wait for the second lock is shorter than that: PostgreSQL never chooses a sender
    as the victim of a deadlock.
    """
    connection = op.get_bind()
    table = f"{SCHEMA}.{name}"
    deadlock_s = connection.execute(_DEADLOCK_TIMEOUT).scalar_one() / 1000
    with giving_way(table):
        set_lock_timeout(connection, min(deadlock_s, _VACUUM_YIELDS_WITHIN_S) + LOCK_WAIT_S, local=True)
        connection.execute(text(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE"))
        set_lock_timeout(connection, min(LOCK_WAIT_S, 0.8 * deadlock_s), local=True)
        connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{HOLD_S * 1000:.0f}ms'"))


def set_lock_timeout(connection: Connection, seconds: float, *, local: bool = False) -> None:
    """Set the longest wait for a lock, in this transaction (`local`) or in this session."""
    milliseconds = max(1, round(seconds * 1000))  # 0 would be: for ever
    connection.execute(text(f"SET {'LOCAL ' if local else ''}lock_timeout = {milliseconds}"))


def add_check(table: str, name: str, condition: str) -> None:
    """Add a check to a locked table: it applies to new rows at once. A later `Validate` reads the old rows."""
    op.create_check_constraint(op.f(name), table, condition, schema=SCHEMA, postgresql_not_valid=True)


@dataclass(frozen=True, slots=True)
class Renames:
    """Old names in one table, each with the new one. They change the catalog alone: no row is read or written."""

    table: str
    new_table: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    constraints: Mapping[str, str] = field(default_factory=dict)
    indexes: Mapping[str, str] = field(default_factory=dict)

    def apply(self) -> None:
        """Lock the table and give everything its new name. Raises: InUse, as `lock_table` does."""
        lock_table(self.table)
        table = self.new_table or self.table
        if table != self.table:
            op.rename_table(self.table, table, schema=SCHEMA)
        for old, new in self.columns.items():
            op.alter_column(table, old, new_column_name=new, schema=SCHEMA)
        for old, new in self.constraints.items():
            op.execute(f"ALTER TABLE {SCHEMA}.{table} RENAME CONSTRAINT {old} TO {new}")
        for old, new in self.indexes.items():
            op.execute(f"ALTER INDEX {SCHEMA}.{old} RENAME TO {new}")

    def take_back(self) -> None:
        """Lock the table and give everything its old name. Raises: InUse."""
        back = ({new: old for old, new in names.items()} for names in (self.columns, self.constraints, self.indexes))
        Renames(self.new_table or self.table, self.table, *back).apply()


class Step(Protocol):
    """A step of an upgrade outside a transaction, while senders go on. It may run again after any result."""

    @property
    def doing(self) -> str:
        """Return the work of the step, as the beginning of a sentence."""

    def run(self, connection: Connection, *, patience_s: float) -> None:
        """Do the step, unless it is done. `patience_s` is the longest wait for other sessions."""


# Does an index of this name exist, and is it valid? NULL: there is none.
_INDEX: Final = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)")

# Has this table no page yet?
_EMPTY: Final = text("SELECT pg_relation_size(to_regclass(:table)) = 0")


@dataclass(frozen=True, slots=True)
class Index:
    """An index that is built while senders go on. Columns and condition are SQL."""

    name: str
    table: str
    columns: str
    where: str | None = None
    unique: bool = False

    @property
    def doing(self) -> str:
        """Return the work of the step, as the beginning of a sentence."""
        return f"building the index {SCHEMA}.{self.name}"

    def run(self, connection: Connection, *, patience_s: float) -> None:
        """Build the index. An interrupted build leaves an invalid index, which is dropped first.

        CONCURRENTLY waits for every open transaction in the database, and blocks no sender meanwhile. A table without
        rows needs no CONCURRENTLY: a new installation does not wait for another application's report.
        """
        valid = connection.execute(_INDEX, {"index": f"{SCHEMA}.{self.name}"}).scalar_one_or_none()
        if valid:
            return
        set_lock_timeout(connection, patience_s)
        if valid is False:
            connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}.{self.name}"))
        if connection.execute(_EMPTY, {"table": f"{SCHEMA}.{self.table}"}).scalar_one():
            set_lock_timeout(connection, LOCK_WAIT_S)
            connection.exec_driver_sql(self._create(""))
        else:
            connection.exec_driver_sql(self._create("CONCURRENTLY "))

    def _create(self, concurrently: str) -> str:
        unique = "UNIQUE " if self.unique else ""
        where = f" WHERE {self.where}" if self.where else ""
        return f"CREATE {unique}INDEX {concurrently}{self.name} ON {SCHEMA}.{self.table} ({self.columns}){where}"


# Is this check validated for every row?
_VALIDATED: Final = text("""
    SELECT convalidated FROM pg_constraint WHERE conrelid = to_regclass(:table) AND conname = :name
""")


@dataclass(frozen=True, slots=True)
class Validate:
    """Validates a check of `add_check` on the rows from before the check; senders go on meanwhile."""

    table: str
    name: str

    @property
    def doing(self) -> str:
        """Return the work of the step, as the beginning of a sentence."""
        return f"validating the check {self.name}"

    def run(self, connection: Connection, *, patience_s: float) -> None:
        """Validate the check."""
        if connection.execute(_VALIDATED, {"table": f"{SCHEMA}.{self.table}", "name": self.name}).scalar_one():
            return
        set_lock_timeout(connection, patience_s)
        connection.execute(text(f"ALTER TABLE {SCHEMA}.{self.table} VALIDATE CONSTRAINT {self.name}"))


# ── for an upgrade, a role must own the schema `sms`, or may create in it, and must own the tables in it ──

# Which role is this, and may it create in the schema? NULL where there is no schema.
_ROLE: Final = text("""
    SELECT quote_ident(current_user) AS role, quote_ident(current_database()) AS database,
           has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
           (SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE')
              FROM pg_namespace WHERE nspname = :schema) AS may_create
""")

_BEFORE_0006: Final = ("receipts", "days", "blocked")
"""Tables that the revisions 0006_7 to 0006_9 rename: the role has to own them, too."""

# Which of our tables and sequences belong to another role?
_OWNERS: Final = text("""
    SELECT relation.relname AS name, CAST(CAST(relation.relowner AS regrole) AS text) AS owner
      FROM pg_class AS relation
     WHERE relation.relnamespace = to_regnamespace(:schema) AND relation.relname = ANY (CAST(:names AS text[]))
       AND relation.relkind IN ('r', 'p', 'S') AND NOT pg_has_role(relation.relowner, 'USAGE')
  ORDER BY relation.relname
""")


def ensure_rights(connection: Connection) -> None:
    """Create the schema where it is missing, and check that this role may change its tables.

    Only a missing schema requires the right to CREATE in the database: `CREATE SCHEMA IF NOT EXISTS` would require it
    every time.

    Raises: NotReady, with the statement that grants the missing right.
    """
    with connection.begin():
        role = connection.execute(_ROLE, {"schema": SCHEMA}).one()
        if role.may_create is None:
            _create_schema(connection, role)
        elif not role.may_create:
            raise NotReady(
                f"the role {role.role} may not create tables in the schema {SCHEMA}: as its owner, run "
                f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {role.role}"
            )
        _own_tables(connection, role.role)


def _create_schema(connection: Connection, role: Row[tuple[object, ...]]) -> None:
    if not role.may_create_schema:
        raise NotReady(
            f"there is no schema {SCHEMA}, and the role {role.role} may not create it in the database {role.database}: "
            f"as a superuser, run CREATE SCHEMA {SCHEMA} AUTHORIZATION {role.role}"
        )
    connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))


def _own_tables(connection: Connection, role: str) -> None:
    names = [*(table.name for table in metadata.sorted_tables), *metadata._sequences, "alembic_version", *_BEFORE_0006]  # noqa: SLF001
    names = [name.removeprefix(f"{SCHEMA}.") for name in names]
    foreign = connection.execute(_OWNERS, {"schema": SCHEMA, "names": names}).all()
    if not foreign:
        return
    named = ", ".join(f"{SCHEMA}.{row.name}" for row in foreign[:3]) + (" and others" if len(foreign) > 3 else "")
    raise NotReady(
        f"{named} {'belong' if len(foreign) > 1 else 'belongs'} to the role {foreign[0].owner}, and only an owner may "
        f"change a table: upgrade as {foreign[0].owner}, or run GRANT {foreign[0].owner} TO {role}"
    )
