"""A shop on Django, in a process of its own: Django has one configuration a process.

The first argument: `serve` uploads to the shop as it runs; `test` as a test of the shop does, in Django's own test
database; `rollback` in a view of which the whole request is one transaction. Further arguments are the files.
Prints what each upload is answered.
"""

from __future__ import annotations

import functools
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
from django.test.utils import setup_databases, teardown_databases
from django.urls import path

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.store.migrate import upgrade
from tests.frameworks.snippets import run, snippet

urlpatterns: list[Any] = []


def configure(*, atomic: bool) -> dict[str, Any]:
    """Set Django up and run the README's lines; the names they leave."""
    url = sqlalchemy.make_url(os.environ["SHOP_DATABASE_URL"])
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": url.database, "USER": url.username}
    database |= {"PASSWORD": url.password or "", "HOST": url.host or url.query.get("host", ""), "PORT": url.port or ""}
    settings.configure(
        DATABASES={"default": database | {"ATOMIC_REQUESTS": atomic}},
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        CAMPAIGNS_DATABASE_URL=os.environ["SHOP_DATABASE_URL"],
    )
    django.setup()
    from django.db import connection, transaction

    around = {"sqlalchemy": sqlalchemy, "settings": settings, "functools": functools, "JsonResponse": JsonResponse}
    names = run(
        snippet("Django"), {"campaigns": campaigns, "connection": connection, "transaction": transaction} | around
    )
    urlpatterns.append(path("campaigns", names["enqueue"]))
    return names


def upload(file: Path) -> Any:
    """What the shop answers."""
    with file.open("rb") as opened:
        answer = Client(raise_request_exception=True).post("/campaigns", {"file": opened, "text": "سلام {name}"})
    return answer.json()


def tested(names: dict[str, Any], files: list[Path]) -> list[Any]:
    """What a test of the shop is answered, between the making and the dropping of Django's test database."""
    from django.db import connection

    made = setup_databases(verbosity=0, interactive=False)
    its = names["engine"](connection.settings_dict["NAME"]) if callable(names["engine"]) else names["engine"]
    upgrade(its)
    answers: list[Any] = []

    class Shop(TestCase):
        def test_upload(self) -> None:
            answers.extend(upload(file) for file in files)

    outcome = Shop("test_upload").run()
    assert outcome is not None
    assert outcome.wasSuccessful(), outcome.errors
    its.dispose()
    teardown_databases(made, verbosity=0)
    return answers


def main(mode: str, *files: str) -> None:
    """Run one mode."""
    names, paths = configure(atomic=mode == "rollback"), [Path(file) for file in files]
    if mode == "test":
        answers = tested(names, paths)
    elif mode == "rollback":
        answers = [_inside_a_transaction(paths[0])]
    else:
        answers = [upload(file) for file in paths]
    sys.stdout.write(json.dumps(answers))


def _inside_a_transaction(file: Path) -> Any:
    """What comes of an upload inside somebody's transaction, which is rolled back."""
    from django.db import transaction

    try:
        with transaction.atomic():
            answer = upload(file)
            transaction.set_rollback(True)
    except RuntimeError as why:
        return str(why)
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])
