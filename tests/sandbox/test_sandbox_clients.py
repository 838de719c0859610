"""The clients people use, written by others from the same document, get what they expect from all their methods."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aio_kavenegar
import kavenegar
import pytest
import requests

from tests.sandbox.client import KEY, LATIN_LINE, TEXT, UNHURRIED, Client, numbers

TWO = numbers(2)
CLIENTS: dict[str, type] = {"official": kavenegar.KavenegarAPI, "modern": aio_kavenegar.AIOKavenegarAPI}


def offered(client: str) -> list[str]:
    """Every method of a client's that makes a call."""
    members = inspect.getmembers(CLIENTS[client], inspect.isfunction)
    return [name for name, _ in members if not name.startswith("_")]


@pytest.fixture(params=[False, True], ids=["mirrored", "always_200"])
def sandbox(start: Callable[..., Client], request: pytest.FixtureRequest) -> Client:
    return start(always_200=request.param, ip_registered=True, **UNHURRIED)


@dataclass(frozen=True, slots=True)
class Driver:
    """A client under test, whichever it is."""

    sandbox: Client
    api: Any

    def __call__(self, method: str, params: dict[str, Any] | None = None) -> Any:
        bound = getattr(self.api, method)
        said = bound() if params is None else bound(params)
        return asyncio.run(said) if inspect.iscoroutine(said) else said

    def code(self, method: str, params: dict[str, Any]) -> int:
        """The return code of a call that is refused, from the client's own error."""
        mirrored = not self.sandbox.admin("GET", "knobs").json()["always_200"]
        own_error = (kavenegar.APIException, aio_kavenegar.APIException)
        by_http = isinstance(self.api, aio_kavenegar.AIOKavenegarAPI) and mirrored  # it looks at the HTTP status first
        with pytest.raises(aio_kavenegar.HTTPException if by_http else own_error) as refused:
            self(method, params)
        error = refused.value.args[0]
        code = re.search(r"[0-9]{3}", error.decode() if isinstance(error, bytes) else str(error))
        assert code is not None, error
        return int(code[0])


def official(sandbox: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The official client; it knows one host only, so its `requests` is led to the sandbox."""

    def post(url: str, **kwargs: Any) -> requests.Response:
        return requests.post(url.replace("https://api.kavenegar.com", sandbox.base_url), timeout=60, **kwargs)

    monkeypatch.setattr(kavenegar, "requests", SimpleNamespace(post=post, exceptions=requests.exceptions))
    return kavenegar.KavenegarAPI(KEY)


def modern(sandbox: Client) -> Any:
    class Led(aio_kavenegar.AIOKavenegarAPI):
        base_url = sandbox.base_url

    return Led(KEY, timeout=60)


@pytest.fixture
def client(request: pytest.FixtureRequest, sandbox: Client, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The client a test is parametrised with."""
    return Driver(sandbox, official(sandbox, monkeypatch) if request.param == "official" else modern(sandbox))


def sends(say: Driver) -> None:
    sent = say("sms_send", {"receptor": ",".join(TWO), "message": TEXT, "localid": "1,2"})
    assert [(row["receptor"], row["message"], row["status"]) for row in sent] == [(each, TEXT, 1) for each in TWO]
    assert say("sms_send", {"receptor": ",".join(TWO), "message": TEXT, "localid": "1,2"}) == sent
    assert say.code("sms_send", {"receptor": "12", "message": TEXT}) == 411


def sends_arrays(say: Driver) -> None:
    columns = {
        "receptor": '["09121234567", "09121234568"]',
        "sender": '["30002626", "10004346"]',
        "message": '["\\u0633\\u0644\\u0627\\u0645", "x"]',
        "localmessageids": "[3, 4]",
    }
    rows = say("sms_sendarray", columns)
    assert [(row["sender"], row["message"]) for row in rows] == [("30002626", "سلام"), ("10004346", "x")]
    assert say.code("sms_sendarray", {**columns, "message": '["x"]'}) == 419


def asks_by_message_id(say: Driver) -> None:
    ids = [row["messageid"] for row in say.sandbox.send(*TWO)]
    rows = say("sms_status", {"messageid": ",".join(map(str, ids))})
    assert [(row["messageid"], row["status"]) for row in rows] == [(each, 1) for each in ids]


def asks_by_localid(say: Driver) -> None:
    (sent,) = say.sandbox.send("09121234567", localid=[7])
    rows = say("sms_statuslocalmessageid", {"localid": "7,9"})
    assert [(row["messageid"], row["localid"], row["status"]) for row in rows] == [
        (sent["messageid"], "7", 1),
        (0, "9", 100),
    ]


def selects(say: Driver) -> None:
    (sent,) = say.sandbox.send("09121234567")
    assert say("sms_select", {"messageid": sent["messageid"]}) == [sent]


def selects_the_outbox(say: Driver) -> None:
    span = {"startdate": int(time.time()) - 60}
    assert say.code("sms_selectoutbox", span) == 449
    sent = say.sandbox.send(*TWO)
    assert say("sms_selectoutbox", {**span, "enddate": 0, "sender": ""}) == sent


def asks_for_the_latest(say: Driver) -> None:
    sent = say.sandbox.send(*TWO)
    assert say("sms_latestoutbox", {"pagesize": 1}) == sent[1:]
    assert say.code("sms_latestoutbox", {"pagesize": 501}) == 400


def counts_the_outbox(say: Driver) -> None:
    say.sandbox.send(*TWO)
    (counted,) = say("sms_countoutbox", {"startdate": int(time.time()) - 60, "status": 0})
    assert (counted["sumcount"], counted["sumpart"], counted["cost"]) == (2, 2, 240)


def cancels(say: Driver) -> None:
    (later,) = say.sandbox.send("09121234567", date=str(int(time.time()) + 3600))
    assert say("sms_cancel", {"messageid": later["messageid"]})[0]["status"] == 13


def receives(say: Driver) -> None:
    say.sandbox.inject({"line": LATIN_LINE, "sender": "09121234567", "text": "لغو"})
    unread = {"linenumber": LATIN_LINE, "isread": 0}
    assert [row["message"] for row in say("sms_receive", unread)] == ["لغو"]
    assert say("sms_receive", unread) is None


def counts_the_inbox(say: Driver) -> None:
    say.sandbox.inject({"line": LATIN_LINE, "sender": "09121234567", "text": "سلام"})
    span = {"startdate": int(time.time()) - 60, "linenumber": LATIN_LINE}
    assert say("sms_countinbox", span)[0]["sumcount"] == 1


def looks_up(say: Driver) -> None:
    (row,) = say("verify_lookup", {"receptor": "09121234567", "token": "852596", "template": "verify", "type": "sms"})
    assert (row["message"], row["status"]) == ("کد تایید شما: 852596", 5)
    assert say.code("verify_lookup", {"receptor": "09121234567", "token": "8 5", "template": "verify"}) == 431
    assert say.code("verify_lookup", {"receptor": "09121234567", "token": "8", "template": "?"}) == 424


def calls(say: Driver) -> None:
    row = say("call_maketts", {"receptor": "09121234567", "message": TEXT})
    assert (row["receptor"], row["status"], row["cost"]) == ("09121234567", 5, 900)
    assert [row["receptor"] for row in say("call_maketts", {"receptor": ",".join(TWO), "message": TEXT})] == TWO


def reads_the_account(say: Driver) -> None:
    say.sandbox.send("09121234567")
    assert say("account_info")["remaincredit"] == 10_000_000_000 - 120


def configures(say: Driver) -> None:
    assert say("account_config", {})["defaultsender"] == "10004346"
    assert say("account_config", {"defaultsender": "30002626", "apilogs": ""})["defaultsender"] == "30002626"
    assert say.code("account_config", {"defaultsender": "50001"}) == 412


DRIVES: dict[str, Callable[[Driver], None]] = {
    "account_config": configures,
    "account_info": reads_the_account,
    "call_maketts": calls,
    "sms_cancel": cancels,
    "sms_countinbox": counts_the_inbox,
    "sms_countoutbox": counts_the_outbox,
    "sms_latestoutbox": asks_for_the_latest,
    "sms_receive": receives,
    "sms_select": selects,
    "sms_selectoutbox": selects_the_outbox,
    "sms_send": sends,
    "sms_sendarray": sends_arrays,
    "sms_status": asks_by_message_id,
    "sms_statuslocalmessageid": asks_by_localid,
    "verify_lookup": looks_up,
}
NOT_IN_THE_SPECIFICATION = {"call_status", "sms_countpostalcode", "sms_sendbypostalcode"}  # two of them no longer


@pytest.mark.parametrize(
    ("client", "method"),
    [(name, method) for name in CLIENTS for method in offered(name) if method not in NOT_IN_THE_SPECIFICATION],
    indirect=["client"],
)
def test_every_method_of_the_clients_does_what_it_is_for(client: Driver, method: str) -> None:
    DRIVES[method](client)
    assert method.replace("_", "/", 1) in client.sandbox.summary()["requests"]


@pytest.mark.parametrize("method", sorted(NOT_IN_THE_SPECIFICATION))
@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_method_that_is_not_in_the_specification_is_404(client: Driver, method: str) -> None:
    assert client.code(method, {"messageid": 1}) == 404


@pytest.mark.parametrize("name", CLIENTS)
def test_both_clients_offer_what_is_driven_and_nothing_more(name: str) -> None:
    assert set(offered(name)) == {*DRIVES, *NOT_IN_THE_SPECIFICATION}


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_wrong_key_is_told_as_403(client: Driver) -> None:
    client.api.apikey = client.api._apikey = "wrong"
    assert client.code("sms_status", {"messageid": 1}) == 403


def test_the_modern_client_writes_lists_as_json(sandbox: Client) -> None:
    columns = {"receptor": TWO, "sender": [LATIN_LINE] * 2, "message": [TEXT, "x"], "localmessageids": [5, 6]}
    rows: Any = asyncio.run(modern(sandbox).sms_sendarray(columns))
    assert [(row["receptor"], row["message"]) for row in rows] == [(TWO[0], TEXT), (TWO[1], "x")]
