"""Roles that are no superusers: what an upgrade needs of them, and the statement that grants what is missing."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import NotReady
from kavenegar_campaigns.store import batches, gate, identity
from kavenegar_campaigns.store.migrate import is_current, upgrade
from tests.store.given import LEASE, batch_ids
from tests.store.upgrades.conftest import Place, reading
from tests.store.upgrades.old_data import fill
from tests.world import ACCOUNT, SENDER, numbers


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_a_role_that_owns_the_schema_but_may_not_create_in_the_database_can_upgrade(
    place: Place, revision: str
) -> None:
    place.as_admin("CREATE SCHEMA sms AUTHORIZATION {role}")
    upgrade(place.plain, revision=revision)
    fill(place.plain, batches=2, sent=1)
    assert upgrade(place.plain)
    with place.plain.connect() as connection:
        may_create = "SELECT has_database_privilege(current_database(), 'CREATE')"
        assert not connection.execute(text(may_create)).scalar_one()
        assert is_current(connection)


def test_such_a_role_can_do_everything_that_a_worker_does(place: Place) -> None:
    place.as_admin("CREATE SCHEMA sms AUTHORIZATION {role}")
    upgrade(place.plain)
    now = datetime.now(UTC)
    with place.plain.begin() as connection:
        identity.recognise_key(connection, ACCOUNT, account=identity.FIRST_ACCOUNT, contradicted=False, now=now)
        campaign = campaigns.create(connection, recipients=numbers(3), text="سلام", sender=SENDER)
        campaigns.start(connection, campaign)
        assert gate.read_gate(connection).is_open
    (only,) = batch_ids(place.plain, campaign)
    with place.plain.begin() as connection:
        claim = batches.claim_ready(
            connection, only, account=ACCOUNT, call_id=uuid4(), now=datetime.now(UTC), lease=LEASE
        )
        assert claim is not None


def test_a_member_of_the_role_that_owns_the_tables_can_upgrade(place: Place) -> None:
    upgrade(place.admin, revision="0003")
    place.as_admin("GRANT CREATE, USAGE ON SCHEMA sms TO {role}", f"GRANT {place.admin.url.username} TO {{role}}")
    assert upgrade(place.plain)


def test_without_the_schema_and_the_right_to_make_it_the_statement_is_told(place: Place) -> None:
    with pytest.raises(NotReady, match=rf"as a superuser, run CREATE SCHEMA sms AUTHORIZATION {place.role}$"):
        upgrade(place.plain)


def test_a_role_that_may_create_in_the_database_makes_the_schema(place: Place) -> None:
    place.as_admin(f"GRANT CREATE ON DATABASE {place.admin.url.database} TO {{role}}")
    assert upgrade(place.plain)


def test_a_role_that_may_not_create_in_the_schema_is_told_so(place: Place) -> None:
    place.as_admin("CREATE SCHEMA sms", "GRANT USAGE ON SCHEMA sms TO {role}")
    with pytest.raises(NotReady, match=rf"run GRANT USAGE, CREATE ON SCHEMA sms TO {place.role}$"):
        upgrade(place.plain)


def test_a_role_that_owns_the_schema_but_not_its_tables_is_told_whose_they_are(place: Place) -> None:
    upgrade(place.admin, revision="0003")
    place.as_admin("ALTER SCHEMA sms OWNER TO {role}", "GRANT SELECT ON sms.alembic_version TO {role}")
    owner = place.admin.url.username
    with pytest.raises(NotReady, match=rf"belong to the role {owner}.*run GRANT {owner} TO {place.role}$"):
        upgrade(place.plain)


def test_a_table_of_the_version_that_cannot_be_read_is_no_reason_to_begin_anew(place: Place) -> None:
    upgrade(place.admin, revision="0003")
    place.as_admin("ALTER SCHEMA sms OWNER TO {role}")
    with pytest.raises(NotReady, match="belong to the role"):
        upgrade(place.plain)


def test_whose_sessions_times_are_hidden_is_named_all_the_same(place: Place) -> None:
    place.as_admin("CREATE SCHEMA sms AUTHORIZATION {role}")
    upgrade(place.plain, revision="0001")
    url = place.admin.url.render_as_string(hide_password=False)
    with reading(url) as reader, pytest.raises(NotReady) as raised:
        upgrade(place.plain, patience_s=0.5)
    hidden = "how long its transaction has been open is hidden from this role"
    assert f'pid {reader.pid} (application "nightly report"' in str(raised.value)
    assert hidden in str(raised.value)
