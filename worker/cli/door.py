"""The outermost door: an error leaves as one sentence on standard error and an exit code, never as a traceback.

Errors of ours come with their sentence; for those of the libraries it stands in the table here. An error in neither
is a defect: it gets a sentence too, and `--debug` shows where it comes from, blotted out like every log.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NoReturn, TypeVar

import click
import psycopg.errors
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, InterfaceError, NoResultFound, OperationalError

from campaigns.errors import CampaignsError, NotReady, Postpone, Refused
from worker import logs
from worker.cli.exits import Exit
from worker.cli.root import Invocation, campaigns
from worker.embedded import EmbeddedError

MIGRATE: Final = "the database has not our tables, or not those of this version: run `campaigns migrate`"
BROKER: Final = "the broker cannot be reached ({why}): is it running, and is BROKER_URL right?"

_NOT_MIGRATED: Final = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)

# By the first digits of the SQLSTATE: drivers call all of these "operational", and the server is there for each.
_ANSWERED: Final = {
    "40": "another session was in the way ({why}): nothing was changed; run the command again",
    "55": "another session was in the way ({why}): nothing was changed; run the command again",
    "53100": "the database's disk is full ({why}): nothing was changed; make room there, then run the command again",
    "53": "the database has not enough left of something ({why}): nothing was changed; see its log, then try again",
    "57014": "the database took too long ({why}): nothing was changed; run the command again",
}

E = TypeVar("E", bound=BaseException)


@dataclass(frozen=True, slots=True)
class Farewell:
    """How an error leaves."""

    exit: Exit
    sentence: str


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code."""
    invocation = Invocation()
    sys.excepthook = lambda *error: _defect(invocation, *error)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal without Persian
    try:
        with campaigns.make_context("campaigns", list(arguments), obj=invocation) as context:
            campaigns.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as why:
        return why.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _stop_writing()
        return Exit.NOBODY_READS
    except HANDLED as why:
        if invocation.debug:
            _say(logs.redact("".join(traceback.format_exception(why))))
        farewell = translated(why)
        _say(logs.redact(farewell.sentence))
        return farewell.exit
    return Exit.FINE


def translated(error: BaseException) -> Farewell:
    """The way out of a handled error: the first row of the table that fits it."""
    return next(farewell(error) for kind, farewell in _TABLE if isinstance(error, kind))


def _usage(error: click.ClickException) -> Farewell:
    context = getattr(error, "ctx", None)
    hint = f"\nTry `{context.command_path} --help`." if context is not None else ""
    return Farewell(Exit.USAGE, error.format_message() + hint)


def _database(error: DBAPIError) -> Farewell:
    if isinstance(error.orig, _NOT_MIGRATED):
        return Farewell(Exit.UNREACHABLE, MIGRATE)
    why = one_line(error.orig)
    state = getattr(error.orig, "sqlstate", None) or ""
    for sentence in (_ANSWERED.get(state[:length]) for length in (5, 2)):
        if sentence is not None:
            return Farewell(Exit.UNREACHABLE, sentence.format(why=why))
    if isinstance(error, (OperationalError, InterfaceError)):
        return Farewell(
            Exit.UNREACHABLE, f"the database cannot be reached ({why}): is it running, and is DATABASE_URL right?"
        )
    return Farewell(Exit.UNREACHABLE, f"the database refused ({why})")


def one_line(error: BaseException | None) -> str:
    """What a library says, without its advice and its line breaks. A row's values stand below the first line."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[0].strip().rstrip(".:")[:300]


def _file(error: OSError) -> Farewell:
    where = f"{error.filename}: " if error.filename else ""
    return Farewell(Exit.USAGE, f"{where}{error.strerror or one_line(error)}")


def _as_it_says(code: Exit) -> Callable[[BaseException], Farewell]:
    return lambda error: Farewell(code, str(error))


def _row(kind: type[E], farewell: Callable[[E], Farewell]) -> tuple[type[E], Callable[..., Farewell]]:
    return kind, farewell


# The first row that fits decides, so the narrow stand before the wide.
_TABLE: Final = (
    _row(click.ClickException, _usage),
    _row(EmbeddedError, _as_it_says(Exit.UNREACHABLE)),
    _row(Postpone, _as_it_says(Exit.UNREACHABLE)),
    _row(NotReady, _as_it_says(Exit.UNREACHABLE)),
    _row(Refused, _as_it_says(Exit.NO)),
    _row(CampaignsError, _as_it_says(Exit.USAGE)),
    _row(NoResultFound, lambda _: Farewell(Exit.UNREACHABLE, MIGRATE)),
    _row(DBAPIError, _database),
    _row(RedisError, lambda error: Farewell(Exit.UNREACHABLE, BROKER.format(why=one_line(error)))),
    _row(BrokerError, lambda error: Farewell(Exit.UNREACHABLE, BROKER.format(why=one_line(error)))),
    _row(OSError, _file),
)
HANDLED: Final = tuple(kind for kind, _ in _TABLE)


def _say(sentence: str) -> None:
    try:
        sys.stderr.write(f"campaigns: {sentence}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        _stop_writing()


def _stop_writing() -> None:
    """Nobody reads any more; what is still buffered must not complain about it at the end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _defect(
    invocation: Invocation, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """For an error nobody foresaw. The message of a stranger may hold anything, so only its kind is told."""
    if invocation.debug:
        _say(logs.redact("".join(traceback.format_exception(kind, error, trace))))
    _say(f"this is a defect of the program ({kind.__name__}); `campaigns --debug …` shows where it comes from")
