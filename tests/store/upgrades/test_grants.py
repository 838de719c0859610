"""A role that only creates, steers, watches, orders and suppresses, and a role for the workers: `grants`."""

from __future__ import annotations

import inspect
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg.errors
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import BadInput, DatabaseFailed, NotReady
from kavenegar_campaigns.store import batches, gate, identity
from kavenegar_campaigns.store.grants import GRANTS, Profile, grant
from kavenegar_campaigns.store.migrate import upgrade
from tests.store.given import LEASE, batch_ids
from tests.store.upgrades.conftest import Place
from tests.world import ACCOUNT, SENDER, numbers

_TABLE_RIGHTS = [(table, right) for table, rights in GRANTS[Profile.WEB].items() for right in rights.split(", ")]
_OTHER_RIGHTS = [
    "USAGE ON SCHEMA sms",
    "USAGE ON SEQUENCE sms.message_id_blocks",
    "USAGE ON SEQUENCE sms.campaigns_id_seq",
]

_INBOUND = """
    INSERT INTO sms.inbound (gateway_id, line, number, text, received_at, stored_at, via, opted_out)
    VALUES (1, '10004346', '09121234567', 'yes', now(), now(), 'receive', false)
"""
_FORBIDDEN = (
    "DELETE FROM sms.messages",
    "TRUNCATE sms.messages",
    "UPDATE sms.otps SET number = '09120000000'",
    "UPDATE sms.installation SET epoch = 2",
    "INSERT INTO sms.epochs (number, began_at, cause) VALUES (9, now(), 'mischief')",
    "INSERT INTO sms.inbound (gateway_id) VALUES (1)",
    "UPDATE sms.accounts SET account = 2",
    "SELECT * FROM sms.pace",
    "SELECT * FROM sms.callbacks",
    "UPDATE sms.lines SET enabled = false",
    "UPDATE sms.alembic_version SET version_num = '0001'",
    "SELECT setval('sms.message_id_blocks', 1)",
    "ALTER TABLE sms.campaigns ADD COLUMN theirs integer",
    "CREATE TABLE sms.theirs (id integer)",
    "DROP TABLE sms.campaigns",
)


class Called:
    """The public functions, and which of them were called."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(campaigns, name)


@pytest.fixture
def shop(place: Place) -> Place:
    """A database with our tables, one inbound message and a known key; the role has the rights of a web app."""
    upgrade(place.admin)
    with place.admin.begin() as connection:
        now = datetime.now(UTC)
        identity.recognise_key(connection, ACCOUNT, account=identity.FIRST_ACCOUNT, contradicted=False, now=now)
        connection.execute(text(_INBOUND))
        grant(connection, place.role, Profile.WEB)
    return place


def use_everything(place: Place) -> set[str]:
    """Call every public function as the role, each path of it that asks another statement. Returns the names."""
    it = Called()
    with place.plain.begin() as connection:
        one = it.create(connection, recipients=[*numbers(3), "12"], text="سلام", sender=SENDER, key=uuid4().hex)
        two = it.create(connection, recipients=[("09121234567", {"name": "a"})], text="{name}", sender=SENDER)
        it.estimate(recipients=numbers(3), text="سلام")
        it.start(connection, one)
        it.start(connection, two)
        it.pause(connection, one)
        it.resume(connection, one, sender="10008663")
        it.send_uncertain(connection, one)
        it.cancel(connection, two)
        for read in (it.get, it.progress, it.why_waiting, it.build_report, it.preview):
            read(connection, one)
        it.newest(connection)
        it.by_key(connection, uuid4().hex)
        it.export(connection, one, io.StringIO())
        it.export_rejects(connection, one, io.StringIO())
        (line,) = it.list_inbound(connection)
        it.get_inbound(connection, line.id)
        it.acknowledge(connection, line.id)
        order = it.order_otp(connection, number="09121234567", template="login", token="481516", key=uuid4().hex)
        it.otp_state(connection, order)
        it.suppress(connection, ["09121234568"])
        it.suppressed(connection, "09121234568")
        it.unsuppress(connection, ["09121234568"])
    return it.names


def refused(call: Callable[[], object]) -> bool:
    """Whether PostgreSQL refuses this for want of a right."""
    try:
        call()
    except DatabaseFailed as error:
        return error.sqlstate == psycopg.errors.InsufficientPrivilege.sqlstate
    except DBAPIError as error:
        return isinstance(error.orig, psycopg.errors.InsufficientPrivilege)
    return False


def test_the_web_role_may_call_every_public_function(shop: Place) -> None:
    public = {name for name in campaigns.__all__ if inspect.isfunction(getattr(campaigns, name)) and name[0].islower()}
    assert use_everything(shop) == public


def test_the_web_role_has_no_right_that_it_does_not_need(shop: Place) -> None:
    rights = [f"{right} ON sms.{table}" for table, right in _TABLE_RIGHTS] + _OTHER_RIGHTS
    unneeded = []
    for right in rights:
        shop.as_admin(f"REVOKE {right} FROM {{role}}")
        if not refused(lambda: use_everything(shop)):
            unneeded.append(right)
        shop.as_admin(f"GRANT {right} TO {{role}}", "UPDATE sms.inbound SET acknowledged_at = NULL")
    assert unneeded == []
    use_everything(shop)


def test_the_web_role_is_refused_all_else(shop: Place) -> None:
    allowed = []
    for statement in _FORBIDDEN:
        with shop.plain.connect() as connection:
            if not refused(lambda connection=connection, it=statement: connection.execute(text(it))):
                allowed.append(statement)
    assert allowed == []


def test_the_doctor_says_of_such_a_role_that_it_lacks_a_right(shop: Place) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": shop.plain.url.render_as_string(hide_password=False),
        "CAMPAIGNS_BROKER_URL": "redis://127.0.0.1:1/0",
        "KAVENEGAR_API_KEY": "sandbox",
        "KAVENEGAR_BASE_URL": "http://127.0.0.1:1",
    }
    command = [sys.executable, "-m", "kavenegar_worker.cli", "doctor", "--json"]
    doctor = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    found = [each for each in json.loads(doctor.stdout)["findings"] if each["name"] == "database"]
    assert "lacks a right (permission denied for" in found[-1]["says"]
    assert "--grant-worker" in found[-1]["do"]


def test_the_web_role_cannot_upgrade(shop: Place) -> None:
    shop.as_admin("DELETE FROM sms.alembic_version")
    with pytest.raises(NotReady):
        upgrade(shop.plain)


def test_a_role_gets_exactly_the_rights_of_its_profile_however_often_it_is_given_them(shop: Place) -> None:
    held = """
        SELECT table_name, privilege_type FROM information_schema.role_table_grants
         WHERE grantee = :role AND table_schema = 'sms'
    """
    shop.as_admin("GRANT DELETE ON sms.messages TO {role}", "GRANT SELECT ON sms.pace TO {role}")
    for _ in range(2):
        with shop.admin.begin() as connection:
            grant(connection, shop.role, Profile.WEB)
    with shop.admin.connect() as connection:
        rows = {tuple(row) for row in connection.execute(text(held), {"role": shop.role})}
    assert rows == set(_TABLE_RIGHTS)


def test_a_name_that_sql_would_quote_is_a_name_all_the_same(place: Place) -> None:
    role = f'odd "{place.role}" name'
    quoted = '"' + role.replace('"', '""') + '"'
    upgrade(place.admin)
    place.as_admin(f"CREATE ROLE {quoted}")
    with place.admin.begin() as connection:
        grant(connection, role, Profile.WEB)
        allowed = text("SELECT has_table_privilege(:role, 'sms.campaigns', 'INSERT')")
        assert connection.execute(allowed, {"role": role}).scalar_one()
        connection.execute(text(f"DROP OWNED BY {quoted}"))
        connection.execute(text(f"DROP ROLE {quoted}"))


def test_the_worker_role_does_what_a_worker_does_and_cannot_change_a_table(place: Place) -> None:
    upgrade(place.admin)
    with place.admin.begin() as connection:
        grant(connection, place.role, Profile.WORKER)
    with place.plain.begin() as connection:
        now = datetime.now(UTC)
        identity.recognise_key(connection, ACCOUNT, account=identity.FIRST_ACCOUNT, contradicted=False, now=now)
        campaign = campaigns.create(connection, recipients=numbers(3), text="سلام", sender=SENDER)
        campaigns.start(connection, campaign)
        assert gate.read_gate(connection).is_open
    (only,) = batch_ids(place.plain, campaign)
    with place.plain.begin() as connection:
        now = datetime.now(UTC)
        assert batches.claim_ready(connection, only, account=ACCOUNT, call_id=uuid4(), now=now, lease=LEASE)
    for statement in ("DROP TABLE sms.pace", "CREATE TABLE sms.theirs (id integer)", "DELETE FROM sms.messages"):
        with place.plain.connect() as connection:
            assert refused(lambda connection=connection, it=statement: connection.execute(text(it)))


def test_a_role_that_does_not_exist_is_named(shop: Place) -> None:
    with shop.admin.begin() as connection, pytest.raises(BadInput, match="there is no role nobody_here: CREATE ROLE"):
        grant(connection, "nobody_here", Profile.WEB)


def test_the_owner_of_the_tables_keeps_its_rights(shop: Place) -> None:
    owner = str(shop.admin.url.username)
    with shop.admin.begin() as connection, pytest.raises(BadInput, match=f"the role {owner} owns the tables"):
        grant(connection, owner, Profile.WEB)


def test_only_the_owner_of_the_tables_can_grant(shop: Place) -> None:
    with shop.plain.begin() as connection, pytest.raises(BadInput, match="only the owner of the tables can grant"):
        grant(connection, shop.role, Profile.WORKER)
