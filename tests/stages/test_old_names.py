"""Functions of the public API that had the name of a module: their old names work for one release more, and warn."""

from __future__ import annotations

import pytest

import campaigns

RENAMED = {
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
