"""A PostgreSQL server with a standby now and then: the primary dies for good, and the standby is promoted.

Both servers stand in the DATABASE_URL, as libpq has it: it tries the hosts in turn and takes the one that lets itself
be written to. So the address that the workers use stays, as it does with a proxy or a floating address, and the server
that is promoted is not restarted for it: its start time and its timeline are those of a real promotion.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import URL, make_url

from campaigns_devkit import Attached, attach, binaries, servers
from campaigns_devkit.files import make_private_folder, write_private
from campaigns_devkit.postgres import Postgres
from tests import waiting

# Settings for a server with a standby, and the delay of the log where commits do not wait for it.
LOCAL: Final = {
    "wal_level": "replica",
    "max_wal_senders": "4",
    "wal_keep_size": "256MB",
    "wal_buffers": "64MB",
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
    "bgwriter_lru_maxpages": "0",  # whoever writes a page writes the log before it
    "checkpoint_timeout": "30min",
    "dynamic_shared_memory_type": "mmap",  # in its own folder: a server that is killed for good leaves nothing else
}
BACKUP_WITHIN_S: Final = 120


class Pair:
    """Two places for a server. One holds the primary; the other is empty, or holds its standby.

    Take `turn` before you damage or replace a server or its database: one at a time.
    """

    def __init__(self, home: Path) -> None:
        self.turn = threading.RLock()
        self._places = (home / "first", home / "second")
        self._live = self._prepared(self._places[0])
        self._standby: Attached | None = None
        self._held_back = 0
        self._reserve(self._spare)

    @property
    def live(self) -> Path:
        """The data folder of the primary."""
        return self._live.home

    @property
    def _data(self) -> Path:
        return Postgres(self.live).folder / "data"

    @property
    def _spare(self) -> Path:
        first, second = self._places
        return second if self.live == first.resolve() else first

    @property
    def url(self) -> str:
        """The URL that leads to the present primary: the DATABASE_URL of every process."""
        known = make_url(str(self._live.database_url))
        hosts = [f"{servers.HOST}:{Postgres(place).port}" for place in self._places]
        both = URL.create(
            known.drivername,
            known.username,
            known.password,
            database=known.database,
            query={"host": hosts, "target_session_attrs": "read-write"},
        )
        return both.render_as_string(hide_password=False)

    @property
    def live_url(self) -> str:
        """The URL of the present primary alone."""
        return str(self._live.database_url)

    @property
    def logs(self) -> list[Path]:
        return [place / "logs" for place in self._places]

    @property
    def is_alive(self) -> bool:
        """Whether the primary runs."""
        return Postgres(self.live).is_alive()

    def ensure(self) -> None:
        """Start the server again if it died, on its port and with its data."""
        with self.turn:
            self._live.ensure()

    def strike(self, signum: signal.Signals) -> None:
        """Send a signal to the primary, unless it is dead."""
        pid = Postgres(self.live).pid
        if pid is not None:
            _send(pid, signum)

    def kill(self) -> None:
        """Kill the primary with all its processes, stopped ones too. Returns when they are gone."""
        stopped = [self._pid_of(kind) for kind in ("walsender", "walwriter")]
        self.strike(signal.SIGKILL)
        for pid in stopped:
            _send(pid, signal.SIGKILL)
        waiting.until(lambda: not self.is_alive, "the end of the server")

    def kill_a_session(self) -> None:
        """Kill the process of one session. The server then ends all others and loses commits not written yet."""
        with self.session("postgres") as witness, self.session("postgres") as victim:
            _send(victim.info.backend_pid, signal.SIGKILL)
            _send(self._held_back, signal.SIGKILL)  # stopped, it does not end when it is told to
            self._held_back = 0
            waiting.until(lambda: not _answers(witness), "the end of every session")

    def hold_back_the_log(self) -> None:
        """Stop the process that writes the log for commits that do not wait for it."""
        self._held_back = self._pid_of("walwriter")
        _send(self._held_back, signal.SIGSTOP)

    def stand_by(self) -> None:
        """Create a standby that follows the primary."""
        spare = self._spare
        data = spare / "postgres" / "data"
        shutil.rmtree(data, ignore_errors=True)
        source = make_url(self.live_url)
        where = f"host={source.host} port={source.port} user={source.username}"
        made = subprocess.run(
            [
                binaries.postgres_program("pg_basebackup"),
                *("-d", where, "-D", data, "--checkpoint=fast", "--wal-method=stream"),
                *("--write-recovery-conf", "--no-sync"),
            ],
            env={"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": str(source.password)},
            capture_output=True,
            text=True,
            timeout=BACKUP_WITHIN_S,
            check=False,
        )
        if made.returncode:
            raise psycopg.OperationalError(f"no standby could be made: {made.stderr.strip()}")
        self._standby = self._prepared(spare)

    def fall_behind(self) -> None:
        """Stop replication to the standby."""
        waiting.until(lambda: bool(self._pid_of("walsender")), "a standby that follows")
        _send(self._pid_of("walsender"), signal.SIGSTOP)

    def promote(self) -> None:
        """Promote the standby after the primary died; commits that did not reach it are lost."""
        assert self._standby is not None
        self._live, dead = self._standby, self._live
        self._standby = None
        with self.session("postgres") as admin:
            admin.execute("SELECT pg_promote(true, 60)")
        _forget_memory(Postgres(dead.home).folder / "data")
        dead.close()

    def set_aside(self, copy: Path) -> None:
        """Copy the data folder at this moment, as a snapshot of the disk does."""
        self.kill()
        shutil.copytree(self._data, copy)
        self.ensure()

    def go_back(self, copy: Path) -> None:
        """Restore the data folder that `set_aside` copied; later commits are lost."""
        self.kill()
        shutil.rmtree(self._data)
        shutil.copytree(copy, self._data)
        self.ensure()

    def dismiss(self) -> None:
        """Stop and remove the standby, if there is one."""
        standby, self._standby = self._standby, None
        if standby is not None:
            standby.close()

    def close(self) -> None:
        self.dismiss()
        self._live.close()

    @contextmanager
    def session(self, database: str = "") -> Iterator[psycopg.Connection[Any]]:
        """Open an administrator's session on the primary, in autocommit mode."""
        url = make_url(self.live_url)
        with psycopg.connect(
            host=url.host,
            port=url.port,
            user=url.username,
            password=url.password,
            dbname=database or url.database,
            connect_timeout=5,
            autocommit=True,
        ) as connection:
            yield connection

    def _prepared(self, place: Path) -> Attached:
        """Return the server of this place; create its data where there is none."""
        make_private_folder(place / "postgres")
        write_private(place / "postgres" / "local.conf", _lines(LOCAL))
        return attach(place, broker=False)

    def _reserve(self, place: Path) -> None:
        """Reserve the port of the first standby: the URL names it from the beginning on."""
        make_private_folder(place / "postgres")
        write_private(place / "postgres" / "port", str(servers.find_free_port()))
        write_private(place / "postgres" / "password", Postgres(self.live).password)

    def _pid_of(self, kind: str) -> int:
        """Return the pid of a process of the primary; 0 where there is none."""
        with suppress(psycopg.Error), self.session("postgres") as admin:
            found = admin.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = %s", [kind]).fetchone()
            return found[0] if found else 0
        return 0


@contextmanager
def pair(home: Path) -> Iterator[Pair]:
    """Run a server that may get a standby; both are stopped at the end."""
    found = Pair(home)
    try:
        yield found
    finally:
        found.close()


def _forget_memory(data: Path) -> None:
    """Remove the shared memory by which a dead server marks its data as in use: it will not start again."""
    with suppress(OSError, IndexError):
        segment = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        subprocess.run(["ipcrm", "--shmem-id", segment], capture_output=True, timeout=30, check=False)


def _lines(settings: Mapping[str, str]) -> str:
    return "".join(f"{name} = '{value}'\n" for name, value in settings.items())


def _answers(session: psycopg.Connection[Any]) -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _send(pid: int, signum: signal.Signals) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
