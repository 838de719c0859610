"""Old names: they work for one release more, each with a DeprecationWarning that says the new one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

C = TypeVar("C")


def warn_renamed(old: str, new: str) -> None:
    """Warn whoever called the caller of this function that `old` is called `new` now."""
    warnings.warn(f"{old} has become {new}; the old name goes with the next release", DeprecationWarning, stacklevel=3)


def old_attributes(**new_names: str) -> Callable[[type[C]], type[C]]:
    """Return a class decorator that lets instances answer to old attributes: `old_attributes(old="new")`.

    It stands above `@dataclass`. A type checker does not see the old attributes, so it objects to them.
    """

    def add(cls: type[C]) -> type[C]:
        for old, new in new_names.items():
            setattr(cls, old, property(_reader(f"{cls.__name__}.{old}", new)))
        return cls

    return add


def _reader(old: str, new: str) -> Callable[[Any], Any]:
    read = attrgetter(new)

    def warn_and_read(record: Any) -> Any:
        warn_renamed(old, new)
        return read(record)

    return warn_and_read
