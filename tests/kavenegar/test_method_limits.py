"""What the documentation forbids never leaves us, and what it just allows does."""

from __future__ import annotations

import re

import pytest

from kavenegar_campaigns.kavenegar import call, methods
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.methods import DAY_S
from tests.kavenegar.calls import NOW, Asking
from tests.kavenegar.scripted_server import ScriptedServer

A = "09120000001"
NUMBERS = [f"09{n:09}" for n in range(201)]
IDS = list(range(1, 502))
THREE_DAYS_AGO = NOW - 3 * DAY_S
ROW = {"messageid": 1, "receptor": A, "sender": "10004346", "message": "x", "status": 1, "cost": 120}
ANYTHING = {**ROW, "sumcount": 1, "sumpart": 1, "apilogs": "enabled"}

FORBIDDEN: dict[str, Asking] = {
    # ── sizes ──
    "send: nobody": lambda c: c.send([], "x", sender=None, localids=None),
    "send: 201": lambda c: c.send(NUMBERS, "x", sender=None, localids=None),
    "sendarray: 201": lambda c: c.sendarray(NUMBERS, ["x"] * 201, ["1"] * 201, None),
    "maketts: 201": lambda c: c.maketts(NUMBERS, "x", localids=None),
    "status: none": lambda c: c.status([]),
    "status: 501": lambda c: c.status(IDS),
    "statuslocalmessageid: 501": lambda c: c.statuslocalmessageid(IDS),
    "select: 501": lambda c: c.select(IDS),
    "cancel: 201": lambda c: c.cancel(IDS[:201]),
    "latestoutbox: none": lambda c: c.latestoutbox(0),
    "latestoutbox: 201": lambda c: c.latestoutbox(201),
    "blocked_add: nobody": lambda c: c.blocked_add("2000", []),
    "blocked_add: 201": lambda c: c.blocked_add("2000", NUMBERS),
    "blocked_exists: 201": lambda c: c.blocked_exists("2000", NUMBERS),
    "blocked_remove: 51": lambda c: c.blocked_remove("2000", NUMBERS[:51]),
    # ── lists that belong together ──
    "sendarray: a text short": lambda c: c.sendarray(NUMBERS[:2], ["x"], ["1", "1"], None),
    "sendarray: a sender short": lambda c: c.sendarray(NUMBERS[:2], ["x", "y"], ["1"], None),
    "sendarray: a type short": lambda c: c.sendarray(NUMBERS[:2], ["x", "y"], ["1", "1"], None, types=[1]),
    "send: a localid short": lambda c: c.send(NUMBERS[:2], "x", sender=None, localids=[1]),
    "send: a localid twice": lambda c: c.send(NUMBERS[:2], "x", sender=None, localids=[1, 1]),
    "send: a localid of zero": lambda c: c.send(NUMBERS[:2], "x", sender=None, localids=[0, 1]),
    "maketts: a localid short": lambda c: c.maketts(NUMBERS[:2], "x", localids=[1]),
    "send: a number twice": lambda c: c.send([A, A], "x", sender=None, localids=None),
    "send: two numbers in one": lambda c: c.send([f"{A},{A}"], "x", sender=None, localids=None),
    "send: a blank number": lambda c: c.send([""], "x", sender=None, localids=None),
    # ── texts, tags, types ──
    "send: no text": lambda c: c.send([A], " \n", sender=None, localids=None),
    "send: 901 letters": lambda c: c.send([A], "ی" * 901, sender=None, localids=None),
    "send: 451 emoji": lambda c: c.send([A], "😀" * 451, sender=None, localids=None),
    "sendarray: one of the texts": lambda c: c.sendarray(NUMBERS[:2], ["x", "ی" * 901], ["1", "1"], None),
    "maketts: 901 letters": lambda c: c.maketts([A], "ی" * 901, localids=None),
    "send: a blank sender": lambda c: c.send([A], "x", sender="", localids=None),
    "send: a tag with a blank": lambda c: c.send([A], "x", sender=None, localids=None, tag="a b"),
    "send: a tag in Persian": lambda c: c.send([A], "x", sender=None, localids=None, tag="برچسب"),
    "sendarray: an empty tag": lambda c: c.sendarray([A], ["x"], ["1"], None, tag=""),
    "maketts: a tag of 201": lambda c: c.maketts([A], "x", localids=None, tag="a" * 201),
    "lookup: a tag with &": lambda c: c.lookup(A, "t", "1", tag="a&b"),
    "send: type 4": lambda c: c.send([A], "x", sender=None, localids=None, type=4),
    "sendarray: type -1": lambda c: c.sendarray([A], ["x"], ["1"], None, types=[-1]),
    "maketts: 6 repeats": lambda c: c.maketts([A], "x", localids=None, repeat=6),
    # ── tokens ──
    "lookup: no token": lambda c: c.lookup(A, "t", ""),
    "lookup: a token of 101": lambda c: c.lookup(A, "t", "1" * 101),
    "lookup: a token with a blank": lambda c: c.lookup(A, "t", "1 2"),
    "lookup: a token with an underscore": lambda c: c.lookup(A, "t", "1_2"),
    "lookup: a token on two lines": lambda c: c.lookup(A, "t", "1\n2"),
    "lookup: token2 with a blank": lambda c: c.lookup(A, "t", "1", token2="1 2"),
    "lookup: token3 with a tab": lambda c: c.lookup(A, "t", "1", token3="1\t2"),
    "lookup: token10 with 6 blanks": lambda c: c.lookup(A, "t", "1", token10="a b c d e f g"),
    "lookup: token20 with 9 blanks": lambda c: c.lookup(A, "t", "1", token20="a b c d e f g h i j"),
    "lookup: token20 of blanks": lambda c: c.lookup(A, "t", "1", token20="   "),
    "lookup: a call that spells": lambda c: c.lookup(A, "t", "12a", type="call"),
    "lookup: neither SMS nor call": lambda c: c.lookup(A, "t", "1", type="fax"),
    "lookup: no template": lambda c: c.lookup(A, "", "1"),
    "lookup: two receptors": lambda c: c.lookup(f"{A},{A}", "t", "1"),
    # ── spans ──
    "statusbyreceptor: over a day": lambda c: c.statusbyreceptor(A, NOW, NOW + DAY_S + 1),
    "statusbyreceptor: backwards": lambda c: c.statusbyreceptor(A, NOW, NOW - 1),
    "statusbyreceptor: nobody": lambda c: c.statusbyreceptor("", NOW),
    "statusbyreceptor: two": lambda c: c.statusbyreceptor(f"{A},{A}", NOW),
    "selectoutbox: over a day": lambda c: c.selectoutbox(NOW - 2 * DAY_S, NOW - DAY_S + 1),
    "selectoutbox: over a day till now": lambda c: c.selectoutbox(NOW - DAY_S - 1),
    "selectoutbox: three days ago": lambda c: c.selectoutbox(THREE_DAYS_AGO, THREE_DAYS_AGO + 9),
    "countoutbox: over a day": lambda c: c.countoutbox(NOW - DAY_S - 1, NOW),
    "countoutbox: over a day till now": lambda c: c.countoutbox(NOW - DAY_S - 1),
    "countoutbox: three days ago": lambda c: c.countoutbox(THREE_DAYS_AGO + 59, THREE_DAYS_AGO + 70),
    "countoutbox: backwards": lambda c: c.countoutbox(NOW - 9, NOW - 10),
    "inboxpaged: over two days": lambda c: c.inboxpaged("2000", isread=True, start=NOW - 2 * DAY_S - 1, end=NOW),
    "inboxpaged: backwards": lambda c: c.inboxpaged("2000", isread=True, start=NOW, end=NOW - 1),
    "inboxpaged: an end alone": lambda c: c.inboxpaged("2000", isread=True, end=NOW),
    "inboxpaged: page 0": lambda c: c.inboxpaged("2000", isread=True, page=0),
    "inboxpaged: no line": lambda c: c.inboxpaged("", isread=True),
    "countinbox: over a day": lambda c: c.countinbox(NOW - DAY_S - 1),
    "countinbox: 60 days ago": lambda c: c.countinbox(NOW - 60 * DAY_S - 1, NOW - 60 * DAY_S),
    "countinbox: a blank line": lambda c: c.countinbox(NOW, linenumber=" "),
    # ── lines, lists, settings ──
    "receive: no line": lambda c: c.receive(" "),
    "receive: two lines": lambda c: c.receive("2000,3000"),
    "blocked_list: reason 4": lambda c: c.blocked_list("2000", blockreason=4),
    "blocked_list: page 0": lambda c: c.blocked_list("2000", page=0),
    "blocked_add: two numbers in one": lambda c: c.blocked_add("2000", [f"{A},{A}"]),
    "blocked_remove: no line": lambda c: c.blocked_remove("", [A]),
    "configure: nothing": lambda c: c.configure(),
    "configure: a blank sender": lambda c: c.configure(defaultsender=""),
    "configure: a sender of blanks": lambda c: c.configure(defaultsender="  "),
    "configure: logs as they please": lambda c: c.configure(apilogs=""),
    "configure: less than nothing": lambda c: c.configure(mincreditalarm=-1),
}
ALLOWED: dict[str, Asking] = {
    "200 texts of 900 letters": lambda c: c.sendarray(NUMBERS[:200], ["ی" * 900] * 200, ["1"] * 200, IDS[:200]),
    "450 emoji": lambda c: c.send([A], "😀" * 450, sender=None, localids=None),
    "a call to 200": lambda c: c.maketts(NUMBERS[:200], "x" * 900, localids=IDS[:200], repeat=5),
    "500 statuses": lambda c: c.status(IDS[:500]),
    "500 localids": lambda c: c.statuslocalmessageid(IDS[:500]),
    "200 cancellations": lambda c: c.cancel(IDS[:200]),
    "the longest tag": lambda c: c.send([A], "x", sender=None, localids=None, tag="aZ09-_" * 33),
    "the longest tokens": lambda c: c.lookup(
        A, "t", "x" * 100, token2="ی" * 100, token10="a b c d e f", token20="a b c d e f g h i"
    ),
    "a call with a code in Persian digits": lambda c: c.lookup(A, "t", "۱۲۳", token2="x", type="call"),
    "a day of one number": lambda c: c.statusbyreceptor(A, NOW - 400 * DAY_S, NOW - 399 * DAY_S),
    "the oldest outbox": lambda c: c.selectoutbox(THREE_DAYS_AGO + 60, THREE_DAYS_AGO + 60 + DAY_S),
    "a day of the outbox": lambda c: c.countoutbox(NOW - DAY_S),
    "a moment of the outbox": lambda c: c.countoutbox(NOW, NOW),
    "two days of the inbox": lambda c: c.inboxpaged("2000", isread=True, start=NOW - 2 * DAY_S, end=NOW),
    "from a time on in the inbox": lambda c: c.inboxpaged("2000", isread=True, start=NOW - 30 * DAY_S),
    "the oldest count of the inbox": lambda c: c.countinbox(NOW - 60 * DAY_S, NOW - 59 * DAY_S),
    "200 blocked": lambda c: c.blocked_add("2000", NUMBERS[:200]),
    "50 unblocked": lambda c: c.blocked_remove("2000", NUMBERS[:50]),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_the_gateway_forbids_never_leaves_us(server: ScriptedServer, client: Client, what: str) -> None:
    with pytest.raises(ValueError, match=r"\w{2}") as caught:
        FORBIDDEN[what](client)
    assert server.received == []
    assert not re.search(r"\d{6}|ی|😀", str(caught.value)), "no number and no text in an error"


@pytest.mark.parametrize("what", ALLOWED)
def test_the_most_that_is_allowed_does_leave(server: ScriptedServer, client: Client, what: str) -> None:
    server.will(server.answer(200, [ANYTHING]))
    ALLOWED[what](client)
    assert len(server.received) == 1


@pytest.mark.parametrize("method", [row for row in methods.METHODS if row.max_age_s], ids=lambda row: row.path)
def test_the_earliest_start_that_is_told_still_holds_a_minute_later(method: methods.Method) -> None:
    earliest = method.earliest(NOW + 0.9)
    for waited_s in (0, 59):
        call.check_span(method, earliest, earliest + 9, now=NOW + 0.9 + waited_s)
    with pytest.raises(ValueError, match="days"):
        call.check_span(method, earliest - 62, earliest, now=NOW + 0.9)


def test_a_gateway_that_takes_longer_texts_gets_them(server: ScriptedServer) -> None:
    server.will(server.answer(200, [ROW]))
    client = Client("key", server.url, longest_text=1800)
    client.send([A], "ی" * 1800, sender=None, localids=None)
    with pytest.raises(ValueError, match="1800"):
        client.send([A], "ی" * 1801, sender=None, localids=None)
    client.close()
