"""What a send may say beside its text, and how strictly the gateway takes it: type, hide, tag, policy, and knobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.sandbox.client import TEXT, UNHURRIED, Client, arrays, form, numbers

LINE = "30002626"  # one of the 3000 lines, which alone know display types


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    return start(tags=["spring"], **UNHURRIED)


def options_of(sandbox: Client, rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    shown = sandbox.shown(*(row["messageid"] for row in rows))
    return [(each["display"], each["hidden"], each["tag"], each["policy"]) for each in shown]


def test_a_send_is_kept_with_its_display_hide_tag_and_policy(sandbox: Client) -> None:
    rows = sandbox.send(*numbers(2), sender=LINE, type="0", hide="1", tag="spring", policy="night")
    assert options_of(sandbox, rows) == [(0, True, "spring", "night")] * 2
    assert options_of(sandbox, sandbox.send(*numbers(1), hide="0", type="", policy="")) == [(1, False, "", "")]


def test_each_row_of_an_array_has_its_own_display_and_they_share_the_rest(sandbox: Client) -> None:
    options = {"sender": [LINE] * 3, "type": [0, 2, 3], "hide": "1", "tag": "spring", "policy": "night"}
    rows = sandbox.entries("sms/sendarray", arrays(numbers(3), [TEXT] * 3, **options))
    assert options_of(sandbox, rows) == [(display, True, "spring", "night") for display in (0, 2, 3)]


def test_a_display_means_nothing_on_a_line_that_is_not_a_3000_one(sandbox: Client) -> None:
    assert options_of(sandbox, sandbox.send(*numbers(1), type="2")) == [(1, False, "", "")]


@pytest.mark.parametrize("given", ["4", "flash", "-1"])
def test_a_display_the_table_does_not_have_is_400(sandbox: Client, given: str) -> None:
    assert sandbox.code("sms/send", form(numbers(1), type=given)) == 400
    assert sandbox.code("sms/sendarray", arrays(numbers(1), [TEXT], type=[given])) == 400


@pytest.mark.parametrize("unset", ["", "null"])
def test_options_that_say_nothing_are_taken(sandbox: Client, unset: str) -> None:
    options = dict.fromkeys(("type", "hide", "policy", "localid", "date"), unset)
    assert sandbox.entries("sms/send", {"receptor": "09121234567", "message": TEXT, **options})[0]["status"] == 1


def test_an_international_line_wants_a_registered_address(start: Callable[..., Client]) -> None:
    sandbox = start(international_senders=["447700900"])
    assert sandbox.code("sms/send", form(numbers(1), sender="447700900")) == 407
    sandbox.turn(ip_registered=True)
    assert sandbox.send(*numbers(1), sender="447700900")[0]["sender"] == "447700900"


def test_bad_receptors_spoil_the_request_or_are_dropped_as_the_knob_says(start: Callable[..., Client]) -> None:
    sandbox = start(bad_receptors=["09120000001"], **UNHURRIED)
    receptors = ["09120000000", "12", "09120000001", "09120000002"]
    assert sandbox.code("sms/send", form(receptors)) == 411
    sandbox.turn(drop_bad_receptors=True)
    rows = sandbox.send(*receptors, localid=[1, 2, 3, 4])
    assert [row["receptor"] for row in rows] == ["09120000000", "09120000002"]
    found = sandbox.entries("sms/statuslocalmessageid", {"localid": "1,2,3,4"})
    assert [row["status"] for row in found] == [1, 100, 100, 1]
    columns = arrays(receptors, ["a", "b", "c", "d"], type=[1] * 4, localmessageids=[5, 6, 7, 8])
    assert [row["message"] for row in sandbox.entries("sms/sendarray", columns)] == ["a", "d"]
    assert sandbox.code("sms/send", form(["12"])) == 411


def test_too_little_credit_refuses_a_request_whole_or_sends_what_it_covers_and_refuses_all_the_same(
    start: Callable[..., Client],
) -> None:
    sandbox = start({"credit_rial": 3 * 120}, **UNHURRIED)
    request = form(numbers(5), localid=[1, 2, 3, 4, 5])
    assert (sandbox.code("sms/send", request), sandbox.summary()["messages"]) == (418, 0)
    sandbox.turn(partial_credit=True)
    assert (sandbox.code("sms/send", request), sandbox.credit()) == (418, 0)
    found = sandbox.entries("sms/statuslocalmessageid", {"localid": "1,2,3,4,5"})
    assert [row["status"] for row in found] == [1, 1, 1, 100, 100]


def test_localids_that_do_not_fit_are_419_or_400_in_a_send_and_419_in_an_array(sandbox: Client) -> None:
    sandbox.turn(localid_count_code=400)
    assert sandbox.code("sms/send", form(numbers(2), localid=[1])) == 400
    assert sandbox.code("sms/sendarray", arrays(numbers(2), [TEXT] * 2, localmessageids=[1])) == 419


def test_an_unknown_localid_is_answered_with_message_id_0_or_with_none(sandbox: Client) -> None:
    assert sandbox.entries("sms/statuslocalmessageid", {"localid": "9"})[0]["messageid"] == 0
    sandbox.turn(unknown_localid="absent")
    (row,) = sandbox.entries("sms/statuslocalmessageid", {"localid": "9"})
    assert (row["localid"], row["status"], "messageid" in row) == ("9", 100, False)


def test_how_far_ahead_a_date_may_lie_is_a_knob(sandbox: Client) -> None:
    tomorrow = str(int(time.time()) + 86400)
    assert sandbox.send(*numbers(1), date=tomorrow)[0]["status"] == 2
    sandbox.turn(date_reach_s=3600)
    assert sandbox.code("sms/send", form(numbers(1), date=tomorrow)) == 417


def test_a_journal_written_before_there_were_kinds_is_read_as_plain_messages(
    start: Callable[..., Client], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    sandbox = start({"journal": journal})
    (row,) = sandbox.send("09121234567")
    lines = [orjson.loads(line) for line in journal.read_bytes().splitlines()]
    for line in lines:
        line.pop("options", None)
    journal.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    (shown,) = start({"journal": journal}).shown(row["messageid"])
    assert (shown["kind"], shown["display"], shown["tag"]) == ("sms", 1, "")


def test_a_restart_remembers_how_messages_went_out(start: Callable[..., Client], tmp_path: Path) -> None:
    options = {"journal": tmp_path / "journal"}
    sandbox = start(options, tags=["spring"])
    ids = [row["messageid"] for row in sandbox.send(*numbers(2), hide="1", tag="spring")]
    ids.append(sandbox.entries("call/maketts", form(numbers(1), repeat="2"))["messageid"])
    assert start(options).shown(*ids) == sandbox.shown(*ids)
