"""A fork shares nothing of ours: in the child, every part that holds connections or locks is made new.

`gunicorn --preload`, Celery's prefork pool and multiprocessing's fork copy a process with its open connections. Two
processes on one connection read each other's answers, and a lock that another thread held at that moment stays locked
in the child, where that thread does not exist.

A part registers itself with a function that renews it. Only weak references are kept.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

Part = TypeVar("Part")

_parts: Final[WeakKeyDictionary[Any, Callable[[Any], None]]] = WeakKeyDictionary()
_inherited: Final[set[tuple[int, int]]] = set()
_OPEN_FILES: Final = Path("/dev/fd")


def renew_in_child(part: Part, renew: Callable[[Part], None]) -> None:
    """Have `renew(part)` called in the child after each fork. It must not refer to `part`, nor wait for a lock."""
    _parts[part] = renew


def is_inherited(fd: int) -> bool:
    """Return whether a socket was open before this process was forked, so that the parent may use it, too.

    Where the system does not list a process's open files in /dev/fd, no socket is found to be so.
    """
    return bool(_inherited) and _identity(fd) in _inherited


def sever(fd: int) -> None:
    """Put a closed connection in the place of an inherited socket: its use fails, and the parent's goes on."""
    ours, other = socket.socketpair()
    with ours, suppress(OSError):
        other.close()
        os.dup2(ours.fileno(), fd, inheritable=False)


def _identity(fd: int) -> tuple[int, int] | None:
    """Return what names an open socket in every process that shares it; None for any other file."""
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None


def _renew() -> None:
    for part, renew in list(_parts.items()):
        renew(part)
    with suppress(OSError):
        found = (_identity(int(each.name)) for each in _OPEN_FILES.iterdir())
        _inherited.update(each for each in found if each is not None)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew)
