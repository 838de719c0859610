"""Lines in the store: which are due, whose they are, and what a claim leaves behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.errors import NotFound
from kavenegar_campaigns.store import lines
from kavenegar_campaigns.store.lines import Line, LineClaim, LineEnding
from tests.store.given import NOW

LEASE, SETTLE = timedelta(seconds=120), timedelta(seconds=90)
MINUTE = timedelta(minutes=1)
LINE = "10004346"


def seed(connection: Connection, wanted: dict[str, timedelta], now: datetime = NOW) -> dict[str, Line]:
    lines.sync_settings(connection, wanted, now=now)
    return {each.line: each for each in lines.listed(connection)}


def change(connection: Connection, line: str = LINE, **options: Any) -> Line:
    chosen = {"every": None, "enabled": None, "otherwise": MINUTE, "now": NOW, **options}
    return lines.change(connection, line, **chosen)


def claim(connection: Connection, now: datetime = NOW, line: str = LINE) -> LineClaim | None:
    return lines.claim(connection, line, owner=uuid4(), now=now, lease=LEASE, unknown_grace=SETTLE)


def claimed(connection: Connection, now: datetime = NOW) -> LineClaim:
    found = claim(connection, now)
    assert found is not None
    return found


def due(connection: Connection, now: datetime, most: int = 3) -> list[str]:
    return lines.due(connection, now=now, unknown_grace=SETTLE, most=most)


# ── the settings and a person ──


def test_the_settings_name_the_lines_and_how_often_each_is_pulled(connection: Connection) -> None:
    found = seed(connection, {LINE: MINUTE, "30002626": 5 * MINUTE})

    assert {line: (each.every, each.enabled, each.due_at) for line, each in found.items()} == {
        LINE: (MINUTE, True, NOW),
        "30002626": (5 * MINUTE, True, NOW),
    }
    later = seed(connection, {LINE: 2 * MINUTE, "30002626": 5 * MINUTE}, NOW + MINUTE)
    assert later[LINE].every == 2 * MINUTE
    assert later["30002626"] == found["30002626"]


def test_a_line_that_the_settings_name_no_longer_rests_and_comes_back_with_them(connection: Connection) -> None:
    seed(connection, {LINE: MINUTE})

    assert not seed(connection, {})[LINE].enabled
    assert seed(connection, {LINE: MINUTE})[LINE].enabled


def test_what_a_person_says_of_a_line_the_settings_do_not_overrule(connection: Connection) -> None:
    seed(connection, {LINE: MINUTE, "30002626": MINUTE})
    change(connection, LINE, every=7 * MINUTE)
    change(connection, "30002626", enabled=False)
    change(connection, "2000500", every=MINUTE)

    found = seed(connection, {LINE: MINUTE, "30002626": MINUTE})

    assert (found[LINE].every, found[LINE].enabled) == (7 * MINUTE, True)
    assert not found["30002626"].enabled
    assert found["2000500"].enabled


def test_a_line_that_is_added_by_hand_without_an_interval_gets_the_usual_one(connection: Connection) -> None:
    assert change(connection, enabled=True, otherwise=3 * MINUTE).every == 3 * MINUTE


def test_a_stranger_is_not_found_and_told_how_to_add_it(connection: Connection) -> None:
    with pytest.raises(NotFound, match="campaigns inbox line 999"):
        lines.read(connection, "999")
    with pytest.raises(NotFound):
        lines.make_due(connection, "999", now=NOW)


# ── due ──


def test_lines_are_due_the_longest_waiting_first_and_not_before_their_time(connection: Connection) -> None:
    for place, line in enumerate(("1001", "1002", "1003")):
        change(connection, line, every=MINUTE, now=NOW - place * MINUTE)
    change(connection, "1004", every=MINUTE, enabled=False)
    change(connection, "1005", every=MINUTE, now=NOW + MINUTE)

    assert due(connection, NOW) == ["1003", "1002", "1001"]
    assert due(connection, NOW, most=2) == ["1003", "1002"]


def test_no_more_lines_are_rung_for_than_may_be_pulled_at_once(connection: Connection) -> None:
    for line in (LINE, "1002", "1003", "1004"):
        change(connection, line, every=MINUTE)
    claimed(connection)

    assert due(connection, NOW, most=3) == ["1002", "1003"]


# ── claimed ──


def test_a_claim_doubts_ahead_and_tells_how_the_line_stood_before(connection: Connection) -> None:
    change(connection, every=MINUTE)

    first = claimed(connection)

    assert first.needs_reconcile_since is None
    assert lines.read(connection, LINE).needs_reconcile_since == NOW
    assert claim(connection, NOW + LEASE) is None
    assert claim(connection, NOW + LEASE + SETTLE - MINUTE) is None  # its last request may still be acted on
    second = claimed(connection, NOW + LEASE + SETTLE)
    assert second.needs_reconcile_since == NOW
    assert second.attempt == first.attempt + 1


def test_two_workers_at_once_have_the_line_once(engine: Engine) -> None:
    with engine.begin() as connection:
        change(connection, every=MINUTE)
    with engine.connect() as one, engine.connect() as other, one.begin(), other.begin():
        assert claim(one) is not None
        assert claim(other) is None  # without waiting for the first


def test_a_good_ending_takes_the_doubt_back(connection: Connection) -> None:
    change(connection, every=MINUTE)
    found = claimed(connection)

    ending = LineEnding(NOW + MINUTE, None, complete_to=NOW, pulled_at=NOW)
    assert lines.release(connection, found, ending)

    line = lines.read(connection, LINE)
    assert (line.needs_reconcile_since, line.leased_until, line.due_at) == (None, None, NOW + MINUTE)
    assert (line.complete_to, line.pulled_at) == (NOW, NOW)
    assert claim(connection, NOW + MINUTE) is not None


def test_what_is_complete_goes_only_forward(connection: Connection) -> None:
    change(connection, every=MINUTE)
    found = claimed(connection)
    lines.renew(connection, found, lease_ends=NOW + LEASE, complete_to=NOW)

    lines.renew(connection, found, lease_ends=NOW + LEASE, complete_to=NOW - MINUTE)
    lines.release(connection, found, LineEnding(NOW, None, complete_to=NOW - MINUTE))

    assert lines.read(connection, LINE).complete_to == NOW


def test_whoever_lost_the_line_neither_holds_nor_ends_anything(connection: Connection) -> None:
    change(connection, every=MINUTE)
    lost = claimed(connection)
    later = NOW + LEASE + SETTLE
    claimed(connection, later)

    assert not lines.renew(connection, lost, lease_ends=later + LEASE)
    assert not lines.release(connection, lost, LineEnding(later, None))
    assert lines.read(connection, LINE).needs_reconcile_since == NOW


# ── lost ──


def test_a_lost_answer_keeps_everybody_away_until_it_has_settled(connection: Connection) -> None:
    change(connection, every=MINUTE)
    found = claimed(connection)

    lose(connection, found, now=NOW + MINUTE)
    lines.make_due(connection, LINE, now=NOW)

    assert claim(connection, NOW + MINUTE + SETTLE - timedelta(seconds=1)) is None
    again = claimed(connection, NOW + MINUTE + SETTLE)
    assert again.needs_reconcile_since == NOW


def test_a_lost_answer_of_somebody_without_the_line_ends_the_claim_of_whoever_has_it(connection: Connection) -> None:
    """And with it what they took for complete: the lost page may be older than that."""
    change(connection, every=MINUTE)
    lost = claimed(connection)
    later = NOW + LEASE + SETTLE
    present = claimed(connection, later)
    lines.renew(connection, present, lease_ends=later + LEASE, complete_to=later)

    lose(connection, lost, now=later + MINUTE)

    assert not lines.release(connection, present, LineEnding(later, None))
    line = lines.read(connection, LINE)
    assert (line.needs_reconcile_since, line.complete_to) == (NOW, None)
    assert claim(connection, later + LEASE) is None  # the present one may have a request under way


@pytest.mark.parametrize(
    ("known", "facts", "left"),
    [(None, NOW, None), (NOW, None, None), (NOW, NOW - MINUTE, NOW - MINUTE), (NOW - MINUTE, NOW, NOW - MINUTE)],
)
def test_of_two_moments_of_completeness_a_loss_leaves_the_earlier(
    connection: Connection, known: datetime | None, facts: datetime | None, left: datetime | None
) -> None:
    change(connection, every=MINUTE)
    found = claimed(connection)
    connection.execute(text("UPDATE sms.lines SET complete_to = :known"), {"known": known})

    lose(connection, found, now=NOW, complete_to=facts)

    assert lines.read(connection, LINE).complete_to == left


def lose(connection: Connection, found: LineClaim, *, now: datetime, complete_to: datetime | None = None) -> None:
    lines.record_lost_answer(connection, found, complete_to=complete_to, now=now, unknown_grace=SETTLE, trouble="lost")
