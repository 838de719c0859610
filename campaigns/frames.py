"""Errors that leave without the local variables of the frames that they came through.

Tools such as Sentry show the variables of every frame of a traceback, and ours hold numbers, texts, codes and the API
key. The frames stay, so that a developer sees where an error began; their variables go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from traceback import walk_tb
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_EMPTIED: Final = frozenset(
    {
        "kavenegar_campaigns",
        "kavenegar_worker",
        "requests",
        "urllib3",
        "http",
        "ssl",
        "tenacity",
        "sqlalchemy",
        "psycopg",
    }
)
"""Packages whose frames are emptied: ours, and those that we give the values to. A caller's own frames stay."""


def without_locals(function: Callable[P, T]) -> Callable[P, T]:
    """Let an error that leaves `function` show where it began, and no local variable on the way."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        given = _Unshown(args, kwargs)
        del args, kwargs  # this frame, too, is a part of tracebacks, and of the stack that a log record is shown with
        try:
            return function(*given.args, **given.kwargs)
        except BaseException as error:
            empty_frames(error)
            raise

    return run


class _Unshown:
    """Arguments of a call. The repr does not show them."""

    __slots__ = ("args", "kwargs")

    def __init__(self, args: Any, kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs


def empty_frames(error: BaseException) -> None:
    """Drop the local variables of the frames of an error, and of the errors that led to it."""
    for link in _chain(error):
        for frame, _ in walk_tb(link.__traceback__):
            if str(frame.f_globals.get("__name__")).partition(".")[0] in _EMPTIED:
                with suppress(RuntimeError):  # it still runs
                    frame.clear()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__context__ if error.__cause__ is None else error.__cause__
