"""One-time passwords keep the code of a refusal under the name that messages use."""

from __future__ import annotations

from kavenegar_campaigns.store.migrations import Renames

revision = "0006_4"
down_revision = "0006_3"
branch_labels = None
depends_on = None

RENAMES = Renames("otps", columns={"code": "refused_code"})


def upgrade() -> None:
    """Give the new names."""
    RENAMES.apply()


def downgrade() -> None:
    """Give back the old names."""
    RENAMES.take_back()
