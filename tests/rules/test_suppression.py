"""Every reason has its words; the gateway's numbers lead to reasons; what may be written and removed is the spec's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kavenegar_campaigns.rules.suppression import (
    BLOCK_REASONS,
    NOT_WRITTEN_TO_GATEWAY,
    REASONS,
    REMOVABLE_BLOCKREASONS,
    SuppressionReason,
    reason_of_blockreason,
    reason_text,
    suppressed_text,
)


def test_every_reason_has_its_own_words() -> None:
    assert set(REASONS) == set(SuppressionReason)
    assert len({meaning.text for meaning in REASONS.values()}) == len(SuppressionReason)


@pytest.mark.parametrize("number", sorted(BLOCK_REASONS))
def test_every_number_of_the_gateway_has_a_reason_of_its_own(number: int) -> None:
    others = {reason_of_blockreason(other) for other in BLOCK_REASONS if other != number}
    assert reason_of_blockreason(number) not in others
    assert REASONS[reason_of_blockreason(number)].blockreason == number
    assert REASONS[BLOCK_REASONS[number]].removable == (number in REMOVABLE_BLOCKREASONS)


def test_the_gateway_has_five_reasons() -> None:
    assert list(BLOCK_REASONS) == [0, 1, 2, 3, 10]


def test_a_number_nobody_has_documented_is_an_unknown_reason() -> None:
    assert reason_of_blockreason(77) is SuppressionReason.GATEWAY_UNKNOWN


def test_only_what_we_were_asked_for_ourselves_is_written_to_the_gateway() -> None:
    assert set(SuppressionReason) - set(NOT_WRITTEN_TO_GATEWAY) == {
        SuppressionReason.OPTED_OUT,
        SuppressionReason.MANUAL,
        SuppressionReason.IMPORTED,
    }


def test_a_suppression_is_told_in_words_with_the_day_of_tehran() -> None:
    late = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
    assert suppressed_text("opted_out", late) == "suppressed: opted out by an inbound message, 2026-11-20"
    assert reason_text("moved abroad") == "moved abroad"
