"""Every reason has its words; the gateway's numbers lead to reasons; what may be written and removed is the spec's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns.kavenegar.codes import BLOCK_REASONS
from campaigns.rules.suppression import MEANINGS, NOT_WRITTEN, REMOVABLE, Reason, of_blockreason, told, told_of


def test_every_reason_has_its_own_words() -> None:
    assert set(MEANINGS) == set(Reason)
    assert len({meaning.told for meaning in MEANINGS.values()}) == len(Reason)


@pytest.mark.parametrize("number", sorted(BLOCK_REASONS))
def test_every_number_of_the_gateway_has_a_reason_of_its_own(number: int) -> None:
    others = {of_blockreason(other) for other in BLOCK_REASONS if other != number}
    assert of_blockreason(number) not in others
    assert MEANINGS[of_blockreason(number)].blockreason == number
    assert BLOCK_REASONS[number].removable == (number in REMOVABLE)


def test_a_number_nobody_has_documented_is_an_unknown_reason() -> None:
    assert of_blockreason(77) is Reason.GATEWAY_UNKNOWN


def test_only_what_we_were_asked_for_ourselves_is_written_to_the_gateway() -> None:
    assert set(Reason) - set(NOT_WRITTEN) == {Reason.OPTED_OUT, Reason.BY_HAND, Reason.IMPORTED}


def test_a_suppression_is_told_in_words_with_the_day_of_tehran() -> None:
    late = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
    assert told_of("opted_out", late) == "suppressed: opted out by an inbound message, 2026-11-20"
    assert told("moved abroad") == "moved abroad"
