"""A million messages fit: what one costs in memory, and what a request costs in time."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.gateway import Gateway
from kavenegar_sandbox.journal import Journal
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.protocol import Call
from tests.sandbox.client import KEY, TEXT, arrays, form, numbers

FIRST_LOCALID = 10**14


def gateway() -> Gateway:
    return Gateway(Account(KEY, Knobs(), 10**12, Journal(None)))


def personal(request: int) -> Call:
    """200 different Persian texts of about 100 characters."""
    ids = range(FIRST_LOCALID + request * 200, FIRST_LOCALID + (request + 1) * 200)
    texts = [f"{TEXT} با شماره پیگیری {localid} آماده است؛ برای لغو عدد ۱۱ را بفرستید." for localid in ids]
    params = arrays(numbers(200), texts, localmessageids=list(ids))
    return Call(method="sms/sendarray", verb="POST", key=KEY, params=params, address="test")


def alike(request: int) -> Call:
    """The same text for everybody."""
    ids = ",".join(str(FIRST_LOCALID + request * 200 + place) for place in range(200))
    params = form(numbers(200), TEXT * 8, localid=[ids])
    return Call(method="sms/send", verb="POST", key=KEY, params=params, address="test")


@pytest.mark.parametrize(("request_of", "at_most"), [(personal, 350), (alike, 180)])
def test_a_message_takes_few_bytes(request_of: Callable[[int], Call], at_most: int) -> None:
    """About 300 were measured for a personal text, 170 for a shared one."""
    full = gateway()
    full.answer(request_of(0))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for request in range(1, 101):
            assert full.answer(request_of(request)).code == 200
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / 20_000 <= at_most


def test_a_full_request_costs_a_few_milliseconds_of_cpu() -> None:
    """2 ms were measured; the bound leaves room for slow and busy machines."""
    fast = gateway()
    calls = [personal(request) for request in range(50)]
    before = time.process_time()
    for call in calls:
        fast.answer(call).body()
    assert (time.process_time() - before) / 50 < 0.02


def test_a_status_costs_the_same_among_many_messages_as_among_few() -> None:
    few, many = gateway(), gateway()
    for request in range(100):
        many.answer(personal(request))
    costs = []
    for asked in (few, many):
        rows = asked.answer(personal(1000)).entries
        assert isinstance(rows, list)
        ids = ",".join(str(row["messageid"]) for row in rows)
        call = Call(method="sms/status", verb="POST", key=KEY, params={"messageid": ids}, address="test")
        before = time.process_time()
        for _ in range(50):
            asked.answer(call)
        costs.append(time.process_time() - before)
    assert costs[1] < costs[0] * 3
