"""Views of a shop that fail in every way, and a shop on Django that has them, in a process of its own.

The argument: `wsgi` or `asgi`. Prints what each view is answered, and what Django's table holds of their requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import django
import sqlalchemy
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput
from kavenegar_campaigns.errors import GatewayDown, OutcomeUnknown


def _create(session: Any, key: str, text: str = "سلام") -> int:
    return campaigns.create(session, recipients=["09121234567"], text=text, sender="10004346", key=key)


def _missing(session: Any) -> object:
    _create(session, "rolled back")
    return campaigns.get(session, 999)


def _wrong(session: Any) -> object:
    _create(session, "rolled back")
    return campaigns.create(session, recipients=["0912123456"], text="سلام", sender="10004346")


def _key(session: Any) -> object:
    _create(session, "rolled back")
    return _create(session, "rolled back", "درود")


def _move(session: Any) -> object:
    return campaigns.resume(session, _create(session, "rolled back"))


def _row(_session: Any) -> object:
    raise BadInput("the number is empty", row=7)


def _unknown(_session: Any) -> object:
    raise OutcomeUnknown("the send left and no answer came")


def _later(_session: Any) -> object:
    raise GatewayDown("the gateway cannot be reached", retry_after_s=2.1)


def _fine(session: Any) -> object:
    return campaigns.newest(session)


def _other(_session: Any) -> object:
    raise LookupError("a bug of the shop's own")


VIEWS: Final[dict[str, Callable[[Any], object]]] = {
    f"/{view.__name__[1:]}": view for view in (_missing, _wrong, _key, _move, _row, _unknown, _later, _fine, _other)
}

urlpatterns: list[Any] = []


def _configure() -> Engine:
    url = sqlalchemy.make_url(os.environ["SHOP_DATABASE_URL"])
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": url.database, "USER": url.username}
    database |= {"PASSWORD": url.password or "", "HOST": url.host or url.query.get("host", ""), "PORT": url.port or ""}
    settings.configure(
        DATABASES={"default": database | {"ATOMIC_REQUESTS": True}},
        MIDDLEWARE=["kavenegar_campaigns.web_errors.DjangoMiddleware"],
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
    )
    django.setup()
    engine = create_engine(url)
    for each, view in VIEWS.items():
        urlpatterns.append(path(each[1:], _django_view(engine, view)))
    return engine


def _django_view(engine: Engine, view: Callable[[Any], object]) -> Callable[[Any], HttpResponse]:
    def run(_request: Any) -> HttpResponse:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO orders DEFAULT VALUES")
        with Session(engine) as session, session.begin():
            return HttpResponse(str(view(session)))

    return run


def _ask_wsgi() -> dict[str, Any]:
    from django.test import Client

    client = Client(raise_request_exception=False)
    return {each: client.get(each) for each in VIEWS}


async def _ask_asgi() -> dict[str, Any]:
    from django.test import AsyncClient

    client = AsyncClient(raise_request_exception=False)
    return {each: await client.get(each) for each in VIEWS}


def main(protocol: str) -> None:
    """Ask every view."""
    engine = _configure()
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orders (id serial)")
    answers = _ask_wsgi() if protocol == "wsgi" else asyncio.run(_ask_asgi())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders")
        [orders] = cursor.fetchone()
    said = {
        each: (found.status_code, {k.lower(): v for k, v in found.headers.items()}, found.content.decode())
        for each, found in answers.items()
    }
    engine.dispose()
    sys.stdout.write(json.dumps([said, ["orders"] * (orders - 1)]))  # one request is fine, and its row is there


if __name__ == "__main__":
    main(sys.argv[1])
