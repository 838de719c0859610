"""What the gateway's numbers mean to us."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from kavenegar_campaigns.errors import (
    AccountBlocked,
    AnswerLost,
    AnswerUnclear,
    CampaignRefused,
    GatewayDown,
    OutcomeUnknown,
    Postpone,
    RecipientRefused,
    RequestRefused,
    TextRefused,
    Throttled,
)
from kavenegar_campaigns.kavenegar.codes import RETURN_CODES, STATUSES, final_state, return_code

TABLE_1 = {
    200,
    400,
    401,
    402,
    403,
    404,
    405,
    406,
    407,
    409,
    411,
    412,
    413,
    414,
    415,
    416,
    417,
    418,
    419,
    420,
    422,
    424,
} | {426, 427, 428, 429, 431, 432, 451, 501}
BESIDE_THE_METHODS = {604, 607}
SEEN_ON_THE_REAL_SERVICE = {430, 449}
TABLE_2 = {1, 2, 4, 5, 6, 10, 11, 13, 14, 100}

VERDICTS = {
    "ok": {200},
    "empty": {449},
    Postpone: {402},
    Throttled: {409, 429, 451},
    RecipientRefused: {411},
    TextRefused: {413, 420, 422},
    RequestRefused: {400, 404, 405, 406, 407, 414, 415, 417, 419, 604},
    CampaignRefused: {412, 424, 426, 427, 428, 431, 432, 501, 607, 666, 800, 813, 299, 600},
    AccountBlocked: {401, 403, 416, 418, 430},
    GatewayDown: {500, 502, 503, 599},
}


def test_every_documented_and_every_seen_code_has_a_row() -> None:
    assert set(RETURN_CODES) == TABLE_1 | BESIDE_THE_METHODS | SEEN_ON_THE_REAL_SERVICE


@pytest.mark.parametrize(
    ("code", "expected"), [(code, expected) for expected, codes in VERDICTS.items() for code in sorted(codes)]
)
def test_a_code_asks_the_caller_of_a_read_for_one_thing(code: int, expected: object) -> None:
    assert return_code(code).for_call(sends=False) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (402, OutcomeUnknown),
        (409, OutcomeUnknown),
        (407, CampaignRefused),
        (449, CampaignRefused),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
        (666, AnswerUnclear),
        (299, AnswerUnclear),
    ],
)
def test_some_codes_mean_another_thing_to_a_send(code: int, expected: object) -> None:
    assert return_code(code).for_call(sends=True) == expected


def test_a_failure_without_a_cause_may_have_marked_messages_read() -> None:
    assert return_code(402).for_call(sends=False, consumes=True) is AnswerLost
    assert (
        return_code(409).for_call(sends=False, consumes=True) is Throttled
    )  # and what it marked read is looked for again


def test_all_other_codes_mean_the_same_to_a_send_and_a_read() -> None:
    same = set(RETURN_CODES) - {402, 407, 409, 449}
    assert all(return_code(code).for_call(sends=True) == return_code(code).for_call(sends=False) for code in same)


def test_the_longer_the_trouble_lasts_the_longer_we_keep_away() -> None:
    assert return_code(409).pause_s < return_code(451).pause_s < return_code(429).pause_s


def test_every_row_tells_an_operator_something_and_says_where_it_comes_from() -> None:
    assert all(len(row.advice.split()) > 2 for code, row in RETURN_CODES.items() if code != 200)
    assert all(row.source in {"table 1", "methods", "seen"} for row in RETURN_CODES.values())


def test_every_documented_message_status_has_a_row() -> None:
    assert set(STATUSES) == TABLE_2 | {50}


@pytest.mark.parametrize(
    ("status", "state"),
    [(6, "failed"), (10, "delivered"), (11, "undelivered"), (13, "cancelled"), (14, "blocked")],
)
def test_a_final_status_is_a_verdict(status: int, state: str) -> None:
    assert final_state(status) == state
    assert STATUSES[status].final


@pytest.mark.parametrize("status", [1, 2, 4, 5, 50, 100, 0, -1, 7, 999])
def test_a_status_that_may_change_or_says_nothing_is_no_verdict(status: int) -> None:
    assert final_state(status) is None


def test_money_comes_back_for_cancelled_and_blocked_messages_only() -> None:
    assert {status for status, row in STATUSES.items() if row.refunded} == {13, 14}


def test_a_code_stands_as_a_number_in_the_tables_of_the_wire_alone() -> None:
    root = Path(__file__).resolve().parents[2]
    tables = {root / "campaigns" / "kavenegar" / name for name in ("codes.py", "methods.py")}
    paths = [path for folder in ("campaigns", "worker") for path in (root / folder).rglob("*.py")]
    found = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in paths
        if path not in tables and "versions" not in path.parts
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in set(RETURN_CODES) - {200}
    ]
    assert found == [], "import the code's name from kavenegar_campaigns.kavenegar.codes"
