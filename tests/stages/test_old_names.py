"""Public names that were replaced: the old ones work for one release more, and warn."""

from __future__ import annotations

import pytest

import kavenegar_campaigns as campaigns

RENAMED = {
    "Kind": "CampaignKind",
    "Reason": "SuppressionReason",
    "inbound": "get_inbound",
    "inbox": "list_inbound",
    "otp": "order_otp",
    "report": "build_report",
    "taken": "acknowledge",
    "waiting": "why_waiting",
}


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_gives_the_same_function_and_a_warning_that_says_the_new_one(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"campaigns.{old} has become campaigns.{new};"):
        found = getattr(campaigns, old)
    assert found is getattr(campaigns, new)
    assert new in campaigns.__all__
    assert old not in campaigns.__all__


def test_a_name_that_never_was_is_none() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'receipts'"):
        campaigns.receipts  # noqa: B018 - reading it is the test


OLD_ATTRIBUTES = [
    (campaigns.Campaign, "manner", "options"),
    (campaigns.Inbound, "hand_at", "next_delivery_at"),
    (campaigns.Inbound, "hands", "delivery_attempts"),
    (campaigns.Inbound, "taken_at", "acknowledged_at"),
    (campaigns.Otp, "code", "refused_code"),
]


@pytest.mark.parametrize(("record", "old", "new"), OLD_ATTRIBUTES)
def test_an_old_attribute_gives_the_same_value_and_a_warning_that_says_the_new_one(
    record: type, old: str, new: str
) -> None:
    class Answering:
        """Stands for a record of that class: it has the new attribute alone."""

    made = Answering()
    setattr(made, new, "the value")
    with pytest.warns(DeprecationWarning, match=f"{record.__name__}.{old} has become {new};") as warned:
        assert getattr(record, old).fget(made) == "the value"
    assert warned[0].filename == __file__
    assert hasattr(record, new)


def test_an_old_member_of_an_enum_is_the_new_one() -> None:
    assert campaigns.SuppressionReason("by_hand") is campaigns.SuppressionReason.MANUAL
    assert campaigns.SuppressionReason.BY_HAND is campaigns.SuppressionReason.MANUAL
