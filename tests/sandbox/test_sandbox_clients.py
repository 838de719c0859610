"""The clients people use, written by others from the same document, get what they expect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aio_kavenegar
import kavenegar
import pytest
import requests

from tests.sandbox.client import KEY, TEXT, Client, numbers

TWO = numbers(2)


@pytest.fixture(params=[False, True], ids=["mirrored", "always_200"])
def sandbox(start: Callable[..., Client], request: pytest.FixtureRequest) -> Client:
    return start(always_200=request.param, ip_registered=True)


@pytest.fixture
def official(sandbox: Client, monkeypatch: pytest.MonkeyPatch) -> kavenegar.KavenegarAPI:
    """The official client; it knows one host only, so its `requests` is led to the sandbox."""

    def post(url: str, **kwargs: Any) -> requests.Response:
        return requests.post(url.replace("https://api.kavenegar.com", sandbox.base_url), timeout=10, **kwargs)

    monkeypatch.setattr(kavenegar, "requests", SimpleNamespace(post=post, exceptions=requests.exceptions))
    return kavenegar.KavenegarAPI(KEY)


@pytest.fixture
def modern(sandbox: Client) -> aio_kavenegar.AIOKavenegarAPI:
    class Led(aio_kavenegar.AIOKavenegarAPI):
        base_url = sandbox.base_url

    return Led(KEY)


def test_the_official_client_sends_asks_cancels_and_counts(official: kavenegar.KavenegarAPI) -> None:
    sent = official.sms_send({"receptor": ",".join(TWO), "message": TEXT, "localid": "1,2"})
    array = official.sms_sendarray(
        {
            "receptor": '["09121234567"]',
            "sender": '["30002626"]',
            "message": '["\\u0633\\u0644\\u0627\\u0645"]',
            "localmessageids": "[3]",
        }
    )
    assert [row["receptor"] for row in sent + array] == [*TWO, "09121234567"]
    assert array[0]["message"] == "سلام"
    ids = ",".join(str(row["messageid"]) for row in sent)
    assert [row["status"] for row in official.sms_status({"messageid": ids})] == [1, 1]
    assert [row["message"] for row in official.sms_select({"messageid": ids})] == [TEXT, TEXT]
    found = official.sms_statuslocalmessageid({"localid": "2,9"})
    assert [(row["localid"], row["status"]) for row in found] == [("2", 1), ("9", 100)]
    (later,) = official.sms_send({"receptor": TWO[0], "message": "x", "date": int(time.time()) + 3600})
    assert official.sms_cancel({"messageid": later["messageid"]})[0]["status"] == 13
    assert official.sms_countoutbox({"startdate": int(time.time()) - 60})[0]["sumcount"] == 3
    assert official.account_info()["remaincredit"] == 10_000_000_000 - 3 * 120
    assert official.account_config()["defaultsender"] == "10004346"


def test_the_official_client_raises_its_own_error_with_the_code(official: kavenegar.KavenegarAPI) -> None:
    with pytest.raises(kavenegar.APIException) as refused:
        official.sms_send({"receptor": "12", "message": TEXT})
    assert refused.value.args[0].decode().startswith("APIException[411]")
    official.apikey = "wrong"
    with pytest.raises(kavenegar.APIException) as unknown:
        official.account_info()
    assert unknown.value.args[0].decode().startswith("APIException[403]")


def test_the_modern_client_sends_and_asks(modern: aio_kavenegar.AIOKavenegarAPI) -> None:
    async def talk() -> tuple[list[Any], ...]:
        arrays = {"receptor": TWO, "sender": ["10004346"] * 2, "message": [TEXT, "x"], "localmessageids": [5, 6]}
        sent: Any = await modern.sms_sendarray(arrays)
        ids = ",".join(str(row["messageid"]) for row in sent)
        asked: Any = await modern.sms_status({"messageid": ids})
        by_localid: Any = await modern.sms_statuslocalmessageid({"localid": "6,5"})
        return sent, asked, by_localid

    sent, asked, by_localid = asyncio.run(talk())
    assert [(row["receptor"], row["message"]) for row in sent] == [(TWO[0], TEXT), (TWO[1], "x")]
    assert [row["status"] for row in asked] == [1, 1]
    assert [row["messageid"] for row in by_localid] == [sent[1]["messageid"], sent[0]["messageid"]]


def test_the_modern_client_sees_a_refusal_as_http_or_as_api_error(
    sandbox: Client, modern: aio_kavenegar.AIOKavenegarAPI
) -> None:
    mirrored = not sandbox.admin("GET", "knobs").json()["always_200"]
    expected = aio_kavenegar.HTTPException if mirrored else aio_kavenegar.APIException
    with pytest.raises(expected, match="411"):
        asyncio.run(modern.sms_send({"receptor": "12", "message": TEXT}))
