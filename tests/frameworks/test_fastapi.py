"""The README's FastAPI lines in FastAPI, over its own protocol, and the sessions that async code would hand over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import Depends, FastAPI, Form, UploadFile
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

import kavenegar_campaigns as campaigns
from tests.frameworks.snippets import run, snippet, uploads


@pytest.fixture
def app(engine: Engine) -> FastAPI:
    """A shop on FastAPI."""

    def session() -> Iterator[Session]:
        with Session(engine) as found:
            yield found

    shop = FastAPI()
    names = {"Depends": Depends, "Form": Form, "UploadFile": UploadFile, "Session": Session, "session": session}
    run(snippet("FastAPI"), {"app": shop, "campaigns": campaigns, **names})
    return shop


async def _post(app: FastAPI, file: Path) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        return await client.post(
            "/campaigns", files={"file": (file.name, file.read_bytes())}, data={"text": "سلام {name}"}
        )


def test_an_upload_to_fastapi_becomes_a_running_campaign(app: FastAPI, engine: Engine, tmp_path: Path) -> None:
    for file in uploads(tmp_path):
        answer = asyncio.run(_post(app, file))

        assert answer.status_code == 200, answer.text
        with engine.connect() as connection:
            found = campaigns.get(connection, answer.json()["campaign"])
        assert (found.state, found.messages, found.name) == ("running", 2, file.name)


def test_async_sessions_are_led_to_the_awaitable_functions(database_url: str) -> None:
    engine = create_async_engine(database_url)

    async def inside(session: AsyncSession) -> None:
        with pytest.raises(campaigns.BadInput, match=r"AsyncSession is async .* in `kavenegar_campaigns\.aio`"):
            campaigns.get(session, 1)  # type: ignore[arg-type]
        campaign = await session.run_sync(_create)
        assert (await session.run_sync(campaigns.get, campaign)).messages == 1

    async def both() -> None:
        async with AsyncSession(engine) as session:
            await inside(session)
        await engine.dispose()

    asyncio.run(both())


def _create(session: Session) -> int:
    return campaigns.create(session, recipients=["09701234567"], text="سلام", sender="10004346")


def test_engines_and_other_databases_are_refused_with_what_would_be_right(engine: Engine) -> None:
    elsewhere = create_engine("sqlite://")
    with pytest.raises(campaigns.BadInput, match=r"is in no transaction: .* `with engine\.begin"):
        _create(engine)  # type: ignore[arg-type]
    with pytest.raises(campaigns.BadInput, match="a sessionmaker is in no transaction"):
        campaigns.get(sessionmaker(engine), 1)  # type: ignore[arg-type]
    with Session(elsewhere) as session, pytest.raises(campaigns.BadInput, match="this is sqlite: give a"):
        campaigns.get(session, 1)
    elsewhere.dispose()
