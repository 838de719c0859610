"""Bytes to rows to records: the service is loose with types, and sometimes with JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.kavenegar import answers
from kavenegar_campaigns.kavenegar.account import AccountConfig, AccountInfo, BlockedNumber, BlockedStatus, ServerDate
from kavenegar_campaigns.kavenegar.answers import NO_EXTRA, Unreadable, read_rows
from kavenegar_campaigns.kavenegar.inbox import InboundMessage, InboxCount
from kavenegar_campaigns.kavenegar.sending import SentMessage
from kavenegar_campaigns.kavenegar.sent_messages import (
    CancelStatus,
    LocalStatus,
    MessageStatus,
    OutboxCount,
    ReceptorStatus,
)

SENT = {
    "messageid": 8792343,
    "message": "کاوه نگار",
    "status": 1,
    "statustext": "در صف ارسال",
    "sender": "30002626",
    "receptor": "09121234567",
    "date": 1356619709,
    "cost": 120,
}
READERS = [
    SentMessage.from_row,
    MessageStatus.from_row,
    LocalStatus.from_row,
    CancelStatus.from_row,
    OutboxCount.from_row,
    AccountInfo.from_row,
    AccountConfig.from_row,
    ServerDate.from_row,
    ReceptorStatus.from_row,
    InboundMessage.from_row,
    InboxCount.from_row,
    BlockedNumber.from_row,
    BlockedStatus.from_row,
]
FIELDS = [
    *SENT,
    "localid",
    "remaincredit",
    "type",
    "unixtime",
    "sumcount",
    "sumpart",
    "ApiLogs",
    "number",
    "blockreason",
]
scalars: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
numerals = st.sampled_from(["1", "1.0", "1e400", "nan", "-0", " 7 ", "٣", "1_0", "9" * 30])
loose_rows = st.dictionaries(st.sampled_from(FIELDS), scalars | numerals | st.lists(scalars, max_size=2))


def read_one(reader: Any, row: dict[str, Any]) -> Any:
    (record,) = read_rows(reader, [row])
    return record


def test_the_row_of_the_documentation_is_read_as_it_stands() -> None:
    assert read_one(SentMessage.from_row, SENT) == SentMessage(
        8792343, "09121234567", "30002626", "کاوه نگار", 1, "در صف ارسال", 1356619709, 120
    )


@pytest.mark.parametrize(
    "loose",
    [
        {"messageid": "8792343", "status": "1", "date": "1356619709", "cost": "120"},
        {"messageid": 8792343.0, "cost": 120.0},
        {"cost": "120.0"},
        {"cost": 119.6},
        {"sender": 30002626},
        {"gatewayid": 5, "extra": {"nested": []}},
    ],
)
def test_numbers_as_text_and_text_as_numbers_make_the_same_record(loose: dict[str, Any]) -> None:
    assert read_one(SentMessage.from_row, SENT | loose) == read_one(SentMessage.from_row, SENT)


def test_what_a_record_can_do_without_may_be_missing_or_broken() -> None:
    row = {name: value for name, value in SENT.items() if name not in {"statustext", "date"}} | {"cost": "?"}
    record = read_one(SentMessage.from_row, row)
    assert (record.statustext, record.date, record.cost) == ("", 0, 0)


@pytest.mark.parametrize(
    "broken",
    [
        {"messageid": None},
        {"messageid": 0},
        {"messageid": -5},
        {"messageid": "abc"},
        {"messageid": 1.5},
        {"messageid": True},
        {"messageid": 2**63},
        {"receptor": None},
        {"message": ["x"]},
        {"status": None},
    ],
)
def test_a_row_that_cannot_be_understood_is_left_out_and_the_others_stay(broken: dict[str, Any]) -> None:
    assert [
        row.messageid for row in read_rows(SentMessage.from_row, [SENT, SENT | broken, SENT | {"messageid": 7}])
    ] == [
        8792343,
        7,
    ]


def test_an_id_of_64_bits_is_read_exactly() -> None:
    assert read_one(MessageStatus.from_row, {"messageid": str(2**63 - 1), "status": 10}).messageid == 2**63 - 1


@pytest.mark.parametrize("unknown", [{}, {"messageid": 0}, {"messageid": None}, {"messageid": "0"}, {"messageid": ""}])
def test_a_localid_comes_as_text_and_may_have_no_message(unknown: dict[str, Any]) -> None:
    assert read_one(LocalStatus.from_row, {"localid": "450", "status": 100} | unknown) == LocalStatus(450, None, 100)
    assert read_one(LocalStatus.from_row, {"localid": 450, "messageid": "9", "status": "4"}) == LocalStatus(450, 9, 4)


@pytest.mark.parametrize(
    "row",
    [
        {"apilogs": "justfaults", "debugmode": "enabled", "defaultsender": "1000", "mincreditalarm": "50000"},
        {"ApiLogs": "JustFaults", "DebugMode": "Enabled", "DefaultSender": 1000, "Mincreditalarm": 50000},
        {"APILOGS": "justfaults", "debugmode": 1, "defaultsender": "1000", "mincreditalarm": 50000.0},
    ],
)
def test_the_configuration_is_read_in_any_case(row: dict[str, Any]) -> None:
    config = read_one(AccountConfig.from_row, row | {"resendfailed": "true", "dailyreport": "x"})
    assert config == AccountConfig("justfaults", "1000", debugmode=True, resendfailed=True, mincreditalarm=50000)


def test_what_the_configuration_holds_more_is_kept_in_lower_case() -> None:
    config = read_one(AccountConfig.from_row, {"ApiLogs": "enabled", "DailyReport": "Enabled", "ResendAfter": 5})
    assert (config.dailyreport, config.extra) == (True, {"resendafter": 5})


def test_an_object_that_holds_no_setting_is_no_configuration() -> None:
    """Whoever took it for one would think that debug mode is off."""
    assert read_rows(AccountConfig.from_row, [{}, {"message": "x"}]) == []


def test_a_field_that_is_called_extra_is_kept_as_well() -> None:
    assert read_one(SentMessage.from_row, SENT | {"extra": 5}).extra == {"extra": 5}
    assert read_one(SentMessage.from_row, SENT).extra is NO_EXTRA


def test_an_account_an_outbox_count_and_a_date_are_read() -> None:
    assert read_one(AccountInfo.from_row, {"remaincredit": "1500", "type": "Master"}) == AccountInfo(1500, "master", 0)
    counted = {"startdate": 1, "enddate": 2, "sumpart": 3, "sumcount": 4, "cost": 5.0}
    assert read_one(OutboxCount.from_row, counted) == OutboxCount(4, 3, 5, 1, 2)
    assert read_one(ServerDate.from_row, {"unixtime": 1338645226, "day": 26}) == ServerDate(1338645226)


@given(st.lists(loose_rows, max_size=4))
def test_no_row_however_broken_breaks_the_answer(rows: list[dict[str, Any]]) -> None:
    for reader in READERS:
        assert len(read_rows(reader, rows)) <= len(rows)


@pytest.mark.parametrize(
    ("entries", "rows"),
    [
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}', [{"a": 1}]),
        (b"null", []),
        (b"{ null }", []),
        (b"{\r\n  null\r\n}", []),
        (b"[]", []),
        (b'[1, "x", null, {"a": 1}]', [{"a": 1}]),
        (b'"text"', []),
    ],
)
def test_entries_come_as_a_list_an_object_or_nothing(entries: bytes, rows: list[dict[str, int]]) -> None:
    read = answers.read_envelope(b'{"return": {"status": 200, "message": "x"}, "entries": ' + entries + b"}")
    assert read == answers.Envelope(200, "x", rows)


@pytest.mark.parametrize(
    "body",
    [
        b'{"return": {"status": "418", "message": null}}',
        b'\xef\xbb\xbf{"return": {"status": 418}, "metadata": {}}',
        b'{"metadata": {"totalcount": "0"}, "entries": {null}, "return": {"status": 418, "message": ""}}',
    ],
)
def test_the_gateway_is_recognised_in_its_odd_moments(body: bytes) -> None:
    read = answers.read_envelope(body)
    assert read is not None
    assert (read.code, read.message, read.rows) == (418, "", [])
    assert read.metadata in ({}, {"totalcount": "0"})


def test_half_an_emoji_does_not_hide_the_rows_around_it() -> None:
    """People's phones cut texts in the middle of a pair, and the gateway passes on what it got."""
    half = rb'{"return": {"status": 200}, "entries": [{"messageid": 1, "message": "a\ud83d"}, {"messageid": 2}]}'
    read = answers.read_envelope(half)
    assert read is not None
    assert [row["messageid"] for row in read.rows] == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"",
        b"<html>502 Bad Gateway</html>",
        b'{"return": {"status": 200, "message": "x"}, "entries": [{"messageid": 1',
        b'{"return": {"status": true}}',
        b'{"return": {"status": "OK"}}',
        b'{"return": {}}',
        b'{"return": 200}',
        b'{"status": 200}',
        b"[]",
        b"null",
        b"200",
        b'{"return": {"status": 200}, "entries": "\xff"}',
    ],
)
def test_anything_else_is_not_the_gateway(body: bytes) -> None:
    assert answers.read_envelope(body) is None


@given(st.binary(max_size=200))
def test_no_bytes_however_broken_raise(body: bytes) -> None:
    read = answers.read_envelope(body)
    assert read is None or isinstance(read.code, int)


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        read_one(SentMessage.from_row, SENT).cost = 0
    assert not hasattr(read_one(SentMessage.from_row, SENT), "__dict__")
    assert Unreadable.__mro__[1] is ValueError
