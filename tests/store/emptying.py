"""Empty a database between two tests: a tenth of the cost of making one."""

from __future__ import annotations

from sqlalchemy import Engine, text

from kavenegar_campaigns.store.tables import accounts, epochs, identity, installation, metadata


def empty(engine: Engine) -> None:
    """Leave the database as `upgrade` made it, with the keys of the tests; only its sequences and epochs go on."""
    kept = {installation, identity, epochs, accounts}
    tables = ", ".join(table.fullname for table in metadata.sorted_tables if table not in kept)
    nothing = ", ".join(f"{column.name} = NULL" for column in installation.c if column.nullable)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables}"))
        connection.execute(text(f"UPDATE {installation.fullname} SET {nothing}"))
        connection.execute(text(f"UPDATE {epochs.fullname} SET lost_since = NULL, ask_at = NULL, cause = 'installed'"))
