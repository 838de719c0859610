"""Flower's memory after many tasks: the Flower of the Procfile, fed with the events of workers through Valkey."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from uuid import uuid4

import requests
from celery import Celery

from benchmarks.bench import Bench, Unfinished, pids, until
from benchmarks.figures import Row, Table
from benchmarks.processes import resident_mb
from campaigns_devkit import servers
from campaigns_devkit.supervisor import procfile_commands

AUTH: Final = ("bench", "bench")
EVENTS_A_TASK: Final = 3
AT_ONCE: Final = 500
"""Tasks that are published before Flower is waited for: a broker drops a subscriber that falls far behind."""
_NOTE: Final = "MB resident once Flower has seen so many tasks, three events each. It keeps the newest of them."
_COUNTED: Final = re.compile(r'^flower_events_total\{[^}]*type="task-[^}]*\} (\S+)$', re.MULTILINE)


def measure(bench: Bench, tasks: Sequence[int], *, max_tasks: int) -> list[Table]:
    """The memory of a Flower that keeps `max_tasks` tasks, after each of so many tasks, in ascending order."""
    port = servers.find_free_port()
    settings = {
        "DATABASE_URL": bench.database_url,
        "CAMPAIGNS_BROKER_URL": bench.broker_url,
        "FLOWER_PORT": str(port),
        "FLOWER_BASIC_AUTH": ":".join(AUTH),
        "FLOWER_MAX_TASKS": str(max_tasks),
    }
    rows: list[Row] = []
    with bench.running(procfile_commands(["flower"]), settings) as supervisor:
        watched = Watched(f"http://127.0.0.1:{port}")
        until(watched.answers, within_s=60, what="the start of Flower")
        rows.append({"tasks": 0, "resident MB": resident_mb(pids(supervisor)["flower"])})
        for total in tasks:
            feed(bench.broker_url, watched, up_to=total)
            rows.append({"tasks": total, "resident MB": resident_mb(pids(supervisor)["flower"])})
    return [Table(f"flower: at most {max_tasks:,} tasks kept", rows, _NOTE)]


class Watched:
    """A running Flower, asked over HTTP."""

    def __init__(self, url: str, auth: tuple[str, str] = AUTH) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = auth

    def answers(self) -> bool:
        """Return whether Flower answers."""
        try:
            return self._session.get(f"{self.url}/healthcheck", timeout=60).ok
        except requests.ConnectionError:
            return False

    def tasks_seen(self) -> float:
        """Return how many tasks Flower has seen from their first event to their last."""
        found = self._session.get(f"{self.url}/metrics", timeout=60)
        return sum(map(float, _COUNTED.findall(found.text))) / EVENTS_A_TASK

    def knows(self, worker: str) -> bool:
        """Return whether Flower knows this worker."""
        return f'flower_worker_online{{worker="{worker}"}}' in self._session.get(f"{self.url}/metrics", timeout=60).text

    def has_seen(self, tasks: int) -> bool:
        """Return whether Flower has seen this many tasks."""
        return self.tasks_seen() >= tasks

    def tasks_kept(self) -> dict[str, dict[str, object]]:
        """The tasks that it shows, by their ids."""
        found = self._session.get(f"{self.url}/api/tasks", timeout=60)
        found.raise_for_status()
        tasks: dict[str, dict[str, object]] = found.json()
        return tasks


def feed(broker_url: str, flower: Watched, *, up_to: int) -> None:
    """Publish the events of tasks, as a worker does, until Flower has seen `up_to`. Raises: Unfinished."""
    seen = int(flower.tasks_seen())
    with _dispatcher(broker_url) as dispatcher:
        _be_heard(dispatcher, flower)
        for start in range(seen, up_to, AT_ONCE):
            wanted = min(start + AT_ONCE, up_to)
            for number in range(start, wanted):
                _publish(dispatcher, number)
            dispatcher.flush()
            until(partial(flower.has_seen, wanted), within_s=120, what=f"task {wanted:,}")
    if flower.tasks_seen() != up_to:
        raise Unfinished(f"Flower has seen {flower.tasks_seen():,} tasks of {up_to:,}")


def await_subscription(broker_url: str, flower: Watched) -> None:
    """Wait until Flower hears events: it answers over HTTP before that, and events are kept for nobody."""
    with _dispatcher(broker_url) as dispatcher:
        _be_heard(dispatcher, flower)


def _be_heard(dispatcher: Any, flower: Watched) -> None:
    def heard() -> bool:
        dispatcher.send("worker-heartbeat", freq=60)
        return flower.knows(dispatcher.hostname)

    until(heard, within_s=120, what="the first event in Flower")


@contextmanager
def _dispatcher(broker_url: str) -> Iterator[Any]:
    """Publishes events as a worker does: those of tasks a few at a time."""
    app = Celery(broker=broker_url, set_as_current=False)
    with (
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, hostname=f"send@bench-{os.getpid()}", buffer_group=["task"]) as found,
    ):
        yield found


def _publish(dispatcher: Any, number: int) -> None:
    """The three events of one task, with what they carry from a worker of ours."""
    send, uuid = dispatcher.send, str(uuid4())
    first = 200 * number
    shown = repr({"campaign": 1 + number // 5_000, "messages": f"{first + 1}-{first + 200}/1000000"})
    facts = {"root_id": str(uuid4()), "parent_id": str(uuid4()), "retries": 0, "eta": None, "expires": None}
    send("task-received", uuid=uuid, name="campaigns.send_batch", args=f"({number},)", kwargs=shown, **facts)
    send("task-started", uuid=uuid)
    send("task-succeeded", uuid=uuid, result="'accepted'", runtime=0.2)
