"""What a process makes sure of before it begins: its settings can be used, and the tables are not older than it is.

Settings that cannot be used end the process with one sentence: only a person can mend them. Tables that are older are
waited for, so that the workers of a new version may be started before, or beside, `campaigns migrate`.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Final, NoReturn

import psycopg.errors
from celery.signals import celeryd_after_setup
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from campaigns.errors import BadInput
from campaigns.store import migrate
from worker import logs, wiring

log = logging.getLogger(__name__)

UNUSABLE: Final = 78
"""The exit code of a process whose settings cannot be used: a configuration error, in the words of sysexits."""

LOOK_EVERY_S: Final = 1.0

MIGRATE: Final = "waiting for `campaigns migrate`: the tables are older than this version, nothing is done before that"
UNREACHED: Final = "waiting for the database: it does not answer"


def check_settings() -> None:
    """End the process where a setting cannot be read, or an address is missing. What is embedded is not started."""
    try:
        if not wiring.settings().embedded:
            wiring.broker()
    except BadInput as why:
        _end(why)


@celeryd_after_setup.connect(weak=False)
def _before_the_first_task(**_: Any) -> None:
    """A worker also needs the key, and its tables."""
    try:
        wiring.house()
    except BadInput as why:
        _end(why)
    wait_for_tables(wiring.engine())


def _end(why: BadInput) -> NoReturn:
    sys.stderr.write(logs.redact(f"cannot start: {why}\n"))
    sys.exit(UNUSABLE)


def wait_for_tables(engine: Engine, *, every_s: float = LOOK_EVERY_S) -> None:
    """Come back when the tables are those of this version or a newer one. What is waited for is logged once."""
    said = None
    while (missing := _missing(engine)) is not None:
        if missing != said:
            log.warning(missing)
            said = missing
        time.sleep(every_s)
    if said is not None:
        log.warning("tables found current: process started")


def _missing(engine: Engine) -> str | None:
    """What is waited for, as a sentence."""
    try:
        with engine.connect() as connection:
            return MIGRATE if migrate.is_behind(connection) else None
    except DBAPIError as why:
        # A role that may not read the version of the tables may still use them.
        return None if isinstance(why.orig, psycopg.errors.InsufficientPrivilege) else UNREACHED
    except SQLAlchemyError:
        return UNREACHED
