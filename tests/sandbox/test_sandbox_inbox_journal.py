"""A sandbox with a journal remembers what came in, who has read it, and who is blocked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from kavenegar_sandbox import Options, background
from tests.sandbox.client import KEY, LATIN_LINE, Client, numbers
from tests.sandbox.test_sandbox_inbox import generated, message

UNREAD = {"linenumber": LATIN_LINE, "isread": 0}
ONE, TWO, THREE = numbers(3)


@contextmanager
def sandbox_of(journal: Path) -> Iterator[Client]:
    with background(Options(api_key=KEY, journal=journal)) as base_url, requests.Session() as session:
        yield Client(base_url, session)


def test_the_inbox_is_the_same_after_a_restart(tmp_path: Path) -> None:
    with sandbox_of(tmp_path / "journal") as sandbox:
        sandbox.inject(generated(6_000, age_s=3600))
        sandbox.inject([message(line="30002626"), message()])
        first = sandbox.entries("sms/receive", UNREAD)
        sandbox.entries("sms/inboxpaged", UNREAD)
        before = sandbox.came_in()
    with sandbox_of(tmp_path / "journal") as again:
        assert again.came_in() == before
        assert again.entries("sms/receive", {**UNREAD, "isread": 1})[:1] == first[:1]
        received = [row["messageid"] for row in again.entries("sms/receive", UNREAD)]
        assert {row["isread"] for row in before if row["messageid"] in received} == {0}
        (new,) = again.inject(message())
        assert new not in {row["messageid"] for row in before}


def test_the_block_lists_are_the_same_after_a_restart(tmp_path: Path) -> None:
    with sandbox_of(tmp_path / "journal") as sandbox:
        sandbox.entries("line/blocked/add", {"linenumber": LATIN_LINE, "receptor": f"{ONE},{TWO}"})
        sandbox.inject(message("لغو۱۱", sender=THREE))
        gone = {"linenumber": LATIN_LINE, "receptor": ONE}
        sandbox.session.delete(sandbox.url("line/blocked/remove"), params=gone, timeout=60).raise_for_status()
        before = sandbox.admin("GET", "blocked").json()
    assert [(block["number"], block["reason"]) for block in before["lines"][LATIN_LINE]] == [(TWO, 0), (THREE, 2)]
    with sandbox_of(tmp_path / "journal") as again:
        assert again.admin("GET", "blocked").json() == before
