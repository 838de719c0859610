"""`manage.py` of a shop on Django with our app: our command line, the checks, its runs of tests, and its server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from sqlalchemy import Engine, create_engine, make_url, text

import campaigns_devkit
import kavenegar_campaigns as campaigns
from kavenegar_campaigns.store.migrate import is_behind
from tests.frameworks.test_django_app import PROJECT, ROOT, as_options, manage, python, shop_tests
from tests.waiting import until


@pytest.fixture
def bare_url(servers: campaigns_devkit.Attached) -> Iterator[str]:
    """A database that has nothing of ours."""
    admin = create_engine(str(servers.database_url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE bare"))
    yield make_url(str(servers.database_url)).set(database="bare").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE bare WITH (FORCE)"))
    admin.dispose()


# ── the command line ──


def test_our_command_line_runs_on_the_database_of_djangos_settings(bare_url: str) -> None:
    before = manage(bare_url, "check", "--database", "default")
    migrated = manage(bare_url, "campaigns", "migrate")
    after = manage(bare_url, "check", "--database", "default")
    listed = manage(bare_url, "campaigns", "list", "--json")

    assert "(kavenegar_campaigns.W001) The schema sms of 'default' is missing" in before.stderr
    assert "Run `manage.py campaigns migrate`." in before.stderr
    assert migrated.returncode == 0, migrated.stderr
    assert "the tables are now those of this version" in migrated.stdout
    assert (after.returncode, "W001" in after.stderr) == (0, False)
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])


def test_migrate_of_django_leaves_our_schema_to_the_operator(bare_url: str) -> None:
    done = manage(bare_url, "migrate", "--noinput")

    assert done.returncode == 0, done.stderr
    assert "kavenegar_campaigns.W001" in done.stderr
    engine = create_engine(bare_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT to_regnamespace('sms') IS NULL")).scalar_one()
    engine.dispose()


def test_the_schema_of_an_older_version_is_named(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.alembic_version SET version_num = '0001'"))

    checked = manage(database_url, "check", "--database", "default")

    with engine.connect() as connection:
        assert is_behind(connection)
    assert "(kavenegar_campaigns.W001)" in checked.stderr


def test_options_exit_codes_and_help_are_those_of_the_command(database_url: str) -> None:
    helped = manage(database_url, "campaigns", "--help")
    wrong = manage(database_url, "campaigns", "show", "17")
    unknown = manage(database_url, "campaigns", "--database", "nowhere", "list")

    assert helped.stdout.startswith("Usage: campaigns")
    assert wrong.returncode != 0
    assert wrong.stderr == "campaigns: there is no campaign 17: `campaigns list` shows those there are\n"
    assert unknown.returncode == 2
    assert "DATABASES has no 'nowhere': it has default" in unknown.stderr


def test_the_address_in_the_environment_comes_first_and_an_alias_before_it(
    engine: Engine, database_url: str, bare_url: str
) -> None:
    with engine.begin() as connection:
        campaigns.create(connection, recipients=["09121234567"], text="x", sender="10004346")
    listed = manage(bare_url, "campaigns", "list", "--json", DATABASE_URL=database_url)
    chosen = manage(
        bare_url, "campaigns", "--database=other", "list", "--json", SHOP_OTHER_NAME=str(engine.url.database)
    )
    forced = manage(database_url, "campaigns", "--database", "default", "list", "--json", DATABASE_URL=bare_url)

    assert [len(json.loads(each.stdout)) for each in (listed, chosen, forced)] == [1, 1, 1], forced.stderr


def test_call_command_runs_it_and_raises_where_it_fails(database_url: str) -> None:
    code = "import django, sys; django.setup(); from django.core import management as manage; "
    code += "manage.call_command(*sys.argv[1:])"
    good = python("-c", code, "campaigns", "list", SHOP_DATABASE_URL=database_url)
    bad = python("-c", code, "campaigns", "show", "17", SHOP_DATABASE_URL=database_url)

    assert good.returncode == 0, good.stderr
    assert "CommandError: campaigns ended with" in bad.stderr


def test_without_the_packages_of_the_worker_a_sentence_says_what_to_install(database_url: str) -> None:
    code = "import sys; sys.modules['celery'] = None; from django.core.management import main; main(sys.argv)"
    code = code.replace("main; main", "execute_from_command_line as run; run")
    done = python("-c", code, "campaigns", "list", SHOP_DATABASE_URL=database_url)

    assert done.returncode == 2
    assert "pip install 'kavenegar-campaigns[worker]'" in done.stderr


def test_a_database_that_is_not_postgresql_is_an_error_of_the_check(database_url: str) -> None:
    wrong = manage(database_url, "check", SHOP_OTHER_NAME="sqlite", SHOP_CAMPAIGNS_DATABASE="other")
    missing = manage(database_url, "check", SHOP_CAMPAIGNS_DATABASE="elsewhere")

    assert "(kavenegar_campaigns.E002) Campaigns are in PostgreSQL, and 'other' is sqlite" in wrong.stderr
    assert "(kavenegar_campaigns.E001) CAMPAIGNS_DATABASE is 'elsewhere'" in missing.stderr


def test_psycopg2_is_refused_by_the_check_and_by_every_function(database_url: str) -> None:
    """Django takes it where psycopg 3 cannot be imported just then."""
    code = (
        "import sys; sys.modules['psycopg'] = None; import django.db.backends.postgresql.base\n"
        "del sys.modules['psycopg']; import django; django.setup(); from django.db import connection, transaction\n"
        "import kavenegar_campaigns as campaigns; from django.core.management import call_command\n"
        "try:\n    with transaction.atomic(): campaigns.newest(connection)\n"
        "except campaigns.BadInput as why: print(why)\n"
        "call_command('check')"
    )
    done = python("-c", code, SHOP_DATABASE_URL=database_url)

    assert done.stdout.startswith("Django's database 'default' is connected by psycopg2, and campaigns need psycopg 3")
    assert "(kavenegar_campaigns.E003) Campaigns need psycopg 3" in done.stderr


def test_makemigrations_proposes_nothing_and_the_app_collides_with_no_campaigns_of_the_shop(database_url: str) -> None:
    named = manage(database_url, "makemigrations", "--check", "--dry-run")
    code = (
        "import django; django.setup(); from django.apps import apps; "
        "print(sorted(each.label for each in apps.get_app_configs() if 'campaigns' in each.label))"
    )
    labels = python("-c", code, SHOP_DATABASE_URL=database_url)

    assert (named.returncode, named.stdout) == (0, "No changes detected\n")
    assert labels.stdout == "['campaigns', 'kavenegar_campaigns']\n"


def test_the_library_imports_nothing_of_django() -> None:
    code = "import sys, kavenegar_campaigns, kavenegar_campaigns.testing; print('django' in sys.modules)"

    assert python("-c", code).stdout == "False\n"


# ── runs of tests ──


@pytest.mark.parametrize("default", ["postgresql", "sqlite"])
def test_campaigns_may_be_in_another_database_of_the_shop(bare_url: str, default: str) -> None:
    """In `other` of two databases on PostgreSQL; or in `default`, where the other one is SQLite."""
    chosen = {"SHOP_OTHER_NAME": "another", "SHOP_CAMPAIGNS_DATABASE": "other"}
    if default == "sqlite":
        chosen = {"SHOP_OTHER_NAME": "sqlite", "SHOP_CAMPAIGNS_DATABASE": "other", "SHOP_SWAPPED": "yes"}

    done = shop_tests(bare_url, "case_databases", **chosen)

    assert done.returncode == 0, done.stderr
    assert "skipped" not in done.stderr


def test_the_clones_of_parallel_tests_are_test_databases_of_their_own(bare_url: str) -> None:
    done = shop_tests(bare_url, "case_databases", "--parallel", "2")

    assert done.returncode == 0, done.stderr
    assert "Cloning test database" in done.stderr


def test_a_kept_test_database_is_emptied_and_stays_usable(bare_url: str) -> None:
    done = [shop_tests(bare_url, "case_kept", "--keepdb") for _ in range(2)]
    cleared = shop_tests(bare_url, "case_databases")

    assert [each.returncode for each in (*done, cleared)] == [0, 0, 0], done[-1].stderr


# ── the server ──


@pytest.fixture
def shop(engine: Engine, database_url: str) -> Iterator[str]:
    """The shop under gunicorn: two processes of four threads each, with Django's pool of connections."""
    assert manage(database_url, "migrate", "--noinput").returncode == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings", "SHOP_DATABASE_URL": database_url}
    application = "django.core.wsgi:get_wsgi_application()"
    command = ["-m", "gunicorn", "--preload", "-w", "2", "--threads", "4", "-b", address, application]
    options = as_options(OPTIONS={"pool": {"min_size": 1, "max_size": 4}})
    server = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment | options)
    until(lambda: _answers(address), "gunicorn answers")
    yield f"http://{address}"
    server.terminate()
    server.wait(30)


def _answers(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_processes_and_threads_of_a_server_order_at_once(engine: Engine, shop: str) -> None:
    numbers = [f"0912555{number:04}" for number in range(60)]
    paths = ["order-async" if number % 3 == 0 else "order" for number in range(60)]

    def visit(path: str, number: str) -> int:
        return int(requests.get(f"{shop}/{path}", {"number": number}, timeout=60).json()["campaign"])

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(visit, paths, numbers))
        failed = list(pool.map(lambda each: requests.get(f"{shop}/order", {"number": each}, timeout=60), numbers[:10]))

    assert len(set(ids)) == 60
    assert {each.status_code for each in failed} == {500}  # a number is ordered once
    with engine.connect() as connection:
        found = campaigns.newest(connection, limit=100)
        assert sorted(each.id for each in found) == sorted(ids)
        assert connection.execute(text("SELECT count(*) FROM campaigns_order")).scalar_one() == 60
