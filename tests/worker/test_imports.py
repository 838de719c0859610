"""Importing us changes nothing in the process that imports: a shop's web process, worker or tests."""

from __future__ import annotations

import pkgutil

import pytest

import kavenegar_worker
from tests.own_process import answer_of

MODULES = sorted(
    each.name
    for each in pkgutil.walk_packages(kavenegar_worker.__path__, "kavenegar_worker.")
    if not each.name.endswith("__main__")
)

LOOK = """
import importlib, json, logging, os, signal, sys, threading, warnings

# What belongs to the libraries that we use, and not to us, has happened by then.
import celery.app.log, celery.apps.worker, celery.beat, celery.signals, celery.worker.control
import psycopg, requests, sqlalchemy
from celery import _state

celery_signals = {name: each for name, each in vars(celery.signals).items() if hasattr(each, "receivers")}

def state():
    root = logging.getLogger()
    return {
        "root logger": [root.level, list(map(repr, root.handlers)), list(map(repr, root.filters)), root.disabled],
        "logging": [repr(logging.getLoggerClass()), repr(logging.getLogRecordFactory()), logging.raiseExceptions],
        "levels": {name: logger.level for name, logger in logging.Logger.manager.loggerDict.items()
                   if isinstance(logger, logging.Logger) and logger.level},
        "OS signals": {each.name: repr(signal.getsignal(each)) for each in signal.valid_signals()
                       if isinstance(each, signal.Signals)},
        "hooks": [repr(sys.excepthook), repr(threading.excepthook), repr(sys.unraisablehook)],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "threads": sorted(each.name for each in threading.enumerate()),
        "children": open(f"/proc/self/task/{os.getpid()}/children").read(),
        "current app": [repr(_state._tls.current_app), repr(_state.default_app)],
        "receivers of Celery's signals": {name: len(each.receivers or ()) for name, each in celery_signals.items()},
        "answers to inspect": sorted(celery.worker.control.Panel.meta),
        "warnings": list(map(repr, warnings.filters)),
        "structlog": __import__("structlog").is_configured(),
    }

changed, before = {}, state()
for module in sys.argv[1:]:
    importlib.import_module(module)
    after = state()
    if which := [name for name in before if before[name] != after[name]]:
        changed[module] = which
    before = after
json.dump(changed, sys.stdout)
"""


@pytest.mark.parametrize("surroundings", [{}, {"DJANGO_SETTINGS_MODULE": "django.conf.global_settings"}])
def test_importing_any_of_our_modules_changes_nothing_of_the_process(surroundings: dict[str, str]) -> None:
    assert len(MODULES) > 40
    assert answer_of("-c", LOOK, "kavenegar_worker", *MODULES, **surroundings) == {}
