"""The page's Django lines in Django: as the shop runs, in the shop's own tests, and inside another transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from tests.frameworks.snippets import uploads
from tests.own_process import answer_of


def _shop(mode: str, database_url: str, *files: Path) -> list[Any]:
    answers: list[Any] = answer_of(
        "-m", "tests.frameworks.django_shop", mode, *map(str, files), SHOP_DATABASE_URL=database_url
    )
    return answers


def test_an_upload_to_django_becomes_a_running_campaign(engine: Engine, database_url: str, tmp_path: Path) -> None:
    answers = _shop("serve", database_url, *uploads(tmp_path))

    with engine.connect() as connection:
        found = [campaigns.get(connection, answer["campaign"]) for answer in answers]
    assert [(each.state, each.messages) for each in found] == [("running", 2), ("running", 2)]


def test_the_tests_of_a_shop_create_nothing_where_workers_send_and_see_what_would_have_left(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    csv, xlsx = uploads(tmp_path)

    first, second, *left = _shop("test", database_url, csv, xlsx)

    assert (list(first), list(second)) == (["campaign"], ["campaign"])
    assert left == [["09701234567", "سلام سارا"], ["09701234568", "سلام علی"]] * 2
    with engine.connect() as connection:
        assert campaigns.newest(connection) == []


def test_the_rollback_of_a_transaction_around_the_view_takes_the_campaign_back(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    [answer] = _shop("rollback", database_url, uploads(tmp_path)[0])

    assert list(answer) == ["campaign"]
    with engine.connect() as connection:
        assert campaigns.newest(connection) == []
