"""The gateway's block lists and ours say the same in the end, a person has the last word, and nothing is lost between.

Against the sandbox over HTTP, whose own list is looked at through its side door.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, SuppressionReason
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import dispatch
from kavenegar_campaigns.stages.suppression import Synced, check_number, sync_due_line, sync_lines
from kavenegar_campaigns.store import blocklists, suppressions
from tests.world import SENDER, Sandbox, at, numbers, running

OTHER = "30002626"
FOREIGN = "20001234"


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    """One database for all."""
    return emptied


def seen_on(engine: Engine, number: str) -> dict[str, int]:
    """On which lines' lists a number stood when they were last looked at, and the gateway's reason."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT line, reason FROM sms.blocklist_entries WHERE number = :number AND removed_at IS NULL"),
            {"number": number},
        )
        return {row.line: row.reason for row in rows}


def known(engine: Engine) -> dict[str, str]:
    """Who is suppressed here, and why."""
    with engine.connect() as connection:
        return {each.number: each.reason for page in suppressions.in_pages(connection) for each in page}


def there(sandbox: Sandbox, line: str = SENDER) -> dict[str, int]:
    """Who is on a line's list at the gateway, and for which reason."""
    return {each["number"]: each["reason"] for each in sandbox.blocked().get(line, [])}


def suppress(engine: Engine, *found: str, reason: str = SuppressionReason.MANUAL) -> None:
    with engine.begin() as connection:
        campaigns.suppress(connection, found, reason=reason)


def lift(context: Context, engine: Engine, *found: str) -> None:
    with engine.begin() as connection:
        suppressions.lift(connection, found, now=context.now())


def one(context: Context, line: str = SENDER) -> Synced:
    (found,) = sync_lines(context, [line])
    return found


def block_on(sandbox: Sandbox, day: datetime, *found: str, reason: int, line: str = SENDER) -> None:
    sandbox._post("blocked", {"line": line, "numbers": found, "reason": reason, "date": int(day.timestamp())})


def calls(context: Context) -> int:
    return sum(lane.calls for lane in context.pace.view().lanes.values())


def row(engine: Engine, line: str = SENDER) -> dict[str, Any]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM sms.blocklists WHERE line = :line"), {"line": line})
        return dict(found.mappings().one())


# ── from the gateway ──


def test_every_entry_of_every_reason_and_age_is_suppressed_with_its_reason(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    found = numbers(5)
    for number, reason in zip(found, (0, 1, 2, 3, 10), strict=True):
        block_on(sandbox, datetime(2019, 5, 1, tzinfo=UTC), number, reason=reason)

    assert one(context) == Synced(SENDER, seen=5, suppressed=5, whole=True)

    assert known(engine) == dict(
        zip(
            found,
            ("gateway_service", "gateway_panel", "gateway_opt_out", "gateway_admin", "gateway_unknown"),
            strict=True,
        )
    )
    with engine.connect() as connection:
        record = campaigns.suppressed(connection, found[0])
        assert record is not None
        assert record.source == f"the list of line {SENDER}"
    assert seen_on(engine, found[2]) == {SENDER: 2}


def test_a_list_of_many_pages_is_gone_through_to_its_end(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.block(SENDER, *numbers(1001))
    assert one(context).seen == 1001
    assert len(known(engine)) == 1001


def test_a_second_look_finds_nothing_new_and_asks_for_the_newest_alone(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    block_on(sandbox, datetime(2019, 5, 1, tzinfo=UTC), *numbers(600), reason=2)
    one(context)
    sandbox.advance(hours=1)
    sandbox.block(SENDER, "09350000001")
    before, listed = known(engine), there(sandbox)

    assert one(context) == Synced(SENDER, seen=1, suppressed=1, whole=True)
    assert one(context) == Synced(SENDER, seen=1, whole=True)
    assert known(engine) == {**before, "09350000001": "gateway_opt_out"}
    assert there(sandbox) == listed


def test_once_a_day_the_list_is_gone_through_from_its_beginning(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    block_on(sandbox, datetime(2019, 5, 1, tzinfo=UTC), *numbers(3), reason=2)
    one(context)
    sandbox.advance(hours=25)
    assert one(context).seen == 3


def test_whoever_is_off_the_gateways_list_stays_suppressed_until_a_person_lifts_them(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.block(SENDER, *numbers(2), reason=1)
    one(context)
    context.gateway.blocked_remove(SENDER, numbers(1))
    sandbox.advance(hours=25)
    one(context)
    assert set(known(engine)) == set(numbers(2))
    assert seen_on(engine, numbers(1)[0]) == {}
    assert set(there(sandbox)) == set(numbers(2)[1:])  # and is not put back on it: it was not ours


# ── to the gateway ──


def test_whom_we_suppressed_is_written_and_whom_nobody_asked_for_is_not(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    written = dict(
        zip(
            numbers(4),
            (SuppressionReason.MANUAL, SuppressionReason.OPTED_OUT, SuppressionReason.IMPORTED, "moved abroad"),
            strict=True,
        )
    )
    kept = dict(zip(numbers(6)[4:], (SuppressionReason.UNREACHABLE, SuppressionReason.BLOCKED), strict=True))
    for number, reason in {**written, **kept}.items():
        suppress(engine, number, reason=reason)

    assert one(context) == Synced(SENDER, written=4, whole=True)

    assert there(sandbox) == dict.fromkeys(written, 0)
    assert known(engine) == {**written, **kept}


def test_many_are_written_and_removed_in_chunks_and_synchronising_twice_changes_nothing(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    suppress(engine, *numbers(450))
    assert one(context).written == 450
    assert set(there(sandbox)) == set(numbers(450))
    before, listed = known(engine), there(sandbox)
    assert one(context) == Synced(SENDER, seen=450, whole=True)
    assert (known(engine), there(sandbox)) == (before, listed)

    sandbox.advance(minutes=1)
    lift(context, engine, *numbers(120))
    assert one(context).removed == 120
    assert set(there(sandbox)) == set(numbers(450)[120:])
    before, listed = known(engine), there(sandbox)
    assert one(context) == Synced(SENDER, seen=330, whole=True)
    assert (known(engine), there(sandbox)) == (before, listed)


def test_every_line_gets_whom_we_suppressed(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    suppress(engine, *numbers(2))
    sandbox.block(OTHER, numbers(1)[0], reason=2)
    assert [each.written for each in sync_lines(context, [SENDER, OTHER])] == [2, 1]
    assert there(sandbox, OTHER) == {numbers(1)[0]: 2, numbers(2)[1]: 0}


def test_who_stood_there_before_counts_as_written(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """Blocked at the gateway between our look at the list and our writing to it."""
    one(context)
    context.gateway.blocked_add(SENDER, numbers(1))
    suppress(engine, *numbers(1))
    with engine.begin() as connection:  # what was blocked is older than what is looked for
        connection.execute(text("UPDATE sms.blocklists SET complete_to = complete_to + interval '4 days'"))
    assert one(context).written == 1
    assert one(context).written == 0


# ── a person has the last word ──


def test_a_lifted_number_is_not_suppressed_by_the_same_old_entry(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.block(SENDER, *numbers(2), reason=2)
    one(context)
    sandbox.advance(minutes=5)
    lift(context, engine, numbers(1)[0])

    assert one(context) == Synced(SENDER, seen=2, whole=True)
    sandbox.advance(hours=25)
    assert one(context).suppressed == 0

    assert set(known(engine)) == {numbers(2)[1]}
    assert there(sandbox)[numbers(1)[0]] == 2  # which the API may not remove


def test_an_entry_made_after_a_number_was_lifted_suppresses_it_anew(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.block(SENDER, *numbers(1), reason=1)
    one(context)
    sandbox.advance(minutes=5)
    lift(context, engine, *numbers(1))
    assert one(context).removed == 1
    sandbox.advance(minutes=5)
    sandbox.block(SENDER, *numbers(1), reason=2)

    assert one(context).suppressed == 1
    assert known(engine) == {numbers(1)[0]: "gateway_opt_out"}


def test_an_entry_without_a_date_counts_once(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    def listed() -> int:
        with engine.begin() as connection:
            turn = blocklists.claim(
                connection, SENDER, owner=uuid4(), now=context.now(), lease=context.policy.lease, at_once=True
            )
            assert turn is not None
            entry = blocklists.ListedNumber(numbers(1)[0], 2, None)
            found = blocklists.record_page(connection, turn, [entry], now=context.now())
            blocklists.release(connection, turn, due_at=context.now(), trouble=None, whole=True, now=context.now())
        return found

    assert listed() == 1
    assert listed() == 0
    lift(context, engine, *numbers(1))
    assert listed() == 0
    assert known(engine) == {}


def test_whom_a_person_lifts_while_they_are_written_is_taken_off_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Written at the gateway, lifted here, and only then kept as written: the entry is younger than the lifting."""
    suppress(engine, *numbers(1))
    one(context)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.suppressions SET lifted_at = created_at"))

    assert one(context).removed == 1
    assert (known(engine), there(sandbox)) == ({}, {})


# ── trouble ──


def test_a_line_that_is_not_ours_does_not_stop_the_others(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.block(OTHER, *numbers(1))
    foreign, other = sync_lines(context, [FOREIGN, OTHER])
    assert "412" in foreign.trouble
    assert not foreign.whole
    assert (other.suppressed, other.whole) == (1, True)
    assert row(engine, FOREIGN)["trouble"]


def test_a_refused_account_stops_all_and_is_held(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(account_code=403)
    (found,) = sync_lines(context, [SENDER, OTHER])
    assert "403" in found.trouble
    with engine.connect() as connection:
        assert connection.execute(text("SELECT hold_code FROM sms.installation")).scalar_one() == 403


def test_a_gateway_that_is_away_is_asked_again_later(context: Context, engine: Engine, closed_port_url: str) -> None:
    (found,) = sync_lines(at(context, closed_port_url), [SENDER, OTHER])
    assert found.trouble
    assert row(engine)["lease_owner"] is None
    assert row(engine)["due_at"] > context.now()
    assert row(engine)["synced_at"] is None


def test_what_was_interrupted_goes_on_where_it_stopped(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.block(SENDER, *numbers(900))
    sandbox.arm("http_5xx_html_before", "line/blocked/list", skip=3, count=9)
    assert one(context).seen == 600
    assert row(engine)["page"] == 4
    assert len(known(engine)) == 600
    sandbox.disarm()

    before = calls(context)
    assert one(context) == Synced(SENDER, seen=300, suppressed=300, whole=True)
    assert calls(context) - before == 2
    assert len(known(engine)) == 900


def test_a_pull_that_stopped_long_ago_begins_anew(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.block(SENDER, *numbers(500))
    sandbox.arm("http_5xx_html_before", "line/blocked/list", skip=1, count=9)
    assert one(context).seen == 200
    sandbox.disarm()
    sandbox.advance(hours=2)
    assert one(context).seen == 500


def test_a_scheduled_run_takes_so_many_calls_and_leaves_the_rest_to_the_next(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    suppress(engine, *numbers(20_300))
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sms.blocklists (line, due_at) VALUES (:line, :now)"),
            {"line": SENDER, "now": context.now()},
        )
    found = sync_due_line(context, SENDER)
    assert (found.written, found.whole) == (99 * 200, False)
    assert sync_due_line(context, SENDER) == Synced(
        SENDER, written=500, whole=True
    )  # the list is not gone through again for it
    assert sync_due_line(context, SENDER).summary == "not due"
    assert len(there(sandbox)) == 20_300


def test_one_worker_at_a_time_synchronises_a_line_and_a_dead_one_holds_it_no_longer_than_its_lease(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.block(SENDER, *numbers(3))
    with engine.begin() as connection:
        turn = blocklists.claim(connection, SENDER, owner=uuid4(), now=context.now(), lease=context.policy.lease)
    assert turn is not None
    assert "somebody else" in one(context).trouble
    assert sync_due_line(context, SENDER).summary == "not due"

    sandbox.advance(seconds=context.policy.lease.total_seconds() + 1)
    assert one(context).suppressed == 3
    with engine.begin() as connection:
        assert not blocklists.renew(connection, turn, lease_ends=context.now() + timedelta(hours=1))


def test_no_transaction_is_open_while_the_gateway_is_asked(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    seen: list[int] = []
    open_ones = text("""
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()
    """)

    def look(_: object) -> None:
        with engine.connect() as connection:
            seen.append(connection.execute(open_ones).scalar_one())

    suppress(engine, *numbers(3))
    sandbox.block(SENDER, "09350000001", reason=1)
    lift(context, engine, "09350000001")
    watched = replace(context, gateway=type(context.gateway)(context.gateway._client, context.pace, on_call=look))
    one(watched)
    lift(context, engine, numbers(1)[0])
    one(watched)
    assert seen == [0] * len(seen)
    assert len(seen) >= 4


# ── on schedule ──


def test_every_line_that_campaigns_were_sent_from_is_due_once_an_hour(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    running(engine, 1)
    assert dispatch.due_chores(context, now=context.now()).blocklists == [SENDER]
    assert dispatch.due_chores(context, now=context.now()).blocklists == [SENDER]  # a lost ring is rung again
    sync_due_line(context, SENDER)
    assert not dispatch.due_chores(context, now=context.now()).blocklists
    sandbox.advance(minutes=61)
    assert dispatch.due_chores(context, now=context.now()).blocklists == [SENDER]

    never = replace(context, policy=replace(context.policy, suppress_sync=timedelta(0)))
    assert not dispatch.due_chores(never, now=context.now()).blocklists


# ── one number ──


def test_a_number_is_looked_up_on_the_list_of_each_line(context: Context, sandbox: Sandbox) -> None:
    sandbox.block(OTHER, *numbers(1))
    ours, other, foreign = check_number(context, "+98" + numbers(1)[0][1:], [SENDER, OTHER, FOREIGN])
    assert (ours.blocked, other.blocked, foreign.blocked) == (False, True, None)
    assert "412" in foreign.trouble
    with pytest.raises(BadInput):
        check_number(context, "12", [SENDER])
