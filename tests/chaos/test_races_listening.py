"""What a bank would find in production about inbox, suppression, one-time passwords and callbacks."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
import requests
from sqlalchemy import Connection, Engine, event, text

import campaigns
from campaigns import Reason, heed
from campaigns.house import House
from campaigns.inbox import pull
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.gateway import Gateway
from campaigns.otp import follow
from campaigns.otp import run as send_otp
from campaigns.store import callbacks, inbound, installation, lines, otps, suppressions
from campaigns.store.callbacks import StatusCallback
from campaigns.store.inbound import Arrival, Via, Watch
from campaigns.suppress import sync
from tests.kavenegar.scripted_server import ScriptedServer, http_answer
from tests.stations.accepted import accepted
from tests.stations.inboxes import DAY_S, came_in, crowd, line_added, missing, row, stored, turns
from tests.stations.ordering import ordered, tokens_kept
from tests.store.test_cost_of_a_tick import nodes
from tests.web import expecting, gateway_ids, web
from tests.world import SENDER, Sandbox, answer_bells, numbers, running, states

NUMBER = "09121234567"
DAY = timedelta(days=1)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A gateway that has seen nothing."""
    with Sandbox.start() as gateway:
        yield gateway


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A gateway that says what a test scripts."""
    found = ScriptedServer()
    yield found
    found.stop()


def scripted(house: House, server: ScriptedServer, **policy: Any) -> House:
    """The same house at the scripted gateway."""
    client = Client("scripted", server.url, deadline_s=5.0, connect_timeout_s=1.0)
    return replace(house, gateway=Gateway(client, house.pace), policy=replace(house.policy, **policy))


def page_of(rows: list[dict[str, Any]], **metadata: int) -> bytes:
    """An answer of sms/inboxpaged."""
    told = {"return": {"status": 200, "message": ""}, "entries": rows, "metadata": {**metadata}}
    return http_answer(json.dumps(told).encode())


def somebody_reads(sandbox: Sandbox, method: str = "receive") -> None:
    """Other software takes what is unread."""
    url = f"{sandbox.url}/v1/{sandbox.api_key}/sms/{method}.json"
    assert requests.post(url, data={"linenumber": SENDER, "isread": 0}, timeout=60).ok


def suppressed(engine: Engine, number: str = NUMBER) -> campaigns.Suppression | None:
    with engine.connect() as connection:
        return campaigns.suppressed(connection, number)


def suppress(house: House, number: str = NUMBER, *, reason: str = Reason.BY_HAND) -> None:
    house.database(suppressions.add, [number], reason=reason, source="a person", now=house.now())


def lift(house: House, number: str = NUMBER) -> None:
    assert house.database(suppressions.lift, [number], now=house.now()) == 1


# ── inbox ──


def test_what_others_read_while_nobody_worked_for_three_days_is_found(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    turns(house)
    assert row(engine).reconciled_at is not None
    sandbox.advance(hours=1)
    crowd(sandbox, 20, age_s=60)
    somebody_reads(sandbox)
    sandbox.advance(days=3)

    turns(house)

    assert missing(engine, sandbox) == 0


def test_what_callbacks_told_while_the_workers_were_away_for_three_days_is_found(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    hinted = expecting(house)
    line_added(hinted)
    turns(hinted)
    sandbox.advance(hours=1)
    with web(hinted) as url:
        crowd(sandbox, 1, age_s=1)
        (message,) = sandbox.came_in()
        told = {"from": message["sender"], "to": SENDER, "message": "?", "messageid": message["messageid"]}
        assert requests.post(f"{url}/receive", data=told, timeout=60).status_code == 200
        somebody_reads(sandbox)  # which is what the 200 does at the gateway
    sandbox.advance(days=3)

    turns(hinted)

    assert missing(engine, sandbox) == 0


def test_an_answer_lost_while_looking_back_leaves_the_line_in_doubt_whatever_comes_next(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 250, age_s=DAY_S, seed=1)
    sandbox.inject({"line": SENDER, "count": 250, "text": "دیر {n}", "age_s": 2 * DAY_S - 600, "seed": 2})
    sandbox.arm("missing_rows", "sms/receive", count=1, rows=1)  # a page that is not full ends the pull
    sandbox.arm("accept_then_drop", "sms/inboxpaged", count=1)
    sandbox.arm("code", "sms/inboxpaged", count=3, code=409)

    pull.run(house, SENDER)

    assert missing(engine, sandbox) > 200
    assert row(engine).doubtful_since is not None


def test_a_gateway_that_hands_out_the_same_unread_page_again_does_not_hold_a_line_for_ever(
    house: House, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    line_added(house)
    claim = house.database(
        lines.claim, SENDER, owner=uuid4(), now=house.now(), lease=house.policy.lease, settle=house.policy.settle
    )
    assert claim is not None
    sandbox.advance(minutes=5)  # that worker died
    date = int(house.now().timestamp()) - 60
    rows = [
        {"messageid": 1000 + number, "message": "a", "sender": "09121234567", "receptor": SENDER, "date": date}
        for number in range(200)
    ]
    server.will(server.raw(page_of(rows, totalcount=200, currentpage=1, totalpages=2, pagesize=200)))
    there = scripted(house, server, inbox_turn=timedelta(seconds=0.3))

    found = [pull.run(there, SENDER) for _ in range(5)]

    assert len(stored(engine)) == 200
    assert not all(each.more for each in found), found


def test_a_quiet_line_is_gone_through_in_a_few_calls_where_totals_count_all_messages_ever(
    house: House, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    """The specification says that totalcount of read messages is "the number of all read messages"."""
    line_added(house)
    nothing = page_of([], totalcount=0, currentpage=1, totalpages=0, pagesize=200)
    nothing_here = page_of([], totalcount=50_000, currentpage=1, totalpages=250, pagesize=200)

    def answer(wire: Any) -> None:
        if len(server.received) > 100:
            server.answer(412)(wire)  # enough is enough
        else:
            wire.sock.sendall(nothing_here if server.received[-1].form.get("isread") == "1" else nothing)

    server.will(answer)
    pull.run(scripted(house, server), SENDER)

    assert len(server.received) <= 20, len(server.received)


def test_one_message_with_an_impossible_sender_does_not_keep_its_page_from_being_stored(
    house: House, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    line_added(house)
    sender = random.Random(1).randbytes(4_500).hex()
    rows = [
        {"messageid": 1, "message": "a", "sender": sender, "receptor": SENDER, "date": int(house.now().timestamp())},
        {"messageid": 2, "message": "b", "sender": NUMBER, "receptor": SENDER, "date": int(house.now().timestamp())},
    ]
    server.will(server.answer(200, rows), server.answer(200, []))
    there = scripted(house, server)
    there = replace(there, database=type(house.database)(engine, patience_s=0.5))

    pull.run(there, SENDER)

    assert stored(engine) == [1, 2]


def test_what_others_read_is_found_though_as_many_were_deleted_at_the_gateway(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """As many in both places are not the same ones."""
    line_added(house)
    turns(house)
    with engine.begin() as connection:  # two that stand here, and that somebody deleted in the panel since
        connection.execute(
            text("""
                INSERT INTO sms.inbound (gateway_id, line, number, text, received_at, stored_at, via)
                SELECT id, :line, '09120000000', 'a', :at, :at, 'receive' FROM generate_series(1, 2) AS id
            """),
            {"line": SENDER, "at": house.now() - timedelta(minutes=2)},
        )
    crowd(sandbox, 2, age_s=60)
    somebody_reads(sandbox)
    sandbox.advance(minutes=5)
    crowd(sandbox, 300, age_s=60, seed=7)
    turns(house)
    for _ in range(6):
        sandbox.advance(hours=8)
        turns(house)

    assert len(set(came_in(sandbox)) - set(stored(engine))) == 0


def test_a_message_told_of_a_line_that_nobody_pulls_is_not_answered_200_and_forgotten(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    told = {"from": NUMBER, "to": "30002626", "message": "سلام", "messageid": "77"}
    with web(expecting(house)) as url:
        answered = requests.post(f"{url}/receive", data=told, timeout=60).status_code
    with engine.connect() as connection:
        known = connection.execute(text("SELECT count(*) FROM sms.lines WHERE line = '30002626'")).scalar_one()
    assert answered != 200 or stored(engine) or known


def test_callbacks_about_a_line_that_the_gateway_refuses_do_not_become_as_many_calls(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    hinted = expecting(house)
    line_added(hinted)
    turns(hinted)
    sandbox.advance(hours=1)
    sandbox.arm("code", "sms/receive", share=1.0, code=412)
    with web(hinted) as url:
        for number in range(10):
            told = {"from": NUMBER, "to": SENDER, "message": "a", "messageid": str(100 + number)}
            assert requests.post(f"{url}/receive", data=told, timeout=60).status_code == 200
            answer_bells(hinted)
            sandbox.advance(seconds=1)
    asked = sandbox.summary()["requests"]["sms/receive"]
    assert asked <= 4, asked


def test_a_count_that_the_gateway_refuses_does_not_have_the_last_two_days_gone_through_with_every_pull(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    sandbox.arm("code", "sms/countinbox", share=1.0, code=427)
    turns(house)
    once = sandbox.summary()["requests"]["sms/inboxpaged"]
    for _ in range(5):
        sandbox.advance(minutes=1)
        turns(house)

    assert row(engine).reconciled_at is not None
    assert sandbox.summary()["requests"]["sms/inboxpaged"] == once


# ── suppression ──


def test_an_opt_out_older_than_a_persons_lifting_does_not_undo_it(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    suppress(house, reason=Reason.GATEWAY_OPT_OUT)
    sandbox.advance(hours=1)
    sandbox.inject({"line": SENDER, "sender": NUMBER, "text": "لغو", "age_s": 1800})
    lift(house)
    sandbox.advance(minutes=1)

    turns(house)

    assert stored(engine) == came_in(sandbox)
    assert suppressed(engine) is None


@pytest.mark.parametrize(("fate", "campaigns_before"), [("blocked", 1), ("undelivered", 3)])
def test_a_verdict_on_what_was_sent_before_a_person_lifted_a_number_does_not_undo_it(
    house: House, engine: Engine, sandbox: Sandbox, fate: str, campaigns_before: int
) -> None:
    sandbox.turn(fates={fate: 1}, delivery_s=[60, 61])
    found = [running(engine, 1) for _ in range(campaigns_before)]
    for _ in found:
        answer_bells(house)
    (number,) = numbers(1)
    suppress(house, number)
    sandbox.advance(seconds=30)
    lift(house, number)
    sandbox.advance(minutes=11)
    for _ in range(3):
        answer_bells(house)

    assert all(states(engine, each) == {fate: 1} for each in found)
    assert suppressed(engine, number) is None


def test_a_lifted_number_stays_lifted_where_the_gateways_clock_is_ahead(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """Its dates may be Tehran's: three and a half hours ahead of what they say."""
    ours = replace(house, clock=lambda: house.now() - timedelta(hours=3, minutes=30))
    suppress(ours)
    (first,) = sync(ours, [SENDER])
    assert first.written == 1
    sandbox.advance(minutes=1)
    lift(ours)
    sandbox.advance(minutes=1)

    sync(ours, [SENDER])
    sync(ours, [SENDER])

    assert suppressed(engine) is None
    assert sandbox.blocked().get(SENDER, []) == []


def test_a_block_that_the_panel_made_after_a_lifting_is_not_taken_off_where_the_gateways_clock_is_behind(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """The list was gone through after the lifting, and the number was not on it: so the entry is a new one."""
    ours = replace(house, clock=lambda: house.now() + timedelta(minutes=10))
    suppress(ours)
    lift(ours)
    sandbox.advance(minutes=1)
    sync(ours, [SENDER])
    sandbox.advance(minutes=1)
    sandbox.block(SENDER, NUMBER, reason=1)

    sync(ours, [SENDER])

    assert [each["number"] for each in sandbox.blocked()[SENDER]] == [NUMBER]
    assert suppressed(engine) is not None


def test_a_chunk_that_the_gateway_refuses_does_not_keep_lifted_numbers_on_its_list(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    suppress(house)
    sync(house, [SENDER])
    lift(house)
    suppress(house, "09990000000")
    sandbox.arm("code", "line/blocked/add", share=1.0, code=411)

    sync(house, [SENDER])

    assert [each["number"] for each in sandbox.blocked()[SENDER]] == []


# ── one-time passwords ──


def test_tokens_are_gone_once_the_window_has_closed_also_where_nobody_looked_before(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(delivery_s=[900_000, 900_001])
    otp_id = ordered(engine, call_after=timedelta(seconds=30))
    send_otp(house, otp_id)
    assert tokens_kept(engine) == 1
    sandbox.advance(hours=49)  # the workers were away

    follow(house)

    assert house.database(otps.read, otp_id).state == "expired"
    assert tokens_kept(engine) == 0


# ── what it costs ──


def test_a_callback_about_a_stranger_does_not_read_every_open_one_time_password(house: House, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO sms.otps (kind, number, template, state, due_at, expires_at, poll_at, gateway_id, sent_at)
                SELECT 'sms', '09120000000', 'v', 'accepted', now(), now(), now() + interval '1 h', id, now()
                  FROM generate_series(1, 100000) AS id
            """)
        )
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE sms.otps"))
    with engine.connect() as connection:
        plan = connection.execute(
            text(f"EXPLAIN (FORMAT JSON, ANALYZE) {callbacks._HURRY_OTPS.text}"),
            {"gateway_ids": [900_000_001, 900_000_002], "now": house.now()},
        ).scalar_one()
        connection.rollback()
    passed_over = sum(node.get("Rows Removed by Filter", 0) for node in nodes(plan[0]["Plan"]))
    assert passed_over < 1_000


def test_who_wrote_is_found_among_all_campaigns_without_reading_their_batches(house: House, engine: Engine) -> None:
    """Where numbers got many large campaigns a page must not take the 60 s after which a statement is stopped."""
    with engine.begin() as connection:
        for place in range(3):
            campaign = running_row(connection)
            first = (place + 1) * 10_000_000
            connection.execute(
                text("""
                    INSERT INTO sms.messages (id, campaign_id, gateway_id, row_no, parts, state, number, status)
                    SELECT :first + g * 4000, :campaign, :first + g, g + 1, 1, 'accepted',
                           '0912' || lpad(g::text, 7, '0'), 4 FROM generate_series(0, 99) AS g
                """),
                {"first": first, "campaign": campaign},
            )
            connection.execute(
                text("""
                    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, accepted_at, closes_at,
                                             poll_at, pending, accepted)
                    SELECT :campaign, :first + g * 200, :first + g * 200 + 199, 'accepted', now(),
                           now() - interval '1 h', now() + interval '40 h', now() + interval '1 h', 0, 200
                      FROM generate_series(0, 1999) AS g
                """),
                {"first": first, "campaign": campaign},
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE sms.batches, sms.messages"))
    came = [Arrival(5_000_000 + place, f"0912{place:07d}", "سلام", house.now()) for place in range(100)]
    seen: list[Any] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "INSERT INTO sms.inbound" in statement:
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        with engine.connect() as connection:
            inbound.take_in(connection, SENDER, came, via=Via.RECEIVE, watch=Watch(), now=house.now())
            connection.rollback()
            event.remove(engine, "before_cursor_execute", note)
            statement, parameters = seen[0]
            explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            found = explained.scalar_one()
            connection.rollback()
    finally:
        if event.contains(engine, "before_cursor_execute", note):
            event.remove(engine, "before_cursor_execute", note)
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    looked_at = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if node.get("Relation Name") == "batches"
    )
    assert looked_at <= 3 * 100 * 10, looked_at


def running_row(connection: Connection) -> int:
    """A campaign without messages of its own."""
    campaign = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER)
    campaigns.start(connection, campaign)
    return campaign


# ── who has their turn ──

PULL = """
import sys
from worker.tasks import pull_inbox
print(pull_inbox(sys.argv[1]))
"""


def test_a_line_with_more_to_come_waits_behind_one_that_has_been_due_for_longer(
    house: House, engine: Engine, sandbox: Sandbox, database_url: str, broker_url: str
) -> None:
    """Three lines with a backlog that ring for themselves keep every other line waiting until they are empty."""
    long_ago = house.now() - timedelta(minutes=10)
    for line, due_at in ((SENDER, house.now() - timedelta(minutes=5)), ("30002626", long_ago)):
        house.database(lines.change, line, every=timedelta(minutes=1), enabled=True, otherwise=DAY, now=due_at)
    with engine.begin() as connection:  # somebody died over the first: it is gone through, and has more to do then
        connection.execute(
            text("UPDATE sms.lines SET doubtful_since = :at, complete_to = :at WHERE line = :line"),
            {"at": long_ago, "line": SENDER},
        )
    done = subprocess.run(
        [sys.executable, "-c", PULL, SENDER],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "KAVENEGAR_API_KEY": sandbox.api_key,
            "KAVENEGAR_BASE_URL": sandbox.url,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "more to come" in done.stdout, done.stderr
    with redis.Redis.from_url(broker_url) as broker:
        assert broker.llen("inbox") == 0


# ── callbacks ──


def test_a_late_delivery_is_found_though_the_gateways_answer_lags_behind_its_callback(
    house: House, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    """The gateway has sent it again, and tells so before sms/status does: 11 a moment longer, then 10."""
    sandbox.turn(fates={"undelivered": 1}, delivery_s=[1, 2])
    hinted = expecting(house)
    campaign = accepted(hinted, engine, 1)
    sandbox.advance(minutes=6)
    answer_bells(hinted)
    assert states(engine, campaign) == {"undelivered": 1}
    (gateway_id,) = gateway_ids(engine, campaign)

    def standing(status: int) -> dict[str, object]:
        return {"messageid": gateway_id, "status": status, "statustext": ""}

    server.will(server.answer(200, [standing(11)]), server.answer(200, [standing(10)]))
    there = scripted(hinted, server)
    house.database(callbacks.park, [StatusCallback(gateway_id, 10)], now=house.now())
    for _ in range(8):
        heed.run(there)
        sandbox.advance(minutes=2)

    assert len(server.received) >= 1
    assert states(engine, campaign) == {"delivered": 1}


# ── the account ──


def test_messages_that_the_gateway_holds_for_tomorrow_do_not_prove_that_todays_credit_is_enough(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """Else an account without credit is let go and refused again with every look, until tomorrow."""
    with engine.begin() as connection:
        held = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER)
        campaigns.start(connection, held, at=house.now() + DAY, at_gateway=True)
    answer_bells(house)
    assert states(engine, held) == {"accepted": 1}
    sandbox.advance(minutes=1)
    house.database(installation.hold, code=418, reason="-", probe_at=house.now(), now=house.now())
    sandbox.advance(minutes=1)
    house.database(installation.let_go, credit_rial=500, now=house.now())
    sandbox.advance(minutes=1)

    house.database(installation.hold, code=418, reason="-", probe_at=house.now(), now=house.now())

    found = house.database(installation.read).hold
    assert found is not None
    assert found.let_go_credit_rial == 500
