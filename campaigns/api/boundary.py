"""The way out of every public function: errors of the driver become ours, and no frame of ours keeps personal data.

`frames` says which local variables go, and why.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from kavenegar_campaigns.errors import CampaignsError
from kavenegar_campaigns.frames import empty_frames
from kavenegar_campaigns.store.failures import DRIVER_ERRORS, NO_SCHEMA, translate

__all__ = ["EXPECTED", "NO_SCHEMA", "cleaned", "forget", "public", "translate"]

P = ParamSpec("P")
T = TypeVar("T")


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
    empty_frames(error)
    error.__cause__ = error.__context__ = None
    return error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)


def forget(error: BaseException) -> None:
    """Drop the local variables, and the errors of the driver, behind an error that nobody expected."""
    empty_frames(error)
    link: BaseException | None = error
    while link is not None:
        if isinstance(link.__context__, DRIVER_ERRORS):
            link.__cause__ = link.__context__ = None
        link = link.__context__ if link.__cause__ is None else link.__cause__
