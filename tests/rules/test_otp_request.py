"""Which one-time passwords may be ordered. Errors about the others never show the code."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.otp_request import (
    MAX_TOKEN_LENGTH,
    TOKEN_SPACES,
    OtpKind,
    OtpRequest,
    Secret,
    normalise_receptor,
    parse_otp_request,
)

CODE = "481516"


def otp_request(**options: Any) -> OtpRequest:
    given = {"kind": "sms", "number": "09121234567", "template": "login", "tokens": {"token": CODE}, "key": None}
    return parse_otp_request(**{**given, "tag": None, "call_after": None, "lifetime": timedelta(minutes=2), **options})


def refused(**options: Any) -> str:
    """The error text for such a request."""
    with pytest.raises(BadInput) as caught:
        otp_request(**options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "number", "kind"),
    [
        ("09121234567", "09121234567", "sms"),
        ("+989121234567", "09121234567", "sms"),
        ("00989121234567", "09121234567", "sms"),
        ("9121234567", "09121234567", "sms"),
        ("۰۹۱۲ ۱۲۳ ۴۵۶۷", "09121234567", "sms"),
        ("021-88776655", "02188776655", "call"),
        ("+98 (21) 8877 6655", "02188776655", "call"),
        ("00982188776655", "02188776655", "call"),
        ("۰۲۱۸۸۷۷۶۶۵۵", "02188776655", "call"),
        ("00974211234565", "00974211234565", "sms"),
        ("+974 211 234 565", "00974211234565", "sms"),
    ],
)
def test_a_code_goes_to_mobiles_and_abroad_as_sms_and_to_landlines_as_a_call(
    typed: str, number: str, kind: str
) -> None:
    found = otp_request(number=typed)
    assert (found.number, found.kind) == (number, kind)
    assert normalise_receptor(typed) == number


@pytest.mark.parametrize(
    "typed", ["", "0912123456", "88776655", "2188776655", "0098", "00981", "00" + "1" * 16, "hello", "0912abc4567"]
)
def test_what_is_no_number_is_refused_and_masked(typed: str) -> None:
    error = refused(number=typed)
    assert "00 and its country's code" in error
    assert len(typed) < 6 or typed not in error


@pytest.mark.parametrize("name", TOKEN_SPACES)
def test_every_token_has_its_length_and_its_spaces_and_no_more(name: str) -> None:
    spaces = TOKEN_SPACES[name]
    fitting = "a" + " a" * spaces
    longest = fitting + "x" * (MAX_TOKEN_LENGTH - len(fitting))
    assert otp_request(tokens={"token": CODE, name: longest}).tokens[name] == longest
    assert f"{name} has {MAX_TOKEN_LENGTH + 1} characters" in refused(tokens={"token": CODE, name: longest + "x"})
    says = f"holds {spaces + 1} spaces" if spaces else "holds a space"
    assert f"{name} {says}" in refused(tokens={"token": CODE, name: f"{fitting} a"})


def test_an_emoji_counts_as_two_characters_as_in_a_text() -> None:
    assert otp_request(tokens={"token": "😀" * 50})
    assert "102 characters" in refused(tokens={"token": "😀" * 51})


@pytest.mark.parametrize(
    ("between", "word"),
    [(letter, "line break") for letter in "\n\r\t\u00a0\u2028\u3000"]
    + [(letter, "separator") for letter in "_,;|،؛"]
    + [(letter, "no phone") for letter in "\x00\x7f\ud83d\ufffd"],
)
@pytest.mark.parametrize("name", ["token", "token20"])
def test_what_divides_a_token_or_cannot_be_shown_is_refused(name: str, between: str, word: str) -> None:
    error = refused(tokens={"token": CODE, name: f"48{between}1516"})
    assert error.startswith(f"{name} holds")
    assert word in error


@pytest.mark.parametrize("value", ["علی‌رضا", "ORD-1042", "12.500", "۴۸۱۵۱۶", "قهوه"])
def test_letters_of_both_alphabets_digits_hyphens_and_half_spaces_are_fine(value: str) -> None:
    assert otp_request(tokens={"token": value}).tokens == {"token": value}


@pytest.mark.parametrize("empty", ["", " ", "   "])
def test_a_token_says_something(empty: str) -> None:
    assert "token has no characters" in refused(tokens={"token": empty})
    assert "token is missing" in refused(tokens={"token": None, "token2": "x"})
    assert "zeros" in refused(tokens={"token": 481516})


@pytest.mark.parametrize("name", ["token", "token2"])
@pytest.mark.parametrize("value", ["48A516", "۴۸۱۵۱۶", "48-15", "²"])
@pytest.mark.parametrize(
    "call_options", [{"kind": "call"}, {"number": "02188776655"}, {"call_after": timedelta(seconds=30)}]
)
def test_the_tokens_of_a_call_are_all_digits(name: str, value: str, call_options: dict[str, Any]) -> None:
    assert f"{name} is not all digits" in refused(tokens={"token": CODE, name: value}, **call_options)


def test_a_call_may_follow_an_sms_within_its_lifetime() -> None:
    assert otp_request(call_after=timedelta(seconds=29.2)).call_after_s == 30
    assert otp_request(number="02188776655", call_after=timedelta(seconds=30)).call_after_s is None
    assert "within the lifetime" in refused(call_after=timedelta(minutes=2))
    assert "within the lifetime" in refused(call_after=timedelta(0))
    assert "a call already" in refused(kind="call", call_after=timedelta(seconds=30))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "letter"},
        {"template": ""},
        {"template": "my template"},
        {"template": "a\nb"},
        {"template": "x" * 101},
        {"tag": "no spaces"},
        {"tag": "برچسب"},
        {"tag": ""},
        {"key": ""},
        {"key": "x" * 201},
        {"key": "a\x00b"},
        {"lifetime": timedelta(0)},
        {"lifetime": timedelta(days=2)},
    ],
)
def test_what_cannot_be_ordered_is_refused(wrong: dict[str, Any]) -> None:
    assert refused(**wrong)


def test_an_order_that_can_be_carried_out_is_what_was_asked_for() -> None:
    found = otp_request(kind="call", template="ورود", tag="web-1", key="login:7")
    assert (found.kind, found.template, found.tag, found.key) == (OtpKind.CALL, "ورود", "web-1", "login:7")


@given(st.dictionaries(st.sampled_from(sorted(TOKEN_SPACES)), st.text(min_size=4), min_size=1))
def test_no_error_and_no_repr_shows_a_token(tokens: dict[str, str]) -> None:
    hidden = {name: f"{value}73910" for name, value in tokens.items()}
    try:
        shown = repr(otp_request(tokens=hidden, key="k"))
    except BadInput as why:
        shown = f"{why} {why!r} {why.args}"
    assert "73910" not in shown


def test_a_secret_is_the_text_it_is_and_its_repr_is_not() -> None:
    secret = Secret(CODE)
    assert secret == CODE
    assert CODE not in f"{[secret]} { ({'token': secret}) } {secret!r}"
    assert pickle.loads(pickle.dumps(secret)) == CODE  # noqa: S301 - our own
