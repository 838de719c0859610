"""A message's way from the queue to its verdict, on a clock that can be put forward."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.sandbox.client import UNHURRIED, Client, form, numbers

HOUR = 3600


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [("delivered", 10), ("undelivered", 11), ("failed", 6), ("blocked", 14), ("returned", 13), ("stuck", 4)],
)
def test_a_message_is_queued_then_with_the_telecom_then_decided(
    start: Callable[..., Client], outcome: str, verdict: int
) -> None:
    sandbox = start(outcomes={outcome: 1}, delivery_s=[600, 600], handover_s=60)
    (message,) = sandbox.send("09121234567")
    seen = [message["status"]]
    for seconds in (61, 500, 60, 40 * HOUR):
        sandbox.advance(seconds)
        seen += sandbox.statuses(message["messageid"])
    assert seen == [1, 4, 4, verdict, verdict]


def test_the_gateway_may_send_an_undelivered_message_again_by_itself(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"resent": 1}, delivery_s="5m..5m", handover_s=0, initial_status=5)
    (message,) = sandbox.send("09121234567")
    seen = []
    for _ in range(4):
        seen += sandbox.statuses(message["messageid"])
        sandbox.advance(301)
    assert seen == [4, 11, 4, 10]


def test_after_48_hours_a_status_is_100(sandbox: Client) -> None:
    (message,) = sandbox.send("09121234567")
    sandbox.advance(48 * HOUR - 60)
    assert sandbox.statuses(message["messageid"]) == [10]
    sandbox.advance(120)
    assert sandbox.statuses(message["messageid"]) == [100]


def test_statuses_keep_the_order_of_the_ids_and_unknown_ones_are_100(start: Callable[..., Client]) -> None:
    sandbox = start(**UNHURRIED)
    ids = [row["messageid"] for row in sandbox.send(*numbers(3))]
    asked = [ids[2], 5, ids[0], 2**62]
    rows = sandbox.entries("sms/status", {"messageid": ",".join(map(str, asked))})
    assert [(row["messageid"], row["status"]) for row in rows] == [(ids[2], 1), (5, 100), (ids[0], 1), (2**62, 100)]


def test_500_ids_are_answered_and_501_refused(sandbox: Client) -> None:
    assert len(sandbox.statuses(*range(500))) == 500
    assert sandbox.code("sms/status", {"messageid": ",".join(map(str, range(501)))}) == 414
    assert (sandbox.code("sms/status"), sandbox.code("sms/status", {"messageid": ""})) == (400, 406)
    assert sandbox.code("sms/status", {"messageid": "12,x"}) == 400


def test_verdicts_follow_the_weights(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"delivered": 6, "undelivered": 3, "blocked": 1}, delivery_s=[0, 0], handover_s=0)
    ids = [row["messageid"] for batch in range(10) for row in sandbox.send(*numbers(2000)[batch * 200 :][:200])]
    seen = Counter(status for first in range(0, 2000, 500) for status in sandbox.statuses(*ids[first : first + 500]))
    assert set(seen) == {10, 11, 14}
    assert abs(seen[10] - 1200) < 100
    assert abs(seen[11] - 600) < 100


def test_the_same_seed_gives_a_message_the_same_fate_in_whatever_order_it_comes(start: Callable[..., Client]) -> None:
    weights = {"delivered": 1, "undelivered": 1, "failed": 1}
    one, two, other = (start(outcomes=weights, seed=seed, delivery_s=[0, 0]) for seed in (7, 7, 8))
    pairs = list(zip(numbers(100), range(100), strict=True))
    outcomes = [_outcomes(sandbox, order) for sandbox, order in ((one, pairs), (two, pairs[::-1]), (other, pairs))]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0] != outcomes[2]


def test_delays_fill_their_span(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"delivered": 1}, delivery_s=[100, 200])
    ids = [row["messageid"] for row in sandbox.send(*numbers(200))]
    decided = []
    for seconds in (50, 100, 51):
        sandbox.advance(seconds)
        decided.append(sandbox.statuses(*ids).count(10))
    assert decided[0] == 0
    assert 60 < decided[1] < 140
    assert decided[2] == 200


def test_a_scheduled_message_waits_for_its_date(sandbox: Client) -> None:
    date = int(time.time()) + HOUR
    (message,) = sandbox.send("09121234567", date=str(date))
    assert (message["status"], message["date"]) == (2, date)
    sandbox.advance(HOUR - 60)
    assert sandbox.statuses(message["messageid"]) == [2]
    sandbox.advance(120)
    assert sandbox.statuses(message["messageid"]) == [10]


def test_a_scheduled_message_can_be_taken_back_with_its_cost_once(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"blocked": 1}, **UNHURRIED)
    before = sandbox.credit()
    (waiting,) = sandbox.send("09121234567", date=str(int(time.time()) + HOUR))
    (gone,) = sandbox.send("09121234568")
    asked = {"messageid": f"{waiting['messageid']},{gone['messageid']},17"}
    assert [row["status"] for row in sandbox.entries("sms/cancel", asked)] == [13, 1, 100]
    assert [row["status"] for row in sandbox.entries("sms/cancel", asked)] == [13, 1, 100]
    assert before - sandbox.credit() == gone["cost"]
    sandbox.advance(2 * HOUR)
    assert sandbox.statuses(waiting["messageid"], gone["messageid"]) == [13, 14]
    assert sandbox.credit() == before
    assert sandbox.summary()["physical_messages"] == 1


def test_more_than_200_cancels_are_412(sandbox: Client) -> None:
    assert sandbox.code("sms/cancel", {"messageid": ",".join(map(str, range(1, 202)))}) == 412


def test_in_debug_mode_everything_is_cancelled_and_nothing_is_paid(start: Callable[..., Client]) -> None:
    sandbox = start(debug_mode=True)
    before = sandbox.credit()
    assert [row["status"] for row in sandbox.send(*numbers(2))] == [13, 13]
    assert sandbox.credit() == before
    assert sandbox.summary()["physical_messages"] == 0
    assert sandbox.entries("account/config")["debugmode"] == "enabled"


def test_messages_keep_their_fate_when_the_knobs_turn(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"failed": 1}, **UNHURRIED)
    (message,) = sandbox.send("09121234567")
    sandbox.turn(outcomes={"delivered": 1}, delivery_s=[0, 0])
    assert sandbox.statuses(message["messageid"]) == [1]
    sandbox.advance(HOUR + 1)
    assert sandbox.statuses(message["messageid"]) == [6]


def test_select_wants_a_registered_address_and_then_shows_whole_records(start: Callable[..., Client]) -> None:
    sandbox = start(**UNHURRIED)
    (message,) = sandbox.send("09121234567")
    asked = {"messageid": f"{message['messageid']},17"}
    assert sandbox.code("sms/select", asked) == 407
    sandbox.turn(ip_registered=True)
    known, unknown = sandbox.entries("sms/select", asked)
    assert known == message
    assert (unknown["messageid"], unknown["status"]) == (17, 100)
    sandbox.advance(49 * HOUR)
    assert [row["status"] for row in sandbox.entries("sms/select", asked)] == [100, 100]


def _outcomes(sandbox: Client, pairs: list[tuple[str, int]]) -> dict[int, int]:
    sent = sandbox.entries("sms/send", form([number for number, _ in pairs], localid=[localid for _, localid in pairs]))
    sandbox.advance(1)
    found = sandbox.statuses(*(row["messageid"] for row in sent))
    return {localid: status for (_, localid), status in zip(pairs, found, strict=True)}
