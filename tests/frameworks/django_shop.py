"""A shop on Django, in a process of its own: Django has one configuration a process.

The first argument: `serve` uploads to the shop as it runs; `test` as a test of the shop does, in Django's own test
database; `rollback` inside a transaction that is rolled back. Further arguments are the files. Prints what each upload
is answered, and for a test what would have left.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import django
import sqlalchemy
from django.conf import settings
from django.http import JsonResponse
from django.test import Client, TestCase
from django.test.utils import (
    setup_databases,
    setup_test_environment,
    teardown_databases,
    teardown_test_environment,
)
from django.urls import path

import kavenegar_campaigns as campaigns
from tests.frameworks.snippets import run, snippet

urlpatterns: list[Any] = []


def configure() -> None:
    """Set Django up, run the page's lines, and serve them."""
    url = sqlalchemy.make_url(os.environ["SHOP_DATABASE_URL"])
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": url.database, "USER": url.username}
    database |= {"PASSWORD": url.password or "", "HOST": url.host or url.query.get("host", ""), "PORT": url.port or ""}
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "kavenegar_campaigns.django"],
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
    )
    django.setup()
    from django.db import connection, transaction

    around = {
        "JsonResponse": JsonResponse,
        "campaigns": campaigns,
        "connection": connection,
        "transaction": transaction,
    }
    urlpatterns.append(path("campaigns", run(snippet("Django"), around)["enqueue"]))


def upload(file: Path) -> Any:
    """What the shop answers."""
    with file.open("rb") as opened:
        answer = Client(raise_request_exception=True).post("/campaigns", {"file": opened, "text": "سلام {name}"})
    return answer.json()


def tested(files: list[Path]) -> list[Any]:
    """What a test of the shop is answered and sees, between the making and the dropping of Django's test database."""
    from django.db import connection

    from kavenegar_campaigns import testing

    answers: list[Any] = []

    class Shop(TestCase):
        def test_upload(self) -> None:
            answers.extend(upload(file) for file in files)
            answers.extend([each.number, each.text] for each in testing.outbox(connection).messages)

    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False)
    outcome = Shop("test_upload").run()
    assert outcome is not None
    assert outcome.wasSuccessful(), outcome.errors
    teardown_databases(made, verbosity=0)
    teardown_test_environment()
    return answers


def rolled_back(file: Path) -> Any:
    """What an upload inside somebody's transaction is answered, which is rolled back."""
    from django.db import transaction

    with transaction.atomic():
        answer = upload(file)
        transaction.set_rollback(True)
    return answer


def main(mode: str, *files: str) -> None:
    """Run one mode."""
    configure()
    paths = [Path(file) for file in files]
    if mode == "test":
        answers = tested(paths)
    elif mode == "rollback":
        answers = [rolled_back(file) for file in paths]
    else:
        answers = [upload(file) for file in paths]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
