"""A column that a later version adds breaks no statement of this one, also where the statement is prepared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.rules.batches import BATCH_SIZE
from kavenegar_campaigns.store import batches
from kavenegar_campaigns.store.tables import metadata
from tests.store.given import batch_ids, claim, running

STORE = Path(batches.__file__).parent
PREPARED_AFTER = 5
"""How often psycopg runs a statement before it prepares it."""

# All columns of one of our tables, whatever they are by then. The three names stand for lists of columns that are spelt
# out in the same statement.
STARS = re.compile(r"\bRETURNING \*|SELECT \* FROM sms\.|\b(?!(?:claimed|here|fact)\b)\w+\.\*")


def test_a_prepared_claim_goes_on_where_tables_get_columns(engine: Engine) -> None:
    waiting = batch_ids(engine, running(engine, 2 * PREPARED_AFTER * BATCH_SIZE))
    assert len(waiting) == 2 * PREPARED_AFTER
    tables = [table.fullname for table in metadata.sorted_tables]

    with engine.connect() as connection, engine.connect() as migrating:
        for batch_id in waiting[: PREPARED_AFTER + 2]:
            assert claim(connection, batch_id)
            connection.commit()
        for table in tables:
            migrating.execute(text(f"ALTER TABLE {table} ADD COLUMN of_a_later_version text"))
        migrating.commit()
        for batch_id in waiting[PREPARED_AFTER + 2 :]:
            assert claim(connection, batch_id)
            connection.commit()
        for table in tables:  # the next test gets the database as it was
            migrating.execute(text(f"ALTER TABLE {table} DROP COLUMN of_a_later_version"))
        migrating.commit()


@pytest.mark.parametrize("path", sorted(STORE.glob("*.py")), ids=lambda path: path.stem)
def test_statements_name_the_columns_that_they_ask_for(path: Path) -> None:
    assert STARS.findall(path.read_text(encoding="utf-8")) == []
