"""What a role needs for an upgrade: to own the schema `sms`, or to create in it, and to own the tables in it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Row, text

from campaigns.errors import NotReady
from campaigns.store.tables.base import SCHEMA, metadata

# Who asks, and may this role create in the schema? NULL where there is no schema.
_ROLE: Final = text("""
    SELECT quote_ident(current_user) AS role, quote_ident(current_database()) AS database,
           has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
           (SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE')
              FROM pg_namespace WHERE nspname = :schema) AS may_create
""")

# Which of our tables and sequences belong to somebody else?
_OWNERS: Final = text("""
    SELECT relation.relname AS name, CAST(CAST(relation.relowner AS regrole) AS text) AS owner
      FROM pg_class AS relation
     WHERE relation.relnamespace = to_regnamespace(:schema) AND relation.relname = ANY (CAST(:names AS text[]))
       AND relation.relkind IN ('r', 'p', 'S') AND NOT pg_has_role(relation.relowner, 'USAGE')
  ORDER BY relation.relname
""")


def ensure(connection: Connection) -> None:
    """Create the schema where it is missing, and see that this role may change what is in it.

    The right to CREATE in the database is needed for a missing schema only: `CREATE SCHEMA IF NOT EXISTS` would ask for
    it every time.

    Raises: NotReady, with the statement that grants what is missing.
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
    names = [*(table.name for table in metadata.sorted_tables), *metadata._sequences, "alembic_version"]  # noqa: SLF001
    names = [name.removeprefix(f"{SCHEMA}.") for name in names]
    foreign = connection.execute(_OWNERS, {"schema": SCHEMA, "names": names}).all()
    if not foreign:
        return
    told = ", ".join(f"{SCHEMA}.{row.name}" for row in foreign[:3]) + (" and others" if len(foreign) > 3 else "")
    raise NotReady(
        f"{told} {'belong' if len(foreign) > 1 else 'belongs'} to the role {foreign[0].owner}, and only an owner may "
        f"change a table: upgrade as {foreign[0].owner}, or run GRANT {foreign[0].owner} TO {role}"
    )
