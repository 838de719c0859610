"""The sample is what customers send: every spelling, doubles, mistakes and gaps, and the same file every time."""

from __future__ import annotations

import re
from pathlib import Path

import kavenegar_campaigns as campaigns
from campaigns_devkit.demo import sample
from kavenegar_campaigns.rules.phone import is_mobile, normalise_mobile

COMMITTED = Path(__file__).resolve().parents[2] / "samples" / "recipients.csv"

SPELLINGS = {
    "0912…": r"0[0-9]{10}",
    "+98912…": r"\+98[0-9]{10}",
    "0098912…": r"0098[0-9]{10}",
    "912…": r"9[0-9]{9}",
    "Persian digits": r"[۰-۹]{11}",
    "Arabic digits": r"\+[٠-٩]{12}",
    "spaces": r"0[0-9]{3} [0-9]{3} [0-9]{4}",
}


def test_the_sample_holds_every_spelling_and_every_mistake(tmp_path: Path) -> None:
    sample.write(tmp_path / "sample.csv", 5000)
    mobiles = [mobile for _, mobile, _, _ in sample.rows(5000)]

    found = campaigns.estimate(tmp_path / "sample.csv", sample.TEXT)

    assert found.rows_read == 5000
    assert found.duplicates > 100
    assert found.rejects > 100
    assert found.messages > 4000
    assert found.parts == found.messages
    for spelling, pattern in SPELLINGS.items():
        assert any(re.fullmatch(pattern, mobile) for mobile in mobiles), spelling


def test_no_number_of_the_sample_is_anybodys() -> None:
    mobiles = {normalise_mobile(mobile) for _, mobile, _, _ in sample.rows(5000) if is_mobile(mobile)}

    assert all(mobile.startswith("097") for mobile in mobiles)


def test_the_sample_is_the_same_every_time_and_its_beginning_is_in_the_repository(tmp_path: Path) -> None:
    sample.write(tmp_path / "sample.csv", 20)

    assert list(sample.rows(500)) == list(sample.rows(500))
    assert (tmp_path / "sample.csv").read_bytes() == COMMITTED.read_bytes()
