"""Customers in a table of Django as recipients, in a process of its own. Prints what came of each kind of queryset.

The argument: `kinds`, or `many` with a number of customers, of which memory and seconds are printed.
"""

from __future__ import annotations

import json
import os
import sys
import time
import tracemalloc
from typing import Any

import django
import sqlalchemy
from django.conf import settings
from sqlalchemy import create_engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput


def configure() -> Any:
    """Set Django up, and return its model of a customer."""
    url = sqlalchemy.make_url(os.environ["SHOP_DATABASE_URL"])
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": url.database, "USER": url.username}
    database |= {"PASSWORD": url.password or "", "HOST": url.host or url.query.get("host", ""), "PORT": url.port or ""}
    settings.configure(
        DATABASES={"default": database}, INSTALLED_APPS=[], DEFAULT_AUTO_FIELD="django.db.models.AutoField"
    )
    django.setup()
    from django.db import connection, models

    class Customer(models.Model):
        phone = models.CharField(max_length=20)
        name = models.CharField(max_length=50)
        city = models.CharField(max_length=50)

        class Meta:
            app_label = "shop"

    with connection.schema_editor() as editor:
        editor.create_model(Customer)
    return Customer


def kinds(customer: Any) -> dict[str, Any]:
    """What `estimate` and `create` make of every kind of queryset."""
    customer.objects.bulk_create(
        [
            customer(phone="09121234567", name="سارا", city="شیراز"),
            customer(phone="09351234567", name="علی", city="یزد"),
        ]
    )
    rows = customer.objects.order_by("id")
    tried = {
        "flat": (rows.values_list("phone", flat=True), "سلام"),
        "pairs": (rows.values_list("phone", "name"), "سلام {name}"),
        "pairs turned": (rows.values_list("name", "phone"), "سلام {name}"),
        "triples": (rows.values_list("phone", "name", "city"), "سلام {name} از {city}"),
        "named": (rows.values_list("phone", "city", named=True), "سلام {city}"),
        "values": (rows.values("phone", "name"), "سلام {name}"),
        "iterator": (rows.values("phone", "name").iterator(), "سلام {name}"),
        "pairs of an iterator": (rows.values_list("phone", "name").iterator(), "سلام {name}"),
        "sliced": (rows.values_list("phone", flat=True)[:1], "سلام"),
        "instances": (rows, "سلام"),
        "the manager": (customer.objects, "سلام"),
        "no such placeholder": (rows.values("phone", "name"), "سلام {family}"),
        "nobody": (rows.none().values_list("phone", flat=True), "سلام"),
    }
    return {name: _tried(recipients, text) for name, (recipients, text) in tried.items()}


def _tried(recipients: Any, text: str) -> list[Any] | str:
    engine = create_engine(os.environ["SHOP_DATABASE_URL"])
    try:
        with engine.begin() as connection:
            campaign = campaigns.create(connection, recipients=recipients, text=text, sender="10004346")
            found = campaigns.preview(connection, campaign)
            return [campaigns.get(connection, campaign).messages, found.first_text]
    except BadInput as why:
        return str(why)
    finally:
        engine.dispose()


def many(customer: Any, count: int) -> dict[str, float]:
    """Seconds, and the most memory that Python holds, while a campaign for so many customers is created."""
    from django.db import connection as djangos

    with djangos.cursor() as cursor:
        cursor.execute(
            "INSERT INTO shop_customer (phone, name, city) SELECT '0912' || lpad(at::text, 7, '0'), 'سارا', 'شیراز' "
            "FROM generate_series(1, %s) AS at",
            [count],
        )
    engine = create_engine(os.environ["SHOP_DATABASE_URL"])
    queryset = customer.objects.values("phone", "name")
    with engine.connect() as connection:
        measured = "--seconds" not in sys.argv
        if measured:
            tracemalloc.start()
        began = time.perf_counter()
        campaigns.create(connection, recipients=queryset, text="سلام {name}", sender="10004346")
        seconds = time.perf_counter() - began
        peak = tracemalloc.get_traced_memory()[1] / 1e6 if measured else 0.0
        connection.rollback()
    engine.dispose()
    return {"seconds": seconds, "peak_mb": peak, "cached": float(queryset._result_cache is not None)}


def main(mode: str, *rest: str) -> None:
    """Run one mode."""
    customer = configure()
    sys.stdout.write(json.dumps(kinds(customer) if mode == "kinds" else many(customer, int(rest[0]))))


if __name__ == "__main__":
    main(*sys.argv[1:3])
