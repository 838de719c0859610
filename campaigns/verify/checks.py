"""What a check of a campaign's record says, and what all of them come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about a campaign's record; `says` is a sentence.

    `holds` is None where the claim was not checked. `missed`: it is a claim about this campaign that should have been
    checked, and could not be: the gateway did not answer, or no longer tells. Else it does not apply.
    """

    name: str
    holds: bool | None
    says: str
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """All checks of a campaign. It is true when nothing that was checked was found wrong."""

    checks: Sequence[Check]

    @property
    def true(self) -> bool:
        """Whether nothing was found wrong."""
        return all(check.holds is not False for check in self.checks)

    @property
    def checked(self) -> bool:
        """Whether everything was checked that applies to the campaign."""
        return not any(check.missed for check in self.checks)
