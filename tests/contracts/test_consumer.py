"""Somebody else's program imports the package, and a strict type checker knows every type of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contracts.test_packaging import ROOT, build_wheel

CONSUMER = '''
"""A small program that sends campaigns, reads how they stand, and runs a worker of its own."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_type

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import aio
from kavenegar_campaigns.api import admin, gateway, work
from kavenegar_campaigns.api.suppression import ImportResult, import_suppressed
from kavenegar_campaigns.context import Context, Database
from kavenegar_campaigns.errors import Postpone
from kavenegar_worker import otp


def send(engine: Engine, file: Path) -> int:
    with engine.begin() as connection:
        campaign_id = campaigns.create(connection, recipients=file, text="سلام {name}", sender="10004346", key="spring")
        campaign = campaigns.start(connection, campaign_id, at=None)
    assert_type(campaign, campaigns.Campaign)
    return campaign_id


def follow(session: Session, campaign_id: int) -> str:
    progress = campaigns.progress(session, campaign_id)
    waiting = campaigns.why_waiting(session, campaign_id)
    assert_type(progress.counts[campaigns.MessageState.DELIVERED], int)
    assert_type(waiting, campaigns.Waiting | None)
    assert_type(campaigns.build_report(session, campaign_id).cost_rial, int)
    return "over" if waiting is None else waiting.sentence


async def send_awaited(session: AsyncSession, connection: AsyncConnection, file: Path) -> int | None:
    try:
        campaign_id = await aio.create(
            session, recipients=file, text="سلام {name}", sender="10004346", key="spring", tag="spring", hide=True
        )
    except campaigns.DatabaseFailed as why:
        assert_type(why.retryable, bool)
        assert_type(why.sqlstate, str | None)
        return None
    assert_type(await aio.start(session, campaign_id, at=None), campaigns.Campaign)
    assert_type(await aio.why_waiting(connection, campaign_id), campaigns.Waiting | None)
    assert_type(await aio.suppress(connection, ["09121234567"]), int)
    assert_type((await aio.list_inbound(session, limit=3))[0].id, int)
    return campaign_id


def order(session: Session) -> campaigns.OtpState:
    otp_id = campaigns.order_otp(session, number="09121234567", template="login", token="481516", key="login:1")
    return campaigns.otp_state(session, otp_id).state


def order_at_once() -> str | None:
    found = otp.send(number="09121234567", template="login", token="481516", lifetime=timedelta(minutes=1))
    assert_type(found, campaigns.Otp)
    return found.advice


def read_inbox(connection: Connection, since: datetime) -> list[int]:
    try:
        newest = campaigns.list_inbound(connection, since=since)
    except campaigns.BadInput:
        return []
    return [message.id for message in newest if campaigns.acknowledge(connection, message.id)]


def suppress(engine: Engine, file: Path) -> int:
    found = import_suppressed(engine, file, file=file.name, source="the old system")
    assert_type(found, ImportResult)
    return found.suppressed


def administer(database: Database, connection: Connection) -> None:
    for line in admin.list_lines(connection):
        assert_type(line.every, timedelta)
    assert_type(admin.find_overdue(connection, now=database.now()).ready, int)
    assert_type(admin.renew_epoch(database).epoch, int)


def run_due_work(context: Context) -> list[str]:
    if not work.begin_tick(context):
        return []
    try:
        credit = gateway.fetch_credit(context)
    except Postpone as why:
        assert_type(why.retry_after_s, float)
        return []
    assert_type(credit.remaincredit, int)
    return [work.send_batch(context, batch_id) for batch_id in work.find_due(context).send]
'''

WRONG = """
import kavenegar_campaigns as campaigns
from kavenegar_campaigns import aio
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncSession


def send(connection: Connection) -> str:
    campaigns.start(connection, "17")
    campaigns.create(connection, recipients=["09121234567"])
    campaigns.report(connection, 17)
    return campaigns.create(connection, recipients=["09121234567"], text="hello")


async def send_awaited(connection: Connection, session: AsyncSession) -> str:
    await aio.start(session, "17")
    await aio.start(connection, 17)
    await aio.create(session, recipients=["09121234567"])
    await aio.create(session, recipients=["09121234567"], text="hello", colour="red")
    return await aio.create(session, recipients=["09121234567"], text="hello")
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """What `mypy --strict` says of two programs in a folder of their own, the right one and the wrong one."""
    folder = tmp_path_factory.mktemp("consumer")
    (folder / "right.py").write_text(CONSUMER, encoding="utf-8")
    (folder / "wrong.py").write_text(WRONG, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", "right.py", "wrong.py"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, check=False)
    assert found.stderr == ""
    return found.stdout.splitlines()


def test_a_program_that_uses_the_package_rightly_passes_mypy_strict(checked: Sequence[str]) -> None:
    assert [line for line in checked if not line.startswith("wrong.py:")] == []


def test_a_program_that_uses_it_wrongly_is_told_so(checked: Sequence[str]) -> None:
    found = [line.rpartition("[")[2].rstrip("]") for line in checked if line.startswith("wrong.py:") and "[" in line]

    assert found == [
        *("arg-type", "call-arg", "attr-defined", "return-value"),
        *("arg-type", "arg-type", "call-arg", "call-arg", "return-value"),
    ]


def test_the_wheel_says_that_it_is_typed(tmp_path: Path) -> None:
    with build_wheel(ROOT, tmp_path) as wheel:
        assert {"kavenegar_campaigns/py.typed", "kavenegar_worker/py.typed"} <= set(wheel.namelist())
