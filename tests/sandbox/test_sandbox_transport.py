"""HTTP as the service speaks it: where parameters stand, what an answer looks like, who is let in, in what order."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.sandbox.client import TEXT, Client, arrays, form, numbers

RECEPTORS = ["09121234567", "09121234568"]


def received(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    return [(row["receptor"], row["message"]) for row in answer.json()["entries"]]


SENT = [(receptor, TEXT) for receptor in RECEPTORS]


def test_a_send_is_understood_from_the_query_the_form_or_both(sandbox: Client) -> None:
    url, params = sandbox.url("sms/send"), form(RECEPTORS)
    assert received(sandbox.session.get(url, params=params, timeout=60)) == SENT
    assert received(sandbox.session.post(url, params=params, timeout=60)) == SENT
    assert received(sandbox.session.post(url, data=params, timeout=60)) == SENT
    half = sandbox.session.post(url, params={"message": TEXT}, data={"receptor": params["receptor"]}, timeout=60)
    assert received(half) == SENT


def test_a_send_is_understood_as_multipart(sandbox: Client) -> None:
    parts = {name: (None, value) for name, value in form(RECEPTORS).items()}
    assert received(sandbox.session.post(sandbox.url("sms/send"), files=parts, timeout=60)) == SENT


def test_parameter_names_are_read_in_any_case_and_repeated_ones_are_joined(sandbox: Client) -> None:
    pairs = [("Receptor", RECEPTORS[0]), ("RECEPTOR", RECEPTORS[1]), ("Message", TEXT)]
    assert received(sandbox.session.post(sandbox.url("sms/send"), data=pairs, timeout=60)) == SENT


def test_commas_and_blanks_separate_receptors_encoded_or_not(sandbox: Client) -> None:
    encoded = "receptor=09121234567%2C%2009121234568&" + urlencode({"message": TEXT})
    literal = "receptor=09121234567,+09121234568&" + urlencode({"message": TEXT})
    for query in (encoded, literal):
        assert received(sandbox.session.get(f"{sandbox.url('sms/send')}?{query}", timeout=60)) == SENT


@pytest.mark.parametrize("text", ["a=b&c+d %41 100%", "é ü ß", "😀 پایان\nخط دوم", "%%%", "=_=", "x" * 900])
def test_every_text_comes_back_as_it_was_sent(sandbox: Client, text: str) -> None:
    assert sandbox.send("09121234567", text=text)[0]["message"] == text
    answer = sandbox.entries("sms/sendarray", arrays(["09121234567"], [text]))
    assert answer[0]["message"] == text


def test_a_text_that_was_not_encoded_as_it_should_be_is_read_as_it_stands(sandbox: Client) -> None:
    url = f"{sandbox.url('sms/send')}?receptor=09121234567&message="
    assert received(sandbox.session.post(url, data=b"message=a=41b", timeout=60))[0][1] == ",a=41b"
    assert received(sandbox.session.post(url + "x=3D", timeout=60))[0][1] == "x=3D"


def test_a_trailing_slash_and_a_whole_url_in_the_request_line_are_taken(sandbox: Client) -> None:
    slashed = sandbox.session.post(sandbox.url("account/info") + "/", timeout=60)
    assert slashed.status_code == 200
    address = urlsplit(sandbox.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.request("POST", sandbox.url("account/info"), body=b"")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["return"]["status"]) == (200, 200)
    connection.close()


def test_the_code_is_the_http_status_too_and_an_error_has_no_entries(sandbox: Client) -> None:
    answer = sandbox.call("sms/send", form(["123"]))
    assert answer.status_code == 411
    assert answer.json() == {"return": {"status": 411, "message": "دریافت کننده نامعتبر است"}, "entries": None}


def test_with_always_200_only_the_envelope_says_the_code(start: Callable[..., Client]) -> None:
    answer = start(always_200=True).call("sms/send", form(["123"]))
    assert (answer.status_code, answer.json()["return"]["status"]) == (200, 411)


@pytest.mark.parametrize(("capped", "http_status"), [(True, 400), (False, 607)])
def test_codes_beyond_http_are_capped_where_asked(start: Callable[..., Client], capped: bool, http_status: int) -> None:
    answer = start(cap_ge_600=capped).call("sms/send", form(["09121234567"], tag="unregistered"))
    assert (answer.status_code, answer.json()["return"]["status"]) == (http_status, 607)


def test_a_wrong_key_is_403_with_the_bytes_of_the_live_service(sandbox: Client) -> None:
    answer = sandbox.session.post(sandbox.url("account/info", key="wrong"), timeout=60)
    assert answer.status_code == 403
    assert answer.json()["return"]["message"] == "کد شناسائی معتبر نمی باشد "


def test_the_key_0_opens_getdate_and_nothing_else(sandbox: Client) -> None:
    date = sandbox.session.get(sandbox.url("utils/getdate", key="0"), timeout=60).json()["entries"]
    assert abs(date["unixtime"] - sandbox.admin("GET", "health").json()["now"]) < 5
    assert sandbox.session.get(sandbox.url("account/info", key="0"), timeout=60).status_code == 403


def test_what_is_no_method_of_the_specification_is_404(sandbox: Client) -> None:
    assert sandbox.code("sms/teleport") == 404
    assert sandbox.session.post(sandbox.url("sms/send").replace(".json", ".xml"), timeout=60).status_code == 404


def test_an_account_can_be_closed_or_unproven(sandbox: Client) -> None:
    sandbox.turn(account_code=401)
    assert sandbox.code("account/info") == 401
    sandbox.turn(account_code=430)
    assert (sandbox.code("account/info"), sandbox.code("sms/send", form(["09121234567"]))) == (200, 430)


def test_a_call_with_every_fault_is_answered_in_one_fixed_order(start: Callable[..., Client]) -> None:
    """Mend one fault after the other: the codes come in the order of the fact sheet."""
    sandbox = start(account_code=416, limiter="fixed_window", limiter_rate=0.0001, limiter_window_s=10000.0)
    session, answers = sandbox.session, []
    for verb, method, key in [
        ("PUT", "no/such", "bad"),
        ("PUT", "sms/sendarray", "bad"),
        ("POST", "sms/sendarray", "bad"),
    ]:
        answers.append(session.request(verb, sandbox.url(method, key), timeout=60).status_code)
    answers.append(sandbox.code("sms/sendarray"))
    sandbox.turn(account_code=0)
    sandbox.call("sms/sendarray")  # spends the only call of the window
    answers.append(sandbox.code("sms/sendarray"))
    sandbox.turn(limiter="none", links_restricted=True, poison_text="☠", test_mode=True)
    sandbox.admin("POST", "credit", {"rial": 0})
    bad_text = "☠ http://x " + "x" * 900
    steps: list[dict[str, Any]] = [
        {"receptor": "[]"},
        {"sender": "", "message": "[]"},
        arrays(["1"] * 201, [bad_text], sender=["9"], tag="!", date="1"),
        arrays(["1"], [bad_text, ""], sender=["9"], tag="!", date="1"),
        arrays(["1"], [bad_text], sender=["9"], tag="!", date="1"),
        arrays(["1"], [bad_text], tag="!", date="1"),
        arrays(["09121234567"], [bad_text], tag="!", date="1"),
        arrays(["09121234567"], ["☠ http://x"], tag="!", date="1"),
        arrays(["09121234567"], ["☠"], tag="!", date="1"),
        arrays(["09121234567"], ["x"], tag="!", date="1"),
        arrays(["09121234567"], ["x"], tag="!"),
        arrays(["09121234567"], ["x"]),
        arrays(["09120000000"], ["x"]),
    ]
    answers += [sandbox.code("sms/sendarray", {"receptor": "[]", **step}) for step in steps]
    expected = [404, 405, 403, 416, 451, 400, 406, 412, 419, 412, 411, 413, 420, 422, 417, 607, 501, 418]
    assert answers == expected
    assert sandbox.summary()["messages"] == 0


def test_a_body_of_200_personal_texts_is_taken_whole(sandbox: Client) -> None:
    texts = [f"{TEXT} شماره {number} " + "گ" * 60 for number in range(200)]
    rows = sandbox.entries("sms/sendarray", arrays(numbers(200), texts))
    assert [row["message"] for row in rows] == texts
