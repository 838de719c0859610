"""Parameters become the same bytes that the standard library would write, only sooner."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kavenegar_campaigns.kavenegar import call

texts = st.text(st.characters(exclude_categories=("Cs",)))
persian = st.text("سلام دوست‌عزیزپچژگ ۰۱۲۳٫؟%&=+,\n\"'a1😀")


@given(texts | persian | st.text(st.characters(max_codepoint=127)))
@example("%25%")
@example("~-._ +")
def test_an_encoded_text_equals_the_standard_librarys(text: str) -> None:
    assert call.percent_encode(text) == quote(text, safe="")


given_texts = (texts | persian).filter(bool)


@given(st.dictionaries(st.sampled_from(["receptor", "message", "sender"]), given_texts, min_size=1))
def test_a_form_equals_the_standard_librarys_and_reads_back(parameters: dict[str, str]) -> None:
    body = call.encode_form(parameters)
    assert body == urlencode(parameters, quote_via=quote, safe="").encode()
    assert parse_qs(body.decode(), keep_blank_values=True) == {name: [value] for name, value in parameters.items()}


@given(st.lists(texts | persian, max_size=5))
def test_an_array_of_texts_survives_the_form(values: list[str]) -> None:
    body = call.encode_form({"message": call.json_array(values)})
    assert json.loads(parse_qs(body.decode())["message"][0]) == values


def test_persian_letters_stand_in_an_array_as_they_are() -> None:
    assert call.json_array(["سلام"]) == '["سلام"]'
    assert call.json_array([101, 102]) == "[101,102]"


def test_a_parameter_without_a_value_is_left_out_and_zero_is_a_value() -> None:
    assert call.encode_form({"date": None, "status": 0, "hide": 1}) == b"status=0&hide=1"
    assert call.encode_form({"date": None}) == b""


def test_an_empty_parameter_is_no_parameter() -> None:
    with pytest.raises(ValueError, match="defaultsender is empty"):
        call.encode_form({"apilogs": "enabled", "defaultsender": ""})


@pytest.mark.parametrize("values", [["1", "2,3"], ["1", ","], ["1", ""], [""], []])
def test_a_comma_cannot_smuggle_a_value_into_a_list(values: list[str]) -> None:
    with pytest.raises(ValueError, match="comma"):
        call.comma_list(values)


def test_half_of_a_surrogate_pair_is_an_error_that_does_not_hold_the_text() -> None:
    for encode in (call.percent_encode, lambda text: call.json_array([text])):
        with pytest.raises(ValueError, match="surrogate") as caught:
            encode("محرمانه \ud83d")
        assert "محرمانه" not in repr(caught.value)
