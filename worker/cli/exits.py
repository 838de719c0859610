"""Exit codes of the command, and the sentence and the code for each error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeVar

import click
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, InterfaceError, NoResultFound, OperationalError

from kavenegar_campaigns.api.boundary import NO_SCHEMA, translate
from kavenegar_campaigns.errors import CampaignsError, DatabaseFailed, NotReady, Postpone, Refused, SchemaMissing


class Exit(IntEnum):
    """Exit codes. They never change: scripts decide by them."""

    FINE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_CHECKED = 4
    INTERRUPTED = 130
    NOBODY_READS = 141

    @property
    def meaning(self) -> str:
        """Return the meaning for the table in `campaigns --help`."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.FINE: "done, or the answer is yes",
    Exit.NO: "the answer is no: something is not true, not healthy, held, or refused by the gateway",
    Exit.USAGE: "what was asked for or given cannot be used; the sentence says what would be right",
    Exit.UNREACHABLE: "the database, the broker or the gateway cannot be reached, or is not ready",
    Exit.NOT_CHECKED: "nothing was found wrong, but not everything could be checked, for example at the gateway",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
    Exit.NOBODY_READS: "the reader of the output has gone",
}


BROKER_UNREACHABLE: Final = "the broker cannot be reached ({why}): is it running, and is CAMPAIGNS_BROKER_URL right?"


# By the first digits of the SQLSTATE. Drivers call all of these "operational", although the server answered.
_SQLSTATE_SENTENCES: Final = {
    "40": "another session was in the way ({why}): nothing was changed; run the command again",
    "55": "another session was in the way ({why}): nothing was changed; run the command again",
    "53100": "the database's disk is full ({why}): nothing was changed; make room there, then run the command again",
    "53": "the database has not enough left of something ({why}): nothing was changed; see its log, then try again",
    "57014": "the database took too long ({why}): nothing was changed; run the command again",
}


E = TypeVar("E", bound=BaseException)


@dataclass(frozen=True, slots=True)
class ExitMessage:
    """The exit code and the sentence for an error."""

    exit: Exit
    sentence: str


def exit_message(error: BaseException) -> ExitMessage:
    """Return the exit code and the sentence for a handled error, from the first row of the table that fits it."""
    return next(message(error) for kind, message in _TABLE if isinstance(error, kind))


def _usage_message(error: click.ClickException) -> ExitMessage:
    context = getattr(error, "ctx", None)
    hint = f"\nTry `{context.command_path} --help`." if context is not None else ""
    return ExitMessage(Exit.USAGE, error.format_message() + hint)


def _database_message(error: DBAPIError) -> ExitMessage:
    if isinstance(translate(error), SchemaMissing):
        return ExitMessage(Exit.UNREACHABLE, NO_SCHEMA)
    lost = isinstance(error, (OperationalError, InterfaceError))
    return _sentence(getattr(error.orig, "sqlstate", None), first_line_of(error.orig), lost=lost)


def _failure_message(error: DatabaseFailed) -> ExitMessage:
    return _sentence(error.sqlstate, error.primary_message or str(error), lost=error.retryable)


def _sentence(state: str | None, why: str, *, lost: bool) -> ExitMessage:
    for sentence in (_SQLSTATE_SENTENCES.get((state or "")[:length]) for length in (5, 2)):
        if sentence is not None:
            return ExitMessage(Exit.UNREACHABLE, sentence.format(why=why))
    if lost:
        return ExitMessage(
            Exit.UNREACHABLE, f"the database cannot be reached ({why}): is it running, and is DATABASE_URL right?"
        )
    return ExitMessage(Exit.UNREACHABLE, f"the database refused ({why})")


def first_line_of(error: BaseException | None) -> str:
    """Return the first line of a library's message. The further lines may hold the values of a row."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return said[0].strip().rstrip(".:")[:300]


def _file_message(error: OSError) -> ExitMessage:
    where = f"{error.filename}: " if error.filename else ""
    return ExitMessage(Exit.USAGE, f"{where}{error.strerror or first_line_of(error)}")


def _own_sentence(code: Exit) -> Callable[[BaseException], ExitMessage]:
    return lambda error: ExitMessage(code, str(error))


def _row(kind: type[E], message: Callable[[E], ExitMessage]) -> tuple[type[E], Callable[..., ExitMessage]]:
    return kind, message


# The first row that fits decides, so narrow classes stand before wide ones.
_TABLE: Final = (
    _row(click.ClickException, _usage_message),
    _row(Postpone, _own_sentence(Exit.UNREACHABLE)),
    _row(NotReady, _own_sentence(Exit.UNREACHABLE)),
    _row(Refused, _own_sentence(Exit.NO)),
    _row(SchemaMissing, lambda _: ExitMessage(Exit.UNREACHABLE, NO_SCHEMA)),
    _row(DatabaseFailed, _failure_message),
    _row(CampaignsError, _own_sentence(Exit.USAGE)),
    _row(NoResultFound, lambda _: ExitMessage(Exit.UNREACHABLE, NO_SCHEMA)),
    _row(DBAPIError, _database_message),
    _row(RedisError, lambda error: ExitMessage(Exit.UNREACHABLE, BROKER_UNREACHABLE.format(why=first_line_of(error)))),
    _row(BrokerError, lambda error: ExitMessage(Exit.UNREACHABLE, BROKER_UNREACHABLE.format(why=first_line_of(error)))),
    _row(OSError, _file_message),
)


HANDLED: Final = tuple(kind for kind, _ in _TABLE)
