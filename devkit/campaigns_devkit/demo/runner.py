"""python -m campaigns_devkit.demo.runner HOME: start all processes of the demo, keep them running, and stop them.

Its standard input controls it. While the input is open, the runner runs; at every end of the input it stops, so that a
demo that is killed leaves no process behind. A byte on the input means: stay when the input ends. Standard output has a
line for each step, then `ready` or `failed: …`.
"""

from __future__ import annotations

import logging
import os
import secrets
import select
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import orjson

from campaigns_devkit import Attached, Supervisor, attach
from campaigns_devkit.demo import environment
from campaigns_devkit.demo.environment import DemoEndpoints
from campaigns_devkit.files import LockFile, make_private_folder, write_private
from campaigns_devkit.servers import find_free_port, is_port_free
from campaigns_devkit.supervisor import procfile_commands
from kavenegar_campaigns.errors import CampaignsError
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import upgrade
from kavenegar_worker import logs
from kavenegar_worker.settings import load

READY: Final = "ready"
FAILED: Final = "failed: "
STAY: Final = b"s"
STAYS: Final = b" stays"

SERVERS_CHECK_INTERVAL_S: Final = 5.0
GRACE_S: Final = 15

log = logging.getLogger(__name__)


def lock_file(home: Path) -> Path:
    """Return the lock file that the runner of `home` holds for its life. It contains its pid, and `stays` if set."""
    return home / "runner.lock"


def endpoints_file(home: Path) -> Path:
    """Return the path of the file with the demo's endpoints, which exists while the demo runs."""
    return home / "demo.json"


def main(home: Path) -> int:
    """Run the demo's processes. Returns exit code 0 after a clean end, 1 where a process or server cannot start."""
    logs.configure()
    _stop_on_signals()
    make_private_folder(home)
    lock = LockFile(lock_file(home))  # never closed: a free lock means that this process is gone
    if not lock.try_exclusive():
        _print_line(f"{FAILED}another demo runs in {home}")
        return 1
    os.truncate(lock.fd, 0)
    os.write(lock.fd, str(os.getpid()).encode())
    try:
        _run_demo(home, lock)
    except (CampaignsError, OSError) as why:
        log.error("demo failed", extra={"why": str(why)})  # noqa: TRY400 - the sentence is enough
        _print_line(f"{FAILED}{why}".replace("\n", " "))
        return 1
    return 0


def _run_demo(home: Path, lock: LockFile) -> None:
    _print_line("starting PostgreSQL, Valkey and the sandbox gateway")
    with attach(home, sandbox=True, sandbox_options=environment.SANDBOX_OPTIONS) as servers:
        _migrate(str(servers.database_url))
        endpoints = _endpoints(servers)
        _print_line("starting the workers, beat, Flower and the metrics")
        commands = procfile_commands(environment.PROCESSES)
        supervisor = Supervisor(commands, environment.process_environment(endpoints), home / "logs")
        with _running(supervisor), _endpoints_file_written(endpoints):
            _print_line(READY)
            _keep_running(servers, lock)


def _migrate(database_url: str) -> None:
    engine = make_engine(database_url)
    upgrade(engine)
    engine.dispose()


def _endpoints(servers: Attached) -> DemoEndpoints:
    usual = load({})
    return DemoEndpoints(
        home=servers.home,
        database_url=str(servers.database_url),
        broker_url=str(servers.broker_url),
        gateway_url=str(servers.gateway_url),
        flower_port=_choose_port(usual.flower_port),
        flower_password=secrets.token_urlsafe(12),
        metrics_port=_choose_port(usual.metrics_port),
    )


def _choose_port(usual: int) -> int:
    return usual if is_port_free(usual) else find_free_port()


@contextmanager
def _running(supervisor: Supervisor) -> Iterator[None]:
    supervisor.start()
    try:
        yield
    finally:
        _ignore_signals()
        supervisor.stop(GRACE_S)


@contextmanager
def _endpoints_file_written(endpoints: DemoEndpoints) -> Iterator[None]:
    write_private(endpoints.flower_password_file, f"{endpoints.flower_password}\n")
    write_private(endpoints_file(endpoints.home), orjson.dumps(asdict(endpoints), default=str).decode())
    try:
        yield
    finally:
        endpoints_file(endpoints.home).unlink(missing_ok=True)
        endpoints.flower_password_file.unlink(missing_ok=True)


def read_endpoints(home: Path) -> DemoEndpoints | None:
    """Return the endpoints of a running demo; None while no demo runs."""
    try:
        found: Mapping[str, str] = orjson.loads(endpoints_file(home).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return DemoEndpoints(**{**found, "home": Path(found["home"])})  # type: ignore[arg-type]


def _keep_running(servers: Attached, lock: LockFile) -> None:
    """Keep the servers running until standard input ends without a byte, or a signal comes."""
    watched = [sys.stdin.fileno()]
    while True:
        readable, _, _ = select.select(watched, [], [], SERVERS_CHECK_INTERVAL_S)
        if readable:
            if os.read(watched[0], 1) != STAY:
                return
            watched.clear()
            os.write(lock.fd, STAYS)
        servers.ensure()


def _stop_on_signals() -> None:
    def stop(number: int, _: FrameType | None) -> NoReturn:
        _ignore_signals()
        raise SystemExit(128 + number)

    for each in _SIGNALS:
        signal.signal(each, stop)


def _ignore_signals() -> None:
    """Ignore signals during the shutdown: an interruption could leave a lock that is never released."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)


_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _print_line(line: str) -> None:
    with suppress(BrokenPipeError):  # our starter may be gone
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
