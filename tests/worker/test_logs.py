"""What leaves through the log: events with ids, and never a key, a password, or a number that could be called."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import requests
import structlog
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from kavenegar_campaigns.store.engine import make_engine
from kavenegar_worker.logs import configure, formatter, redact, redact_event

KEY = "4A6B7C8D9E0F1A2B3C4D"
SUBSCRIBER = st.from_regex(r"9[0-9]{9}", fullmatch=True)


@pytest.mark.parametrize(
    "url",
    [
        f"https://api.kavenegar.com/v1/{KEY}/sms/send.json",
        f"http://127.0.0.1:8080/v1/{KEY}/account/info.json?x=1",
        f"Max retries exceeded with url: /v1/{KEY}/sms/status.json (Caused by …)",
        f'"POST /v1/{KEY}/sms/send.json HTTP/1.1" 200',
        f"GET /v1/{KEY}/utils/getdate.json and /v1/{KEY}/sms/send.json",
    ],
)
def test_the_key_in_a_url_is_blotted_out(url: str) -> None:
    assert KEY not in redact(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://campaigns:hunter2@db/sms",
        "redis://:hunter2@broker:6379/0",
        "rediss://user:hunter2@broker",
        "cannot connect to postgresql://u:hunter2@h and redis://:hunter2@h",
        "postgresql://u:hunter2@with-an-at@h/d",
    ],
)
def test_the_password_in_an_address_is_blotted_out(url: str) -> None:
    found = redact(url)
    assert "hunter2" not in found
    assert "with-an-at" not in found


@given(
    SUBSCRIBER,
    st.sampled_from(["0", "+98", "0098", "98", ""]),
    st.sampled_from(["{}", "receptor={}&x", "[{}]", "'{}'", "a{}b", "{},{}", "%2B{}", "({})", "x={};"]),
)
def test_no_number_that_could_be_called_is_left(subscriber: str, start: str, frame: str) -> None:
    written = frame.replace("{}", start + subscriber)
    assert subscriber not in redact(written)
    assert subscriber[3:] not in redact(written)


@pytest.mark.parametrize("written", ["۰۹۱۲۳۴۵۶۷۸۹", "٠٩١٢٣٤٥٦٧٨٩"], ids=["Persian", "Arabic"])
def test_a_number_is_blotted_out_in_the_digits_of_its_country_too(written: str) -> None:
    assert redact(f"to {written}") != f"to {written}"


def test_the_last_four_digits_stay_so_that_a_line_can_be_found_again() -> None:
    assert redact("to 09121234567.") == "to 09***4567."


@pytest.mark.parametrize(
    "harmless",
    ["batch_id=8201815577559664", "gateway_id=1970430810", "took 912 ms", "2026-11-23T06:31:01", "rial=9000000000000"],
)
def test_ids_and_times_stay_readable(harmless: str) -> None:
    assert redact(harmless) == harmless


# ── lines ──


def line(message: str, *args: object, log_format: str = "console", **facts: object) -> str:
    record = logging.LogRecord("kavenegar_campaigns.stages.submit", logging.INFO, __file__, 1, message, args, None)
    vars(record).update(facts)
    return formatter(log_format).format(record)


def test_an_event_is_one_line_with_its_facts() -> None:
    printed = line("batch accepted", batch_id=17, code=None)
    assert printed.endswith("INFO kavenegar_campaigns.stages.submit batch accepted batch_id=17 code=None")
    assert printed.startswith("20")


def test_facts_are_redacted_like_words() -> None:
    printed = line("call failed", url=f"/v1/{KEY}/sms/send.json", number="09121234567")
    assert KEY not in printed
    assert "0912123" not in printed


def test_a_fact_cannot_begin_a_line_of_its_own() -> None:
    """Some facts are the gateway's words; a line break in one would forge an event."""
    assert len(line("call failed", trouble="no\n2026-01-01T00:00:00 INFO all is well").splitlines()) == 1


def test_json_is_an_object_a_line_with_the_types_of_its_facts() -> None:
    printed = line(
        "batch accepted", log_format="json", batch_id=17, code=None, trouble="no\nmore", share=0.5, odd=float("nan")
    )
    assert len(printed.splitlines()) == 1
    found = json.loads(printed)
    assert found.pop("timestamp").startswith("20")
    assert found == {
        "event": "batch accepted", "level": "info", "logger": "kavenegar_campaigns.stages.submit",
        "batch_id": 17, "code": None, "trouble": "no\nmore", "share": 0.5, "odd": "nan",
    }  # fmt: skip


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_kind_of_fact_escapes_redaction(log_format: str) -> None:
    printed = line(
        "to %s", "۰۹۱۲۳۴۵۶۷۸۹", log_format=log_format,
        whole=9121234567, listed=["09121234567"], mapped={"09121234567": ("+989121234567",)},
        error=ValueError("09121234567"), data={"args": "09121234567"}, huge=10**30,
        text="a text of ours", Token="hunter2", nested={"password": "hunter2"},
    )  # fmt: skip
    for secret in ("912123", "۹۱۲۳", "\\u06f9", "a text of ours", "hunter2"):
        assert secret not in printed
    assert str(10**30) in printed


def test_redaction_is_one_processor_and_leaves_what_is_harmless_as_it_is() -> None:
    facts = {"event": "batch accepted", "batch_id": 17, "share": 0.5, "done": True, "code": None}
    assert redact_event(None, "info", dict(facts)) == facts


def test_a_traceback_is_redacted_with_everything_it_was_caused_by() -> None:
    try:
        try:
            requests.get(f"http://127.0.0.1:1/v1/{KEY}/sms/send.json?receptor=09121234567", timeout=1)
        except requests.ConnectionError as why:
            raise RuntimeError(f"it was https://x/v1/{KEY}/sms/send.json") from why
    except RuntimeError as why:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), (type(why), why, why.__traceback__))
    printed = formatter().format(record)
    assert "ConnectionError" in printed
    assert "Traceback" in printed
    assert KEY not in printed
    assert "09121234567" not in printed


def test_a_database_that_cannot_be_reached_does_not_tell_its_password() -> None:
    engine = make_engine("postgresql+psycopg://somebody:hunter2@127.0.0.1:1/sms")
    try:
        engine.connect()
    except OperationalError as why:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), (type(why), why, why.__traceback__))
    assert "hunter2" not in formatter().format(record)
    assert "hunter2" not in repr(engine)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, given back as it was, and the level of every other."""
    found = logging.getLogger()
    handlers = found.handlers[:]
    loggers = [found, *(logging.getLogger(name) for name in found.manager.loggerDict)]
    levels = [each.level for each in loggers]
    yield found
    structlog.reset_defaults()
    found.handlers[:] = handlers
    for each, level in zip(loggers, levels, strict=True):
        each.setLevel(level)


def test_whatever_library_logs_it_passes_the_same_door(root: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    logging.getLogger("some.library").warning("calling %s", f"https://x/v1/{KEY}/sms/send.json?receptor=09121234567")
    logging.getLogger("urllib3.connectionpool").debug("POST /v1/%s/sms/send.json", KEY)
    printed = capfd.readouterr().err
    assert "some.library calling https://x/v1/***/sms/send.json" in printed
    assert KEY not in printed
    assert "urllib3" not in printed


def test_records_of_other_libraries_are_json_as_well_and_redacted(
    root: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    configure("INFO", "json")
    why = RuntimeError(f"https://x/v1/{KEY}/sms/send.json")
    logging.getLogger("some.library").error("to %s", "09121234567", exc_info=why)
    found = json.loads(capfd.readouterr().err)
    assert (found["logger"], found["level"], found["event"]) == ("some.library", "error", "to 09***4567")
    assert "RuntimeError: https://x/v1/***/sms/send.json" in found["exception"]


def test_a_logger_of_structlog_passes_the_same_door(root: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    structlog.get_logger("a.host").info("number seen", number="09121234567")
    structlog.get_logger("a.host").debug("nothing")
    assert capfd.readouterr().err.endswith("INFO a.host number seen number=09***4567\n")
