"""A project that has this package installed, and does not use it in its tests."""

from __future__ import annotations

import sys


def test_nothing_of_ours_is_imported(request: object) -> None:
    assert "kavenegar_campaigns_pytest" in sys.modules
    assert not [each for each in sys.modules if each.split(".")[0] in {"kavenegar_campaigns", "sqlalchemy", "django"}]
