"""The way out of every public function: errors of the driver become ours, and no frame of ours keeps personal data.

Tools such as Sentry show the local variables of every frame of a traceback. The frames of ours stay, so that a
developer sees where an error began; their variables go.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from traceback import walk_tb
from typing import Final, ParamSpec, TypeVar

from kavenegar_campaigns.errors import CampaignsError
from kavenegar_campaigns.store.failures import DRIVER_ERRORS, NO_SCHEMA, translate

__all__ = ["EXPECTED", "NO_SCHEMA", "cleaned", "forget", "public", "translate"]

P = ParamSpec("P")
T = TypeVar("T")

_EMPTIED: Final = frozenset({"kavenegar_campaigns", "kavenegar_worker", "sqlalchemy", "psycopg"})
"""Packages whose frames hold numbers, texts and codes: ours, and those that we give them to."""


def public(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function that other people's code calls raise errors which hold no parameters, rows or local variables.

    An error of SQLAlchemy or psycopg becomes a `DatabaseFailed`; ours and any other come out as they are.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except EXPECTED as error:
            failure = cleaned(error)
        except BaseException as error:
            forget(error)
            del args, kwargs
            raise
        del args, kwargs
        try:
            raise failure  # outside of the `except`, so that the error of the driver is not its context
        finally:
            del failure

    return run


EXPECTED: Final = (CampaignsError, *DRIVER_ERRORS)


def cleaned(error: BaseException) -> BaseException:
    """Return the error to raise for one of `EXPECTED`: it has no cause, no context and no local variables."""
    if isinstance(error, DRIVER_ERRORS):
        return translate(error)
    _empty_frames(error)
    error.__cause__ = error.__context__ = None
    return error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)


def forget(error: BaseException | None) -> None:
    """Drop the local variables, and the errors of the driver, behind an error that nobody expected."""
    while error is not None:
        _empty_frames(error)
        if isinstance(error.__context__, DRIVER_ERRORS):
            error.__cause__ = error.__context__ = None
        error = error.__context__ if error.__cause__ is None else error.__cause__


def _empty_frames(error: BaseException) -> None:
    """Drop the local variables of the frames of an error's traceback, but for those of the caller's own code."""
    for frame, _ in walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _EMPTIED:
            with suppress(RuntimeError):  # it still runs: this is the way out itself
                frame.clear()
