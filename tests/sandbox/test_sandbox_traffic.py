"""What a bench reads: the calls of each second, admitted and refused."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.counters import KEPT_S, Traffic
from kavenegar_sandbox.gateway import Gateway
from kavenegar_sandbox.journal import Journal
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.protocol import Call
from tests.sandbox.client import KEY, Client

M0 = 5000.25  # the monotonic clock when it began


def test_each_second_has_its_own_counts_and_a_silent_one_is_zero() -> None:
    traffic = Traffic(at=1.7e9, monotonic_s=M0)
    for method, admitted, at_s in [
        ("sms/send", True, 0.0),
        ("sms/send", True, 0.99),
        ("sms/status", True, 2.0),
        ("sms/send", False, 2.5),
    ]:
        traffic.count(method, admitted=admitted, monotonic_s=M0 + at_s)
    assert traffic.describe(monotonic_s=M0 + 4.5) == {
        "began_at": 1.7e9,
        "began_monotonic_s": M0,
        "now_s": 4.5,
        "admitted": 3,
        "refused": 1,
        "first_second": 0,
        "seconds": [[2, 0], [0, 0], [1, 1], [0, 0], [0, 0]],
        "methods": {
            "sms/send": {"admitted": 2, "refused": 1, "seconds": [[2, 0], [0, 0], [0, 1], [0, 0], [0, 0]]},
            "sms/status": {"admitted": 1, "refused": 0, "seconds": [[0, 0], [0, 0], [1, 0], [0, 0], [0, 0]]},
        },
    }


def test_a_reader_may_ask_from_a_second_on_and_gets_the_totals_all_the_same() -> None:
    traffic = Traffic(at=1.7e9, monotonic_s=M0)
    for second in range(10):
        traffic.count("sms/send", admitted=True, monotonic_s=M0 + second)
    late = traffic.describe(monotonic_s=M0 + 9.5, since=8)
    assert (late["first_second"], late["seconds"], late["admitted"]) == (8, [[1, 0], [1, 0]], 10)
    assert traffic.describe(monotonic_s=M0 + 9.5, since=500)["seconds"] == []


def test_only_the_last_two_hours_are_kept_by_the_second() -> None:
    traffic = Traffic(at=1.7e9, monotonic_s=M0)
    for second in range(3 * KEPT_S):
        traffic.count("sms/send", admitted=second >= KEPT_S, monotonic_s=M0 + second)
    shown = traffic.describe(monotonic_s=M0 + 3 * KEPT_S - 1)
    assert (shown["first_second"], shown["seconds"]) == (2 * KEPT_S, [[1, 0]] * KEPT_S)
    assert (shown["admitted"], shown["refused"]) == (2 * KEPT_S, KEPT_S)
    assert len(traffic._seconds) == KEPT_S


def test_over_http_admitted_and_refused_calls_are_told_by_method(start: Callable[..., Client]) -> None:
    sandbox = start(limiter="token_bucket", limiter_rate=0.0001, limiter_burst=3)
    before = time.monotonic()
    for method in ("account/info", "sms/send", "account/info", "account/info", "no/such"):
        sandbox.call(method)
    shown = sandbox.admin("GET", "ledger/calls").json()
    assert (shown["admitted"], shown["refused"]) == (3, 1)
    counted = {name: (each["admitted"], each["refused"]) for name, each in shown["methods"].items()}
    assert counted == {"account/info": (2, 1), "sms/send": (1, 0)}
    assert [sum(column) for column in zip(*shown["seconds"], strict=True)] == [3, 1]
    assert shown["began_monotonic_s"] <= before <= shown["began_monotonic_s"] + shown["now_s"] <= time.monotonic()
    assert abs(shown["began_at"] + shown["now_s"] - time.time()) < 60


def test_over_http_the_calls_of_others_are_told_beside_ours(start: Callable[..., Client]) -> None:
    sandbox = start(limiter="token_bucket", limiter_rate=0.0001, limiter_burst=3, limiter_others_rate=10)
    assert sandbox.code("account/info") == 200
    sandbox.advance(100)
    shown = sandbox.admin("GET", "ledger/calls").json()
    assert (shown["admitted"], shown["refused"], shown["others"]["admitted"]) == (1, 0, 2)
    assert shown["others"]["refused"] >= 998
    assert sandbox.code("account/info") == 451


@pytest.mark.parametrize("since", ["-1", "soon", "1.5"])
def test_a_second_that_is_none_is_refused_with_a_sentence(sandbox: Client, since: str) -> None:
    answer = sandbox.admin("GET", f"ledger/calls?since={since}")
    assert (answer.status_code, "since" in answer.json()["error"]) == (400, True)


def test_looking_a_call_over_costs_little_beside_a_request() -> None:
    """About 3 µs of CPU were measured; a request over HTTP takes some 500."""
    gateway = Gateway(Account(KEY, Knobs(limiter="sliding_window", limiter_others_rate=10), 0, Journal(None)))
    call = Call(method="sms/send", verb="POST", key=KEY, params={}, address="test")
    before = time.process_time()
    for _ in range(20_000):
        gateway.admits(call)
    assert (time.process_time() - before) / 20_000 < 200e-6
