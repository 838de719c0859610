"""A localid is sent once: the gateway's promise, and what its ledger says when it does not keep it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.client import TEXT, UNHURRIED, Client, arrays, form, numbers

IDS = [9_007_000_000_001, 9_007_000_000_002]


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    return start(**UNHURRIED)


def test_a_known_localid_brings_its_old_record_and_nothing_is_sent_or_charged(sandbox: Client) -> None:
    first = sandbox.send(*numbers(2), localid=IDS)
    credit = sandbox.credit()
    again = sandbox.send("09350000000", "09350000001", text="متنی دیگر", localid=IDS)
    assert again == first
    assert sandbox.credit() == credit
    summary = sandbox.summary()
    assert (summary["messages"], summary["dedupe_hits"], summary["localids_sent_twice"]) == (2, 2, 0)


def test_in_a_mixed_request_only_the_new_localids_are_sent(sandbox: Client) -> None:
    (known,) = sandbox.send(numbers(2)[0], localid=IDS[:1])
    rows = sandbox.entries("sms/sendarray", arrays(numbers(2), [TEXT] * 2, localmessageids=IDS))
    assert rows[0]["messageid"] == known["messageid"]
    assert rows[1]["messageid"] != known["messageid"]
    assert sandbox.summary()["messages"] == 2


def test_a_localid_twice_in_one_request_is_one_message(sandbox: Client) -> None:
    one, other = sandbox.send(*numbers(2), localid=[IDS[0], IDS[0]])
    assert one == other
    assert sandbox.summary()["messages"] == 1


def test_a_refused_request_uses_up_no_localid(sandbox: Client) -> None:
    assert sandbox.code("sms/send", form(["09121234567", "1"], localid=IDS)) == 411
    assert [row["status"] for row in _by_localid(sandbox, *IDS)] == [100, 100]
    sandbox.send(*numbers(2), localid=IDS)
    assert sandbox.summary()["messages"] == 2


def test_localids_are_read_as_json_or_commas_as_numbers_or_names(sandbox: Client) -> None:
    names = ["loc_1", "450"]
    for ids in (names, "loc_1,450", "[loc_1, 450]"):
        sandbox.entries("sms/sendarray", arrays(numbers(2), [TEXT] * 2, localmessageids=ids))
    sandbox.send(*numbers(2), localid=names)
    assert sandbox.summary()["messages"] == 2
    assert [row["localid"] for row in _by_localid(sandbox, *names)] == names


def test_localids_of_any_length_are_taken(sandbox: Client) -> None:
    ids = ["9" * 18, "9" * 40, str(2**63), "007", "7", "-7"]
    first = sandbox.send(*numbers(6), localid=ids)
    rows = sandbox.entries("sms/sendarray", arrays(numbers(6), [TEXT] * 6, localmessageids=ids))
    assert rows == first
    assert sandbox.summary()["distinct_localids"] == 6


def test_with_dedupe_off_a_repeated_localid_really_sends_and_the_ledger_tells(start: Callable[..., Client]) -> None:
    sandbox = start(dedupe=False)
    first = sandbox.send(*numbers(2), localid=IDS)
    again = sandbox.send(*numbers(2), localid=IDS)
    assert {row["messageid"] for row in first}.isdisjoint(row["messageid"] for row in again)
    summary = sandbox.summary()
    assert (summary["physical_messages"], summary["distinct_localids"], summary["localids_sent_twice"]) == (4, 2, 2)
    assert (summary["receptor_texts_sent_twice"], summary["most_copies_to_one_receptor"]) == (2, 2)
    doubles = sandbox.admin("GET", "ledger/duplicates?limit=1").json()
    both = sorted([first[0]["messageid"], again[0]["messageid"]])
    assert [(each["localid"], sorted(each["messageids"])) for each in doubles["localids"]] == [(IDS[0], both)]
    assert len(doubles["receptor_texts"]) == 1


def test_a_gateway_can_forget_localids_after_a_while(start: Callable[..., Client]) -> None:
    sandbox = start(dedupe_window_s=60)
    sandbox.send("09121234567", localid=IDS[:1])
    sandbox.advance(61)
    sandbox.send("09121234567", localid=IDS[:1])
    assert sandbox.summary()["localids_sent_twice"] == 1


def test_localids_are_asked_for_12_hours_and_unknown_ones_are_100(sandbox: Client) -> None:
    (sent,) = sandbox.send("09121234567", localid=IDS[:1])
    known, unknown = _by_localid(sandbox, *IDS)
    assert known == {"messageid": sent["messageid"], "localid": str(IDS[0]), "status": 1, "statustext": "در صف ارسال"}
    assert (unknown["messageid"], unknown["localid"], unknown["status"]) == (0, str(IDS[1]), 100)
    sandbox.advance(12 * 3600 - 60)
    assert _by_localid(sandbox, IDS[0])[0]["status"] != 100
    sandbox.advance(120)
    assert _by_localid(sandbox, IDS[0])[0]["status"] == 100
    assert sandbox.statuses(sent["messageid"]) != [100]


def test_500_localids_are_answered_and_501_refused(sandbox: Client) -> None:
    assert len(_by_localid(sandbox, *range(500))) == 500
    assert sandbox.code("sms/statuslocalmessageid", {"localid": ",".join(map(str, range(501)))}) == 414
    sandbox.turn(localid_status_limit=3000)
    assert len(_by_localid(sandbox, *range(3000))) == 3000


def _by_localid(sandbox: Client, *ids: int | str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = sandbox.entries("sms/statuslocalmessageid", {"localid": ",".join(map(str, ids))})
    return rows
