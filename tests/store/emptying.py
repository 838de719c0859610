"""Empty a database between two tests: a tenth of the cost of making one."""

from __future__ import annotations

from sqlalchemy import Engine, text

from campaigns.store.tables import installation, metadata


def empty(engine: Engine) -> None:
    """Leave the database as `upgrade` made it; only its sequences go on."""
    tables = ", ".join(table.fullname for table in metadata.sorted_tables if table is not installation)
    nothing = ", ".join(f"{column.name} = NULL" for column in installation.c if column.nullable)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables}"))
        connection.execute(text(f"UPDATE {installation.fullname} SET {nothing}"))
