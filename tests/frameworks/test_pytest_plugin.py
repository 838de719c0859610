"""Our plugin in the pytest of a shop, found by its entry point: with pytest-django, with SQLAlchemy, and unused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

import campaigns_devkit
import kavenegar_campaigns as campaigns
from kavenegar_campaigns import testing
from tests.frameworks.test_django_app import PROJECT, ROOT

HERE = Path(__file__).parent


def run(folder: Path, case: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A shop's pytest, with the shop's own settings and none of ours."""
    command = ["-m", "pytest", "-c", "/dev/null", "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-W", "error"]
    return subprocess.run(
        [sys.executable, *command, "--confcutdir", str(folder), str(folder / f"{case}.py"), *options],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture
def bare(servers: campaigns_devkit.Attached) -> Iterator[Engine]:
    """A database that has nothing of ours."""
    admin = create_engine(str(servers.database_url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE bare_of_pytest"))
    engine = create_engine(make_url(str(servers.database_url)).set(database="bare_of_pytest"))
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE bare_of_pytest WITH (FORCE)"))
    admin.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("--reuse-db", "--create-db")], ids=" ".join)
def test_with_pytest_django(bare: Engine, options: tuple[str, ...]) -> None:
    environment = {"DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings", "SHOP_DATABASE_URL": url_of(bare)}

    done = run(HERE / "django_project", "case_fixture", *options, **environment)

    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_with_sqlalchemy_again_and_again(bare: Engine) -> None:
    done = [
        run(HERE / "sqlalchemy_shop", "case_outbox", SHOP_TEST_DATABASE_URL=url_of(bare), **settings)
        for settings in ({}, {"DJANGO_SETTINGS_MODULE": ""})
    ]

    assert [each.returncode for each in done] == [0, 0], done[0].stdout + done[0].stderr
    assert "4 passed" in done[0].stdout


def test_a_project_that_does_not_use_it_pays_nothing() -> None:
    done = run(HERE / "sqlalchemy_shop", "case_unused", "-p", "no:django", "--noconftest")

    assert done.returncode == 0, done.stdout


def test_without_a_test_database_a_sentence_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "case_nothing.py").write_text("def test_it(campaigns_outbox):\n    pass\n")

    done = run(tmp_path, "case_nothing", "-p", "no:django")

    assert done.returncode == 1
    assert "override the fixture campaigns_engine with its engine" in done.stdout


# ── the schema of a test database, without pytest ──


def test_a_database_that_sends_never_becomes_a_test_database(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.installation SET ticked_at = now()"))

    with pytest.raises(campaigns.BadInput, match="is no test database"):
        testing.create_schema(engine)


def test_a_database_with_campaigns_never_becomes_a_test_database(engine: Engine) -> None:
    with engine.begin() as connection:
        campaigns.create(connection, recipients=["09121234567"], text="x", sender="10004346")

    with pytest.raises(campaigns.BadInput, match="is no test database"):
        testing.create_schema(engine)
    with engine.begin() as connection:
        testing.empty(engine)
        assert len(campaigns.newest(connection)) == 1


def test_a_migrated_database_that_nobody_used_becomes_one(engine: Engine) -> None:
    testing.create_schema(engine)
    testing.create_schema(url_of(engine))

    with engine.begin() as connection:
        campaigns.start(
            connection, campaigns.create(connection, recipients=["09121234567"], text="x", sender="10004346")
        )
        assert [each.text for each in testing.outbox(connection).messages] == ["x"]
    testing.empty(engine)
    with engine.begin() as connection:
        assert campaigns.newest(connection) == []


def test_a_transaction_that_a_test_left_open_is_named_and_not_waited_for_without_end(bare: Engine) -> None:
    testing.create_schema(bare)
    with bare.begin() as connection:
        campaigns.create(connection, recipients=["09121234567"], text="x", sender="10004346")

    with bare.connect() as left_open:
        assert len(campaigns.newest(left_open)) == 1
        with pytest.raises(campaigns.BadInput, match="a transaction in it is still open"):
            testing.empty(bare)
    testing.empty(bare)

    with bare.begin() as connection:
        assert campaigns.newest(connection) == []


def test_the_tables_of_another_version_are_made_anew(bare: Engine) -> None:
    testing.create_schema(bare)
    with bare.begin() as connection:
        connection.execute(text("ALTER TABLE sms.campaigns DROP COLUMN tag"))
        connection.execute(text("COMMENT ON SCHEMA sms IS 'test database of kavenegar-campaigns, of last year'"))

    testing.create_schema(bare)

    with bare.begin() as connection:
        assert campaigns.create(connection, recipients=["09121234567"], text="x", sender="10004346")
