"""An error that leaves a view is an answer with a sentence, in Django, Flask and FastAPI; its transaction is gone."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
from fastapi import Depends, FastAPI
from flask import Flask
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import CampaignsError, errors, web_errors
from tests.frameworks import django_errors
from tests.own_process import answer_of

EXPECTED: Final = {
    "/missing": (404, "urn:kavenegar-campaigns:not-found", "Not found"),
    "/wrong": (400, "urn:kavenegar-campaigns:bad-input", "Bad input"),
    "/key": (409, "urn:kavenegar-campaigns:key-conflict", "Key conflict"),
    "/move": (409, "urn:kavenegar-campaigns:illegal-move", "Illegal move"),
    "/row": (400, "urn:kavenegar-campaigns:bad-input", "Bad input"),
    "/unknown": (202, "urn:kavenegar-campaigns:outcome-unknown", "Outcome unknown"),
    "/later": (503, "urn:kavenegar-campaigns:gateway-down", "Gateway down"),
}
"""What each view of a shop is answered."""

Answer = tuple[int, dict[str, str], str]
"""Status, headers in small letters, body."""


def _check(answers: dict[str, Answer], engine: Engine) -> None:
    """The answers are as expected, in whatever framework, and nothing of a failed request is in the database."""
    assert set(answers) == {*EXPECTED, "/fine", "/other"}
    for path, (status, kind, title) in EXPECTED.items():
        found_status, headers, body = answers[path]
        found = json.loads(body)
        assert (path, found_status, headers["content-type"]) == (path, status, "application/problem+json")
        assert (found["type"], found["title"], found["status"]) == (kind, title, status)
        assert found["detail"]
        assert "09121234567" not in body
    assert json.loads(answers["/row"][2])["row"] == 7
    assert answers["/later"][1]["retry-after"] == "3"
    assert json.loads(answers["/missing"][2])["detail"].startswith("there is no campaign 999:")
    assert answers["/fine"][0] == 200
    assert answers["/other"][0] == 500
    assert "problem" not in answers["/other"][1]["content-type"]
    with engine.connect() as connection:
        assert campaigns.by_key(connection, "rolled back") is None


@pytest.fixture
def flask_app(engine: Engine) -> Flask:
    app = Flask("shop")
    app.register_error_handler(CampaignsError, web_errors.flask_handler)
    for path, view in django_errors.VIEWS.items():

        def endpoint(view: Callable[[Any], object] = view) -> str:
            with Session(engine) as session, session.begin():
                return str(view(session))

        app.add_url_rule(path, path, endpoint)
    return app


def test_flask_answers_with_the_handler_for_flask(flask_app: Flask, engine: Engine) -> None:
    client, answers = flask_app.test_client(), {}
    for path in django_errors.VIEWS:
        answer = client.get(path)
        answers[path] = (answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.text)

    _check(answers, engine)


@pytest.fixture
def fastapi_app(engine: Engine) -> FastAPI:
    app = FastAPI()
    app.add_exception_handler(CampaignsError, web_errors.starlette_handler)

    def session() -> Iterator[Session]:
        with Session(engine) as found, found.begin():
            yield found

    for path, view in django_errors.VIEWS.items():

        def endpoint(session: Session = Depends(session), view: Any = Depends(lambda view=view: view)) -> str:  # noqa: B008
            return str(view(session))

        app.get(path)(endpoint)
    return app


def test_fastapi_answers_with_the_handler_for_starlette(fastapi_app: FastAPI, engine: Engine) -> None:
    async def ask() -> dict[str, Answer]:
        transport = httpx.ASGITransport(fastapi_app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            found = {path: await client.get(path) for path in django_errors.VIEWS}
        return {path: (each.status_code, dict(each.headers), each.text) for path, each in found.items()}

    _check(asyncio.run(ask()), engine)


@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_django_answers_with_the_middleware_and_rolls_its_atomic_requests_back(
    protocol: str, engine: Engine, database_url: str
) -> None:
    answers, leftovers = answer_of("-m", "tests.frameworks.django_errors", protocol, SHOP_DATABASE_URL=database_url)

    assert leftovers == []  # of Django's own rows, which the view wrote before it failed
    _check({path: tuple(each) for path, each in answers.items()}, engine)


def _tree(kind: type[CampaignsError]) -> Iterator[type[CampaignsError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _tree(each)


def test_every_error_has_a_status_and_only_the_root_has_that_of_a_bug() -> None:
    found = {kind: web_errors.status_of(kind) for kind in _tree(CampaignsError)}

    assert [kind.__name__ for kind, status in found.items() if status == 500] == ["CampaignsError"]
    assert found[errors.AnswerUnclear] == 202
    assert found[errors.AccountBlocked] == 502
    assert found[errors.Throttled] == 503


def test_importing_the_handlers_imports_no_framework() -> None:
    source = "import sys, kavenegar_campaigns.web_errors; print(*{each.partition('.')[0] for each in sys.modules})"
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)

    assert not {"django", "flask", "fastapi", "starlette", "werkzeug", "asgiref"} & set(said.stdout.split())


def test_another_database_is_a_wrong_argument_and_not_a_bug() -> None:
    elsewhere = create_engine("sqlite://")
    with Session(elsewhere) as session, pytest.raises(CampaignsError) as raised:
        campaigns.get(session, 1)
    elsewhere.dispose()

    assert web_errors.problem(raised.value).status == 400


def test_a_sentence_that_quotes_half_of_a_character_is_answered_all_the_same(engine: Engine) -> None:
    r"""JSON of a request may hold one, as "\ud83d": Python reads it, and UTF-8 cannot write it."""
    with engine.connect() as connection, pytest.raises(errors.BadInput) as raised:
        campaigns.get(connection, "\ud83d")  # type: ignore[arg-type]

    assert "not" in json.loads(web_errors.problem(raised.value).body)["detail"]
