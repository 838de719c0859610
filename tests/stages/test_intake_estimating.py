"""An estimate tells beforehand what creation will make, in little memory."""

from __future__ import annotations

import io
import tracemalloc

from sqlalchemy import Engine

from kavenegar_campaigns import Preview
from kavenegar_campaigns.stages.intake import estimate
from tests.stages.recipients import PEOPLE, TEXT, make, numbers, one


def test_an_estimate_counts_what_creation_will_make(engine: Engine) -> None:
    found = estimate(io.StringIO(PEOPLE), TEXT)
    with engine.begin() as connection:
        make(connection)
        campaign = one(connection, "SELECT rows_read, messages, duplicates, rejects, parts FROM sms.campaigns")
    assert (found.rows_read, found.messages, found.duplicates, found.rejects, found.parts) == tuple(campaign)
    assert (found.parts_persian, found.parts_latin, found.longest) == (2, 0, 9)
    assert len(found.reasons) == 2
    assert found.reasons[1] == "row 6: there is no value for {name}"
    latin = estimate([("09121234567", {"name": "Ali"}), ("09351234567", {"name": "x" * 160})], "{name}")
    assert (latin.parts_persian, latin.parts_latin, latin.longest) == (0, 3, 160)


def test_an_estimate_holds_the_first_and_the_longest_text_as_they_would_be_sent() -> None:
    found = estimate(io.StringIO(PEOPLE), TEXT)
    assert (found.first_text, found.longest_text) == ("سلام علی", "سلام مریم")
    uniform = estimate(["09121234567"], "سلام {{x}}")
    assert (uniform.first_text, uniform.longest_text) == ("سلام {x}", "سلام {x}")


def peak_of(rows: int) -> int:
    """Bytes that sifting so many rows needs at the most."""
    tracemalloc.start()
    try:
        estimate(((number, {"name": "علی"}) for number in numbers(rows)), TEXT)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_recipients() -> None:
    assert peak_of(20_000) < peak_of(2_000) + 200_000


def test_an_estimate_and_a_preview_do_not_show_a_text_where_they_are_logged() -> None:
    assert "سارا" not in repr(estimate([("09705550001", {"name": "سارا"})], "سلام {name}"))
    assert "سارا" not in repr(Preview("سارا", 1, "سارا", 1))
