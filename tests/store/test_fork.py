"""After a fork, nothing of the parent's is used: connections, locks, slots; and a caller's own engine is refused.

Each test runs `tests.store.forking` in a process of its own. It forks while its threads are at work, which Python 3.12
warns of: that is what gunicorn and Celery do to a shop that imports us.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from sqlalchemy import Engine, text

from tests.store.forking import CHILDREN, OPERATIONS, OTPS
from tests.world import Sandbox

REFUSED = "BadInput: this connection was opened before the process was forked (gunico"


def all_right(count: int = OPERATIONS) -> dict[str, object]:
    """What is told where every answer was to its own question."""
    return {"parent": {"right": 2 * count}, "children": [{"right": count}] * CHILDREN}


def forked(part: str, address: str, **environment: str) -> Any:
    """What the parent and its children saw."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.forking", part, address],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sys.stderr.write(done.stderr)  # a child that hung tells there where
    return json.loads(done.stdout)


def test_children_of_a_working_process_read_their_own_rows(database_url: str) -> None:
    assert forked("database", database_url) == all_right()


def test_children_get_the_gateways_answers_to_their_own_questions(sandbox: Sandbox) -> None:
    assert forked("gateway", sandbox.url) == all_right()


def test_children_take_slots_of_the_pace_on_connections_of_their_own(broker_url: str) -> None:
    assert forked("pace", broker_url) == all_right()


def test_children_send_one_time_passwords(engine: Engine, database_url: str, broker_url: str, sandbox: Sandbox) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "CAMPAIGNS_BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": sandbox.api_key,
        "KAVENEGAR_BASE_URL": sandbox.url,
        "PACE_FIXED": "100000",
    }
    assert forked("one_time_passwords", "", **settings) == all_right(OTPS)

    with engine.connect() as connection:
        states = connection.execute(text("SELECT state, count(*) FROM sms.otps GROUP BY state")).all()
    assert [tuple(row) for row in states] == [("accepted", 3 + 2 * OTPS + CHILDREN * OTPS)]


def test_a_lock_that_a_thread_of_the_parent_held_does_not_stop_a_child(database_url: str, broker_url: str) -> None:
    assert forked("locks", f"{database_url} {broker_url}") == all_right()


def test_a_connection_in_use_at_the_fork_stays_the_parents_alone(database_url: str) -> None:
    seen = forked("in_use", database_url)

    assert seen["parent"] == {"right": 2 * OPERATIONS}
    for child in seen["children"]:
        assert "right" not in child
        assert "wrong" not in child
        assert all("Error" in each for each in child)


def test_a_callers_own_engine_from_before_the_fork_is_refused_with_what_would_be_right(database_url: str) -> None:
    seen = forked("own_engine", database_url)

    assert seen["parent"] == {"right": 2 * OPERATIONS}
    for child in seen["children"]:
        assert set(child) == {REFUSED, "right"}, child
        assert sum(child.values()) == OPERATIONS  # the refused connections are gone, and others come


def test_a_callers_own_engine_works_after_what_the_sentence_says(database_url: str) -> None:
    assert forked("own_engine_disposed", database_url) == all_right()
