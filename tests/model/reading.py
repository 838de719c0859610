"""A run of the model as text, and how the database stands, told in the same words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.batches import EPOCH_SHIFT
from kavenegar_campaigns.store import gate
from kavenegar_campaigns.store.identity import Place

TICK: Final = timedelta(seconds=55)
"""What a tick of the model's clock is in a replay. With it a window of n ticks is a round number of seconds."""

OPEN: Final = ("ready", "claimed", "unknown")


@dataclass(frozen=True, slots=True)
class World:
    """What a trace begins with, and the times that hold in it, in ticks."""

    messages: int
    draft: bool
    window: int
    taken: int
    deadline: int = 1
    lease: int = 2
    settle: int = 2
    second_account: bool = False  # only its key is in use, and has been for long


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: `due` in ticks, where it is open; `account` and `age`, in ticks + 1, where something may have left."""

    state: str
    due: int = 0
    account: int = 0
    age: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How everything stands after a step. Of messages, `moved` says whether they have got new ids."""

    batches: Sequence[Batch]
    messages: Sequence[str]
    moved: Sequence[bool]
    campaign: str
    at_home: bool
    clock_trusted: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the model and how everything stood after it."""

    name: str
    values: Mapping[str, int]
    after: Standing
    line: str

    def __getitem__(self, name: str) -> int:
        return self.values[name]


def switches(lines: Sequence[str]) -> dict[str, int]:
    """What was turned for a trace: its first line."""
    return {name: int(value) for name, value in (pair.split("=") for pair in lines[0].split()[2:])}


def world(lines: Sequence[str]) -> World:
    """The world of a trace."""
    turned = switches(lines)
    taken = int(lines[1].partition("taken=")[2])
    return World(
        turned.get("MESSAGES", 2),
        bool(turned.get("DRAFT")),
        turned.get("WINDOW", 0),
        taken,
        second_account=turned.get("KEYCHANGE") == 2,
    )


def steps(lines: Sequence[str]) -> Iterator[Step]:
    """The steps of a trace."""
    size = world(lines)
    for line, below in zip(lines[1::2], lines[2::2], strict=True):
        name, *pairs = line.split()
        values = {key: int(value) for key, value in (pair.split("=") for pair in pairs)}
        yield Step(name, values, _standing(below, size), line)


def _standing(line: str, size: World) -> Standing:
    words = line.split()[1:]
    gates = dict(pair.split(":") for pair in words[6:])
    return Standing(
        [_batch(word.split(":"), size) for word in words[:3]],
        words[3 : 3 + size.messages],
        [digit == "1" for digit in gates["epochs"][: size.messages]],
        words[5],
        gates["identity"] == "0",
        gates["leap"] != "2",
    )


def _batch(words: Sequence[str], size: World) -> Batch:
    state, due, _, account, age = words[0], *map(int, words[1:])
    if state not in OPEN:
        return Batch(state)
    if state == "ready":
        return Batch(state, due)
    return Batch(state, due, account, age if size.window else min(age, 1))


# ── the database ──

_BATCHES: Final = text("""
    SELECT batch.state, batch.due_at, batch.account, batch.first_sent_at,
           CASE WHEN batch.parent_id IS NULL THEN 0 ELSE message.row_no END AS place
      FROM sms.batches AS batch JOIN sms.messages AS message ON message.id = batch.first_id
""")


def stands(connection: Connection, size: World, *, first_epoch: int, now: datetime) -> Standing:
    """How the database stands; `first_epoch` is that of the ids at the beginning."""
    found = {row.place: row for row in connection.execute(_BATCHES)}
    messages = connection.execute(text("SELECT id, state FROM sms.messages ORDER BY row_no")).all()
    campaign = connection.execute(text("SELECT state FROM sms.campaigns")).scalar_one()
    seen = gate.read_gate(connection)
    return Standing(
        [_row(found[place], size, now) if place in found else Batch("none") for place in range(3)],
        [message.state for message in messages],
        [message.id >> EPOCH_SHIFT != first_epoch for message in messages],
        "running" if campaign == "draft" else campaign,
        seen.place is Place.HOME,
        seen.leap is None,
    )


def _row(row: object, size: World, now: datetime) -> Batch:
    state, due_at, account, first_sent_at, _ = row  # type: ignore[misc]
    if state not in OPEN:
        return Batch(state)
    due = max(0, math.ceil((due_at - now) / TICK))
    if state == "ready":
        return Batch(state, due)
    return Batch(state, due, (account or 1) - 1, _age(first_sent_at, size, now))


def _age(first_sent_at: datetime | None, size: World, now: datetime) -> int:
    if first_sent_at is None:
        return 0
    return 1 + min(round((now - first_sent_at) / TICK), size.window)
