"""The lines of docs/in-your-project.md for each framework: few, the README's, and run against the real framework.

Django, Flask and FastAPI are run by the files of their names; here the rest.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
from fastapi import Depends, FastAPI, Form, UploadFile
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import aio, errors, testing, web_errors
from tests.frameworks.snippets import PAGE, README, every_snippet, run, snippet, uploads

FRAMEWORKS = ("Django", "Flask", "FastAPI", "FastAPI, async", "SQLAlchemy", "psycopg")
IN_THE_README = FRAMEWORKS[:3]


def test_no_framework_needs_more_than_ten_lines_and_every_snippet_of_the_page_is_run() -> None:
    found = {name: snippet(name) for name in FRAMEWORKS}

    assert {name: lines.count("\n") for name, lines in found.items() if lines.count("\n") > 10} == {}
    assert [each for each in every_snippet(PAGE) if each not in found.values()] == [
        outbox_snippet(),
        *pytest_snippets(),
    ]


def test_the_page_tells_the_statuses_of_errors_as_they_are() -> None:
    statuses = re.findall(r"`(\w+)`\s+(\d{3})\b", PAGE.read_text(encoding="utf-8"))

    assert len(statuses) == 6
    assert {name: int(status) for name, status in statuses} == {
        name: web_errors.status_of(getattr(errors, name)).value for name, _ in statuses
    }


def outbox_snippet() -> str:
    """What a test of the shop looks at."""
    [found] = [each for each in every_snippet(PAGE) if "testing.outbox" in each]
    return found


def pytest_snippets() -> list[str]:
    """The fixtures of a shop without Django, and a test that uses them."""
    return [each for each in every_snippet(PAGE) if "campaigns_engine" in each or "campaigns_outbox" in each]


_CONFTEST: Final = """
import os
import pytest
from flask import Flask, request
from sqlalchemy import create_engine
import kavenegar_campaigns as campaigns
from kavenegar_campaigns import testing

@pytest.fixture
def client(campaigns_engine):
    app = Flask("shop")

    @app.post("/orders")
    def order():
        with campaigns_engine.begin() as connection:
            people = [(request.form["mobile"], {"name": request.form["name"]})]
            order = campaigns.create(connection, recipients=people, text="سلام {name}", sender="10004346")
            campaigns.start(connection, order)
        return {}

    return app.test_client()
"""


def test_with_pytest_and_without_django_nothing_stays_that_an_endpoint_committed(
    engine: Engine, tmp_path: Path
) -> None:
    fixtures, a_test = pytest_snippets()
    (tmp_path / "conftest.py").write_text(_CONFTEST + fixtures, encoding="utf-8")
    again = a_test.replace("test_an_order", "test_another_order")
    (tmp_path / "test_orders.py").write_text(a_test + "\n\n" + again, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "TEST_DATABASE_URL": engine.url.render_as_string(hide_password=False)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_test_sees_what_would_have_left(engine: Engine) -> None:
    testing.create_schema(engine)
    with engine.begin() as connection:
        people = [("09121234567", {"name": "سارا"})]
        campaigns.start(
            connection, campaigns.create(connection, recipients=people, text="سلام {name}", sender="10004346")
        )
        run(outbox_snippet(), {"connection": connection})


def test_a_test_receives_what_a_person_would_have_written(engine: Engine) -> None:
    testing.create_schema(engine)
    with engine.begin() as connection:
        first = testing.receive(connection, number="+989121234567", text="سلام")
        second = testing.receive(connection, number="09121234568", text="لغو", line="30001234")

        found = [campaigns.get_inbound(connection, each) for each in (first, second)]
        assert [(each.number, each.line) for each in found] == [
            ("09121234567", "10004346"),
            ("09121234568", "30001234"),
        ]
        assert campaigns.acknowledge(connection, first)
        assert not campaigns.acknowledge(connection, first)
        assert campaigns.suppressed(connection, "09121234568") is not None


def test_nobody_writes_to_a_database_that_is_not_one_of_tests(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(campaigns.BadInput, match="is no test database"):
        testing.receive(connection, number="09121234567", text="سلام")


@pytest.mark.parametrize("name", IN_THE_README)
def test_the_readme_has_the_pages_lines(name: str) -> None:
    assert snippet(name, README) == snippet(name)


@pytest.mark.parametrize("name", ["SQLAlchemy", "psycopg"])
def test_an_uploaded_file_becomes_a_running_campaign(name: str, engine: Engine, tmp_path: Path) -> None:
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    around = {"engine": engine, "psycopg": psycopg, "address": address, "campaigns": campaigns}
    enqueue: Callable[[Any, str], int] = run(snippet(name), around)["enqueue"]

    for file in uploads(tmp_path):
        with file.open("rb") as opened:
            campaign = enqueue(opened, "سلام {name}")

        with engine.connect() as connection:
            found = campaigns.get(connection, campaign)
        assert (found.state, found.messages) == ("running", 2)


def test_an_upload_to_an_async_endpoint_becomes_a_running_campaign(engine: Engine, tmp_path: Path) -> None:
    async def upload(files: list[Path]) -> list[int]:
        theirs = create_async_engine(engine.url)

        async def session() -> AsyncIterator[AsyncSession]:
            async with AsyncSession(theirs) as found:
                yield found

        app = FastAPI()
        names = {"Depends": Depends, "Form": Form, "UploadFile": UploadFile, "AsyncSession": AsyncSession}
        run(snippet("FastAPI, async"), {"app": app, "aio": aio, "session": session, **names})
        answers = [await _post(app, file) for file in files]
        await theirs.dispose()
        return [answer.json()["campaign"] for answer in answers]

    created = asyncio.run(upload(uploads(tmp_path)))

    with engine.connect() as connection:
        found = [campaigns.get(connection, campaign) for campaign in created]
    assert [(each.state, each.messages) for each in found] == [("running", 2), ("running", 2)]


async def _post(app: FastAPI, file: Path) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        answer = await client.post(
            "/campaigns", files={"file": (file.name, file.read_bytes())}, data={"text": "سلام {name}"}
        )
    assert answer.status_code == 200, answer.text
    return answer
