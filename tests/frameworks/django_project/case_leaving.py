"""Nothing leaves the shop's tests: not from this process, and not from a worker that is connected to its database."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import testing
from kavenegar_campaigns.context import Client
from kavenegar_campaigns.django.address import database_url
from tests.frameworks.django_project.urls import place_order

GATEWAY = os.environ["SHOP_GATEWAY"]


class Refused(TestCase):
    """Calls from this process."""

    def test_a_client_cannot_be_made(self) -> None:
        with pytest.raises(campaigns.BadInput, match="nothing leaves a process that runs tests"):
            Client("a-key", GATEWAY)

    def test_a_password_of_the_worker_package_is_refused_before_it_is_ordered(self) -> None:
        from kavenegar_worker import otp

        with pytest.raises(campaigns.BadInput, match="nothing leaves a process that runs tests"):
            otp.send(number="09121234567", template="login", token="4815", key="login:1")
        assert testing.outbox(connection).otps == []

    def test_the_command_line_which_is_another_process_is_refused(self) -> None:
        with pytest.raises(CommandError, match="nothing leaves a process that runs tests"):
            call_command("campaigns", "list")

    def test_what_would_have_left_is_that_of_the_transaction(self) -> None:
        place_order("09121234567")
        draft = campaigns.create(connection, recipients=["09121234568"], text="x", sender="10004346")
        campaigns.order_otp(connection, number="09121234569", template="login", token="4815", key="login:2")
        outbox = testing.outbox(connection)

        assert [each.number for each in outbox.messages] == ["09121234567"]
        [otp] = outbox.otps
        assert (otp.number, otp.template, otp.tokens, otp.key) == ("09121234569", "login", {"token": "4815"}, "login:2")
        campaigns.start(connection, draft)
        assert [each.text for each in outbox.messages] == ["سلام سارا", "x"]
        campaigns.pause(connection, draft)
        assert len(outbox.messages) == 1
        assert "0912" not in repr(outbox.messages + outbox.otps)

    def test_nothing_is_left_of_the_other_tests(self) -> None:
        outbox = testing.outbox(connection)
        assert (outbox.messages, outbox.otps) == ([], [])


class RefusedByTheDatabase(TransactionTestCase):
    """Claims, by whichever process makes them."""

    def claims(self, statement: str) -> str:
        with pytest.raises(Exception, match="nothing leaves a test database") as caught, connection.cursor() as cursor:
            cursor.execute(statement)
        return str(caught.value)

    def test_no_claim_of_any_work_is_possible(self) -> None:
        place_order("09121234567")
        with transaction.atomic():
            campaigns.order_otp(connection, number="09121234569", template="login", token="4815", key="login:3")
        for statement in (
            "UPDATE sms.batches SET state = 'claimed', lease_owner = gen_random_uuid()",
            "UPDATE sms.otps SET state = 'claimed', lease_owner = gen_random_uuid()",
            "INSERT INTO sms.lines (line, every, due_at, reconcile_at, lease_owner, leased_until)"
            " VALUES ('1', '1 min', now(), now(), gen_random_uuid(), now())",
        ):
            assert "a worker is connected" in self.claims(statement)

    def test_a_worker_of_another_process_sends_nothing_from_this_database(self) -> None:
        place_order("09121234567")
        address = database_url(connections["default"])
        code = "from kavenegar_worker import tasks, wiring; wiring.recognised_context(); print(tasks.send_batch(1))"
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM sms.batches")
            [(batch,)] = cursor.fetchall()
        done = subprocess.run(
            [sys.executable, "-c", code.replace("(1)", f"({batch})")],
            env=os.environ
            | {
                "DATABASE_URL": address,
                "BROKER_URL": os.environ["SHOP_BROKER"],
                "KAVENEGAR_API_KEY": os.environ["SHOP_API_KEY"],
                "KAVENEGAR_BASE_URL": GATEWAY,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode != 0, done.stdout
        assert "nothing leaves a test database" in done.stderr
        assert "0912" not in done.stderr
