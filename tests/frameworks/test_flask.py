"""The README's Flask lines in Flask, with Flask-SQLAlchemy's `db.session`, and with a `scoped_session` of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import scoped_session, sessionmaker

import kavenegar_campaigns as campaigns
from tests.frameworks.snippets import run, snippet, uploads


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    """A shop on Flask-SQLAlchemy."""
    shop, db = Flask("shop"), SQLAlchemy()
    shop.config["SQLALCHEMY_DATABASE_URI"] = database_url
    db.init_app(shop)
    run(snippet("Flask"), {"app": shop, "db": db, "request": request, "campaigns": campaigns})
    yield shop
    with shop.app_context():
        db.engine.dispose()


def _upload(app: Flask, file: Path) -> Any:
    with file.open("rb") as opened:
        return app.test_client().post("/campaigns", data={"file": (opened, file.name), "text": "سلام {name}"})


def test_an_upload_to_flask_becomes_a_running_campaign(app: Flask, engine: Engine, tmp_path: Path) -> None:
    for file in uploads(tmp_path):
        answer = _upload(app, file)

        assert answer.status_code == 200, answer.text
        with engine.connect() as connection:
            found = campaigns.get(connection, answer.json["campaign"])
        assert (found.state, found.messages) == ("running", 2)


def test_every_function_takes_a_scoped_session(engine: Engine) -> None:
    session = scoped_session(sessionmaker(engine))
    campaign = campaigns.create(session, recipients=["09701234567"], text="سلام", sender="10004346")
    campaigns.start(session, campaign)

    assert campaigns.progress(session, campaign).campaign.messages == 1
    assert campaigns.get(session, campaign).state == "running"
    assert [each.id for each in campaigns.newest(session)] == [campaign]
    assert campaigns.why_waiting(session, campaign) is not None
    assert campaigns.build_report(session, campaign).campaign.id == campaign
    assert campaigns.suppress(session, ["09701234568"]) == 1
    assert campaigns.suppressed(session, "09701234568") is not None
    session.rollback()

    assert session.execute(select(text("count(*) FROM sms.campaigns"))).scalar_one() == 0
    session.remove()


def test_a_rollback_in_the_view_takes_the_campaign_back(app: Flask, engine: Engine) -> None:
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        campaigns.create(db.session, recipients=["09701234567"], text="سلام", sender="10004346")
        db.session.rollback()

    with engine.connect() as connection:
        assert campaigns.newest(connection) == []


def test_what_is_no_session_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(campaigns.BadInput, match="SimpleNamespace is no transaction: give a SQLAlchemy Connection"):
        campaigns.get(SimpleNamespace(), 1)  # type: ignore[arg-type]
