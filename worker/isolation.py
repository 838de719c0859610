"""Keep our Celery app apart from a shop's: in one process, and in one environment.

Celery is built for one app in a process and in an environment. So each of these would move tasks to another broker, or
change the other app, without a word:

- the app that is made last becomes the current app, which `@shared_task` uses;
- a task of one app is a task of every app, unless it says `shared=False`: a shop's worker would run ours;
- DJANGO_SETTINGS_MODULE adds the fixup for Django to every app, and makes the first app the default one;
- CELERY_BROKER_URL, CELERY_BROKER_READ_URL, CELERY_BROKER_WRITE_URL and CELERY_RESULT_BACKEND outrank every app's own
  settings, and `celery --broker`, whose variable is BROKER_URL, sets the first;
- CELERY_CONFIG_MODULE and CELERY_LOADER replace the settings of every app;
- the receivers of a signal are called for the workers of every app.

Source: celery.app.base.Celery, celery.app.utils.Settings, celery.bin.celery, celery.loaders.base, celery.fixups.django.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import click
from celery import Celery
from celery.app.log import Logging
from celery.loaders.app import AppLoader
from celery.signals import setup_logging

from kavenegar_campaigns.errors import BadInput
from kavenegar_worker import logs, wiring


class IsolatedCelery(Celery):  # type: ignore[misc]  # celery ships no types
    """A Celery app that uses the broker of its own settings, whatever the environment says."""

    def __init__(self, name: str, configuration: Callable[[], dict[str, Any]], **options: Any) -> None:
        self.configuration = configuration
        super().__init__(
            name,
            set_as_current=False,
            fixups=[],
            loader="kavenegar_worker.isolation:OwnLoader",
            log="kavenegar_worker.isolation:OwnLogging",
            **options,
        )

    backend_cls = "disabled"

    def task(self, *arguments: Any, **options: Any) -> Any:
        """Make a task of this app alone. Celery's default makes it a task of every app in the process."""
        return super().task(*arguments, **{"shared": False} | options)

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        """Return a connection to consume from, by default to our broker."""
        return super().connection_for_read(url or self._own_broker(), **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        """Return a connection to publish to, by default to our broker."""
        return super().connection_for_write(url or self._own_broker(), **options)

    def connection(self, hostname: str | None = None, *arguments: Any, **options: Any) -> Any:
        """Return a connection, by default to our broker."""
        return super().connection(hostname or self._own_broker(), *arguments, **options)

    broker_connection = connection

    def _own_broker(self) -> str:
        """Return our broker's address. `conf.broker_url` would return that of CELERY_BROKER_URL, if it is set."""
        url: str = self.conf["broker_url"]
        return url


class OwnLoader(AppLoader):  # type: ignore[misc]  # celery ships no types
    """Loads our modules and our settings, and nothing that CELERY_CONFIG_MODULE names."""

    def read_configuration(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Return Celery's settings. Raises: BadInput, each time: defaults that fail once are left out the next time,
        and the app would publish to Celery's own default broker."""
        found: dict[str, Any] = self.app.configuration()
        return found

    def on_worker_init(self) -> None:
        """Connect our receivers of Celery's signals. Celery calls this when a worker or a beat of our app starts."""
        from kavenegar_worker import process  # noqa: PLC0415 - it imports the app, which is not made yet

        process.connect_signals()


class OwnLogging(Logging):  # type: ignore[misc]  # celery ships no types
    """Sets up the logs of our processes, in the format of the settings."""

    def setup_logging_subsystem(self, *arguments: Any, **options: Any) -> Any:
        """Set up the logs. Celery leaves them alone where its signal has a receiver, which it has only meanwhile."""
        setup_logging.connect(_configure_logs, weak=False)
        try:
            return super().setup_logging_subsystem(*arguments, **options)
        finally:
            setup_logging.disconnect(_configure_logs)


def _configure_logs(loglevel: int | str | None = None, **_: Any) -> None:
    try:
        log_format = wiring.settings().log_format
    except BadInput:
        log_format = "console"  # the settings cannot be read: the process is about to end with a sentence that says so
    logs.configure(logging.getLevelName(loglevel) if isinstance(loglevel, int) else loglevel or "INFO", log_format)


def is_celery_command() -> bool:
    """Return whether Celery's own command line is running in this process."""
    loaded = sys.modules.get("celery.bin.celery")
    context = click.get_current_context(silent=True)
    return loaded is not None and context is not None and context.find_root().command is loaded.celery
