"""A shop on Django with our app: its tests, its admin, its `manage.py`. Each runs as a shop's does, in a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from tests.world import Sandbox

PROJECT: Final = "tests.frameworks.django_project"
ROOT: Final = Path(__file__).resolve().parents[2]


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in the project's folder, with a bare environment and warnings of ours as errors."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def manage(database_url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "django", *arguments, SHOP_DATABASE_URL=database_url, **environment)


def shop_tests(database_url: str, case: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The shop's own tests by Django's runner, in the database `test_…`."""
    return manage(database_url, "test", PROJECT, "-p", f"{case}.py", "--noinput", *options, **environment)


def as_options(**options: Any) -> Mapping[str, str]:
    return {"SHOP_OPTIONS": json.dumps(options)}


@pytest.mark.parametrize(
    "environment",
    [{}, as_options(OPTIONS={"pool": True}), as_options(OPTIONS={"server_side_binding": True}, CONN_MAX_AGE=60)],
    ids=["as it comes", "with Django's pool", "with server-side binding"],
)
def test_an_order_and_its_campaign_stand_or_fall_together(
    engine: Engine, database_url: str, environment: Mapping[str, str]
) -> None:
    done = shop_tests(database_url, "case_transactions", **environment)

    assert done.returncode == 0, done.stderr
    assert "Ran 26 tests" in done.stderr
    with engine.connect() as connection:
        assert campaigns.newest(connection) == []


def test_the_admin_shows_campaigns_and_changes_none(database_url: str) -> None:
    done = shop_tests(database_url, "case_admin")

    assert done.returncode == 0, done.stderr
    assert "Ran 11 tests" in done.stderr


def test_nothing_leaves_the_tests_of_a_shop(
    engine: Engine, database_url: str, broker_url: str, sandbox: Sandbox
) -> None:
    """With everything in its environment that sends in production."""
    production = {"DATABASE_URL": database_url, "BROKER_URL": broker_url, "KAVENEGAR_API_KEY": sandbox.api_key}
    shop = {"SHOP_GATEWAY": sandbox.url, "SHOP_BROKER": broker_url, "SHOP_API_KEY": sandbox.api_key}

    done = shop_tests(database_url, "case_leaving", KAVENEGAR_BASE_URL=sandbox.url, **production, **shop)

    assert done.returncode == 0, done.stderr
    assert "Ran 7 tests" in done.stderr
    assert sandbox.summary()["messages"] == 0
    with engine.connect() as connection:
        assert campaigns.newest(connection) == []
        with pytest.raises(campaigns.NotFound):
            campaigns.otp_state(connection, key="login:1")
