"""Django in the database that holds our schema: it sees its own tables and none of ours."""

from __future__ import annotations

import subprocess
import sys

from sqlalchemy import Engine, text

INSPECT = """
import sys
import django
from django.conf import settings
from django.core.management import call_command

host, port, name, user, password = sys.argv[1:]
database = {"ENGINE": "django.db.backends.postgresql", "HOST": host, "PORT": port, "NAME": name, "USER": user}
settings.configure(DATABASES={"default": {**database, "PASSWORD": password}}, INSTALLED_APPS=[])
django.setup()
call_command("inspectdb")
"""


def test_inspectdb_finds_the_tables_of_the_shop_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id integer PRIMARY KEY)"))
    url = engine.url
    where = [url.host, url.port, url.database, url.username, url.password]
    ended = subprocess.run(
        [sys.executable, "-c", INSPECT, *map(str, where)], capture_output=True, text=True, timeout=60, check=True
    )
    assert [line for line in ended.stdout.splitlines() if line.startswith("class ")] == ["class Orders(models.Model):"]
