"""manage.py campaigns …: our command line, on the database of Django's settings where DATABASE_URL is not set."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from kavenegar_campaigns.django.address import alias, database_url
from kavenegar_campaigns.django.test_runs import is_test_process
from kavenegar_campaigns.extras import missing

_CONSUMED = ("--database", "--settings", "--pythonpath")
"""Options before the command's own: of this file, and of manage.py, which has used them by then."""


class Command(BaseCommand):
    """Passes everything on, also --help. `--database ALIAS` before it chooses another of Django's databases."""

    help = "Runs the campaigns command line: manage.py campaigns [--database ALIAS] COMMAND …"
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> NoReturn:
        """Become our command, with its signals, output and exit code."""
        try:
            command, environment = _command(argv[2:])
        except CommandError as why:
            self.stderr.write(f"campaigns: {why}")
            sys.exit(2)
        os.execve(command[0], command, environment)  # noqa: S606 - no shell is meant

    def add_arguments(self, parser: Any) -> None:
        """Take any arguments, for `call_command("campaigns", "migrate")`."""
        parser.add_argument("arguments", nargs="*")

    def handle(self, *_: Any, arguments: Sequence[str], **__: Any) -> None:
        """Run our command as a process of its own. Raises: CommandError unless it ends well, and in a test of Django's.

        The other process would not know that tests run: with the DATABASE_URL of production it would send.
        """
        if is_test_process():
            raise CommandError(
                "nothing leaves a process that runs tests, and the command is a process of its own: call the functions "
                "of kavenegar_campaigns with Django's connection"
            )
        command, environment = _command(list(arguments))
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            raise CommandError(f"campaigns ended with {done.returncode}", returncode=done.returncode)


def _command(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the command to run, and its environment. Raises: CommandError."""
    sentence = missing("worker", "the command line")
    if sentence is not None:
        raise CommandError(sentence)
    name, rest = _split(arguments)
    environment = dict(os.environ)
    if name is not None or not environment.get("DATABASE_URL"):
        environment["DATABASE_URL"] = _url(name or alias())
    return [sys.executable, "-m", "kavenegar_worker.cli", *rest], environment


def _split(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Return the alias that `--database` names, or None; and the arguments after the options of `_CONSUMED`."""
    name, rest = None, list(arguments)
    while rest and rest[0].partition("=")[0] in _CONSUMED:
        option, equals, value = rest.pop(0).partition("=")
        if not equals:
            if not rest:
                raise CommandError(f"{option} needs a value")
            value = rest.pop(0)
        if option == "--database":
            name = value
    return name, rest


def _url(name: str) -> str:
    if name not in connections:
        raise CommandError(f"DATABASES has no {name!r}: it has {', '.join(sorted(connections))}")
    if connections[name].vendor != "postgresql":
        raise CommandError(f"campaigns are in PostgreSQL, and {name!r} is {connections[name].vendor}")
    return database_url(connections[name])
