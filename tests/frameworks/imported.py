"""Import modules in a process that is set up as a shop's is. Prints what each import has changed of the process.

The arguments are the names of the modules. Other people's packages are imported before: what they do is theirs.
"""

from __future__ import annotations

import importlib.util
import json
import locale
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from typing import Any

import alembic.command
import django
import openpyxl
import psycopg
import pytest
import redis
import requests
import sqlalchemy.orm
from celery import Celery, _state, current_app
from django.conf import settings

THEIRS = (alembic, openpyxl, psycopg, pytest, redis, requests, sqlalchemy)
SHOP = Celery("shop", broker="memory://")


def _logger(name: str | None) -> list[object]:
    logger = logging.getLogger(name)
    return [logger.level, logger.disabled, logger.propagate, *map(repr, logger.handlers), *map(repr, logger.filters)]


def state() -> dict[str, Any]:
    """All of the process that an import could change and must not."""
    return {
        "root logger": _logger(None),
        "other loggers": {
            name: _logger(name)
            for name in ("celery", "django", "sqlalchemy", "sqlalchemy.engine", "urllib3", "psycopg", "requests")
        },
        "logger class": repr(logging.getLoggerClass()),
        "record factory": repr(logging.getLogRecordFactory()),
        "logging disabled": logging.root.manager.disable,
        "signals": {int(each): repr(signal.getsignal(each)) for each in signal.valid_signals()},
        "current app": current_app.main,
        "default app": None if _state.default_app is None else _state.default_app.main,
        "environment": dict(os.environ),
        "hooks": [repr(sys.excepthook), repr(threading.excepthook), repr(sys.unraisablehook)],
        "threads": sorted(each.name for each in threading.enumerate()),
        "socket timeout": socket.getdefaulttimeout(),
        "umask": _umask(),
        "folder": str(os.getcwd()),  # noqa: PTH109 - as the process has it
        "path": list(sys.path),
        "locale": locale.setlocale(locale.LC_ALL),
        "warnings": [repr(each) for each in warnings.filters],
        "recursion": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
    }


def _umask() -> int:
    found = os.umask(0o022)
    os.umask(found)
    return found


def main(*modules: str) -> None:
    """Import the modules one by one, between two looks at the process."""
    ours = ["kavenegar_campaigns.django"] if importlib.util.find_spec("kavenegar_campaigns.django") else []
    apps = [f"django.contrib.{name}" for name in ("contenttypes", "auth", "messages", "sessions", "admin")]
    settings.configure(INSTALLED_APPS=[*apps, *ours], LOGGING_CONFIG=None)
    changed: dict[str, Any] = {}
    before = state()
    django.setup()
    for module in ("django.setup", *modules):
        if module != "django.setup":
            importlib.import_module(module)
        after = state()
        if after != before:
            changed[module] = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
        before = after
    sys.stdout.write(json.dumps(changed, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
