"""Hosts whose clocks do not agree: beat, the workers and the database each on a host of its own, and a campaign."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from campaigns_devkit import Supervisor
from campaigns_devkit.supervisor import procfile_commands
from kavenegar_campaigns.store import installation
from kavenegar_worker import queues
from tests import wrong_clock
from tests.waiting import PATIENCE_S, until
from tests.world import Sandbox, running, states

pytestmark = pytest.mark.timeout(5 * PATIENCE_S)

HOUR = 3600
PROJECT = Path(__file__).resolve().parents[2]
Hosts = Callable[..., Supervisor]


@pytest.fixture(autouse=True)
def _can_be_wrong() -> None:
    wrong_clock.needed()


@pytest.fixture
def hosts(environment: dict[str, str], tmp_path: Path) -> Iterator[Hosts]:
    """Starts the processes, each with the variables that make its clock wrong; the database's is right."""
    with ExitStack() as stack:

        def start(clocks: dict[str, dict[str, str]]) -> Supervisor:
            chosen = procfile_commands(clocks)
            for name, clock in clocks.items():
                set_first = "".join(f"export {variable}={shlex.quote(value)}; " for variable, value in clock.items())
                *shell, line = chosen[name]
                chosen[name] = [*shell, set_first + line]
            supervisor = Supervisor(chosen, environment, tmp_path / "logs")
            supervisor.start()
            stack.callback(supervisor.stop, grace_s=10)
            return supervisor

        yield start


@pytest.fixture
def doctor(environment: dict[str, str]) -> Callable[[str], dict[str, str]]:
    """What `campaigns doctor` finds, by the finding's name."""

    def ask(name: str) -> dict[str, str]:
        command = [
            sys.executable,
            "-c",
            "from kavenegar_worker.cli import entry_point; entry_point()",
            "doctor",
            "--json",
        ]
        done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
        findings: list[dict[str, str]] = json.loads(done.stdout)["findings"]
        return next((each for each in findings if each["name"] == name), {"level": "", "says": ""})

    return ask


def _finished(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).finished_at is not None


@pytest.mark.parametrize(
    ("beat_s", "poll_s", "send_s"),
    [
        (0, 6, 6),
        (0, -6, -6),
        (0, 60, 60),
        (60, 0, 0),
        (0, HOUR, HOUR),
        (HOUR, 0, 0),
        (0, -HOUR, HOUR),  # each worker for itself
        (HOUR, HOUR, HOUR),  # the database is behind all others
    ],
)
def test_a_campaign_goes_through_however_far_the_clocks_are_apart(
    engine: Engine, sandbox: Sandbox, hosts: Hosts, broker_url: str, beat_s: int, poll_s: int, send_s: int
) -> None:
    sandbox.turn(dedupe=False)
    campaign = running(engine, 1_000)
    seconds = {"beat": beat_s, "worker-poll": poll_s, "worker-send": send_s}
    hosts({name: wrong_clock.environment(offset) for name, offset in seconds.items()})

    until(lambda: _finished(engine, campaign), "the end of the campaign")

    sent = sandbox.summary()
    assert (sent["messages"], sent["localids_sent_twice"]) == (1_000, 0)
    assert sum(states(engine, campaign).values()) == 1_000
    with redis.Redis.from_url(broker_url) as broker:
        until(lambda: max(queues.lengths(broker).values()) <= 1, "queues that are empty")


@pytest.mark.parametrize(
    ("poll_s", "send_s", "poll_says", "send_says"),
    [(6, -6, "6 s ahead of", "6 s behind"), (-60, 60, "60 s behind", "60 s ahead of")],
)
def test_the_doctor_says_by_how_much_the_clock_of_each_host_differs_and_that_the_dispatcher_ticks(
    engine: Engine,
    hosts: Hosts,
    doctor: Callable[[str], dict[str, str]],
    poll_s: int,
    send_s: int,
    poll_says: str,
    send_says: str,
) -> None:
    seconds = {"beat": HOUR, "worker-poll": poll_s, "worker-send": send_s}
    hosts({name: wrong_clock.environment(offset) for name, offset in seconds.items()})
    _ticks_on(engine, ticks=1)
    differences: list[str] = []

    def all_three() -> bool:
        differences[:] = doctor("clocks")["says"].partition(";")[0].split(", ")
        return len(differences) == len(seconds)

    until(all_three, "an answer of both workers and a beat")

    assert sorted(each.partition(": ")[2] for each in differences) == sorted(
        f"{says} the database's" for says in (poll_says, send_says, "60 min ahead of")
    )
    assert any(each.startswith("poll@") and poll_says in each for each in differences), differences
    assert any(each.startswith("send@") and send_says in each for each in differences), differences
    assert doctor("clocks")["level"] == "warn"
    assert doctor("dispatcher")["level"] == "ok"
    assert doctor("clock")["level"] == "ok"


def test_a_beat_whose_clock_is_set_back_goes_on_ticking(engine: Engine, hosts: Hosts, tmp_path: Path) -> None:
    """As when NTP mends a clock that was ahead. By the clock that it had, the next tick is due in an hour."""
    clock = tmp_path / "clock"
    wrong_clock.set_clock(clock, HOUR)
    hosts({"beat": wrong_clock.settable(clock), "worker-poll": {}})
    _ticks_on(engine)

    wrong_clock.set_clock(clock, 0)

    _ticks_on(engine)


def _ticks_on(engine: Engine, ticks: int = 5) -> None:
    """Wait for so many ticks, one after the other."""
    seen = set()

    def ticked() -> bool:
        with engine.connect() as connection:
            seen.add(installation.read(connection).ticked_at)
        return len(seen) > ticks + 1

    until(ticked, f"{ticks} ticks")
