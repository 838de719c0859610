"""A request that is in the kernel's hands while the network is down never leaves once its time is over.

Without a bound the kernel goes on for a quarter of an hour: a request given up after 20 s reached the server 27 s
later.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.kavenegar.test_send_buffer import on_linux
from tests.waiting import PATIENCE_S

PROJECT = Path(__file__).resolve().parents[2]


def unplugged(case: str) -> subprocess.CompletedProcess[str]:
    """What a process says whose network went down."""
    command = [sys.executable, "-m", "tests.kavenegar.unplugged", case]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, timeout=3 * PATIENCE_S)


@cache
def _can_be_done() -> bool:
    return sys.platform == "linux" and unplugged("nothing").returncode == 0


@pytest.fixture(autouse=True)
def _needed() -> None:
    if not _can_be_done():
        pytest.skip("no process can have a network of its own here: that takes Linux and the right to namespaces")


def test_the_kernel_holds_nothing_of_a_request_that_was_given_up_while_the_network_was_down() -> None:
    done = unplugged("given_up")
    assert done.stdout.split() == ["LOST", "unsent", "0"], done.stderr


@on_linux
def test_the_kernel_drops_a_request_at_its_deadline_also_where_the_process_that_made_it_stands_still() -> None:
    """The one request that was received is the one before."""
    done = unplugged("stopped")
    assert done.stdout.split() == ["LOST", "received", "1"], done.stderr
