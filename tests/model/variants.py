"""Which worlds the model is checked in, and what must come out: see docs/model.md.

A switch is set as in `NAME=value`; docs/model/switches.pml explains each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.model.spin import Seen


class Kind(StrEnum):
    """What a variant is for."""

    SAFE = "safe"  # however many faults: nothing twice, nothing untrue
    ENDS = "ends"  # after so many faults every message has an ending, and nothing goes round for ever
    ASSUMPTION = "assumption"  # what is taken for granted does not hold
    MUTANT = "mutant"  # a rule of the protocol is left out
    FOUND = "found"  # a mutant that the code once was: found with the model


@dataclass(frozen=True, slots=True)
class Variant:
    """One world. `long` ones take minutes or much memory, and run with `scripts/model --long` only."""

    kind: Kind
    name: str
    says: str
    switches: str = ""
    expected: Seen = Seen.HOLDS
    long: bool = False

    @property
    def defines(self) -> list[str]:
        """Its switches, as spin takes them."""
        ends = "PROGRESS=1 " if self.kind is Kind.ENDS else ""
        return [f"-D{switch}" for switch in (ends + self.switches).split()]


_ONE: Final = "MESSAGES=1"
_WINDOW: Final = "WINDOW=6"
_APART: Final = "COLLISION=1 DEDUPE=1 RENEW=1"

_SAFE: Final = (
    ("faults", "crashes, lost and partial answers, refusals, cancellations, without limit", ""),
    ("dedupe", "the same, at a gateway that drops repeated localids", "DEDUPE=1"),
    ("window", "the gateway forgets a localid", f"MESSAGES=1 {_WINDOW}"),
    ("one look", "the lease is looked at once, and its clock counts sleep", "LOOKS_ONCE=1 MESSAGES=1"),
    (
        "two looks",
        "the deadline's clock does not count sleep, and the lease is looked at twice",
        "TWO_CLOCKS=1 MESSAGES=1",
    ),
    ("renewed", "ids are renewed at any moment", f"RENEW=1 {_ONE}"),
    ("collision", "another database has used some of our ids, and ids are renewed", f"{_APART}"),
    ("suppressed", "recipients are suppressed at any moment", f"SUPPRESSING=1 DRAFT=1 {_ONE}"),
    ("returned", "the database returns to any earlier state", f"RETURNS=1 {_ONE}"),
    ("returned, twice", "and once more", f"RETURNS=2 {_ONE}"),
    ("returned, window", "and the gateway forgets", f"RETURNS=1 {_ONE} {_WINDOW}"),
    ("returned, draft", "drafts are started and suppressed after it", f"RETURNS=1 DRAFT=1 SUPPRESSING=1 {_ONE}"),
    ("returned, renewed", "and ids are renewed, once all is well", f"RETURNS=1 RENEW=1 {_ONE}"),
    ("returned, renewed, draft", "and a draft is started", f"RETURNS=1 RENEW=1 DRAFT=1 {_ONE}"),
    ("returned, collision", "and ids collide", f"{_APART} RETURNS=1 {_ONE}"),
    ("returned, other account", "under the second account", f"RETURNS=1 DRAFT=1 KEYCHANGE=2 {_ONE}"),
    ("restarted", "the server restarts, and loses nothing", f"RESTARTS=2 {_ONE}"),
    ("key changed", "workers run under the keys of two accounts", f"KEYCHANGE=1 {_ONE}"),
    ("key changed, window", "and the gateway forgets", f"KEYCHANGE=1 {_ONE} {_WINDOW}"),
    ("clock leaps", "the database's clock leaps ahead", "CLOCKJUMP=1 MESSAGES=1"),
    ("clock leaps, returned", "and the database returns", f"CLOCKJUMP=1 RETURNS=1 {_ONE}"),
)
_LONG: Final = (
    ("returned, two", "the database returns, with two messages", "RETURNS=1"),
    ("clock leaps, two", "the clock leaps, with two messages", "CLOCKJUMP=1"),
    ("key changed, two", "two accounts, two messages", "KEYCHANGE=1"),
    ("window, two", "the gateway forgets, two messages", _WINDOW),
)
_ENDS: Final = (
    ("four faults", "four faults of any kind", "BUDGET=4"),
    ("four faults, window", "the same, and the gateway forgets", f"BUDGET=4 {_WINDOW}"),
    ("three faults, returned", "the database returns", f"BUDGET=3 RETURNS=1 {_ONE}"),
    ("three faults, draft", "it returns, and drafts are started", f"BUDGET=3 RETURNS=1 DRAFT=1 {_ONE}"),
    ("three faults, other account", "it returns, under the second account", f"BUDGET=3 RETURNS=1 KEYCHANGE=2 {_ONE}"),
    ("three faults, restarted", "the server restarts", f"BUDGET=3 RESTARTS=2 {_ONE}"),
    ("three faults, key changed", "two accounts", f"BUDGET=3 KEYCHANGE=1 {_ONE}"),
    ("three faults, clock leaps", "the clock leaps", f"BUDGET=3 CLOCKJUMP=1 {_ONE}"),
    ("three faults, collision", "another database has used our ids", f"BUDGET=3 COLLISION=1 DEDUPE=1 {_ONE}"),
)
_FOUND: Final = (
    (
        "ends before the handling",
        "a campaign is cancelled in a restored database: what was sent is recorded as cancelled",
        f"RETURNS=1 {_ONE} ENDS_BEFORE_HANDLING=1",
        Seen.UNTRUE,
    ),
    (
        "lost since its own ticks",
        "a restored database that ticks takes its own ticks for a sign of life: asked about too late, and sent twice",
        f"RETURNS=1 {_ONE} {_WINDOW} LOST_SINCE_TICKS=1 TRUTH=0",
        Seen.TWICE,
    ),
    (
        "suppressed at the cut",
        "a draft that left in the lost history is cut again: what was sent is recorded as suppressed",
        f"RETURNS=1 DRAFT=1 SUPPRESSING=1 {_ONE} SUPPRESSED_AT_CUT=1",
        Seen.UNTRUE,
    ),
    (
        "account unset",
        "after a restore, what was ready is taken for the first account's, which nobody has the key of: "
        "it stays unknown",
        f"BUDGET=1 PROGRESS=1 RETURNS=1 KEYCHANGE=2 {_ONE} ACCOUNT_UNSET=1",
        Seen.ENDLESS,
    ),
    (
        "moved at the start",
        "a draft of before a renewal left under ids that only the lost history knew: sent twice",
        f"RETURNS=1 RENEW=1 DRAFT=1 {_ONE} MOVED_AT_START=1 TRUTH=0",
        Seen.TWICE,
    ),
    (
        "collision unfenced",
        "whoever lost the claim sets a ready batch apart, which no table of moves allows",
        f"{_APART} RETURNS=1 {_ONE} COLLISION_UNFENCED=1",
        Seen.MOVE,
    ),
)
_ASSUMPTIONS: Final = (
    ("latest act", "the gateway acts on a request for longer than UNKNOWN_GRACE", "LATEST_ACT=3 MESSAGES=1"),
    ("frozen", "a process stands still between its last look and the write", "FREEZE=1 MESSAGES=1"),
    (
        "answers early",
        "a refusal or 429/451 comes first, and the messages are accepted after it",
        "ANSWERS_EARLY=1 MESSAGES=1",
    ),
    ("forgets early", "the gateway forgets a localid sooner than is documented", "WINDOW=6 MARGIN=-3 MESSAGES=1"),
    ("ids shared", "another database uses our ids, at a gateway that does not dedupe", f"COLLISION=1 RENEW=1 {_ONE}"),
    (
        "renewed in the lost history",
        "ids were renewed in the history that was lost",
        f"RETURNS=1 RENEW=1 RENEW_LOST=1 {_ONE}",
    ),
    (
        "old database lives",
        "somebody goes on to claim from the history that was given up",
        f"RETURNS=1 OLD_DATABASE_LIVES=1 {_ONE}",
    ),
    (
        "lossy restart",
        "a restart loses commits, and the sample shows none of them yet",
        f"RETURNS=1 LOSSY_RESTART=1 {_ONE}",
    ),
    ("unnoticed return", "the database returns, and its identity looks right", f"RETURNS=1 UNNOTICED_RETURN=1 {_ONE}"),
    (
        "two accounts in the lost history",
        "keys of two accounts were in use in the history that was lost",
        f"RETURNS=1 KEYCHANGE=1 {_ONE}",
    ),
    (
        "fresh process",
        "the clock leaps, and only a process that knows no other time is awake",
        "CLOCKJUMP=1 FRESH_PROCESS=1 MESSAGES=1",
    ),
)
_MUTANTS: Final = (
    ("no in_time", "the lease is not looked at", "NO_IN_TIME=1 MESSAGES=1"),
    (
        "two clocks",
        "the deadline's clock does not count sleep, and the lease is looked at once",
        "TWO_CLOCKS=1 LOOKS_ONCE=1 MESSAGES=1",
    ),
    ("settle too short", "UNKNOWN_GRACE is not longer than the latest act", "UNKNOWN_GRACE=1 MESSAGES=1"),
    ("402 is no", "402 and 409 are taken for not done", "NOT_DONE_402=1 MESSAGES=1"),
    ("409 is tried again", "409 is tried again within the call", "RETRY_409=1 MESSAGES=1"),
    ("undocumented is no", "an undocumented code is taken for not done", "UNDOCUMENTED_IS_NO=1 MESSAGES=1"),
    ("refused is no", "refusals are halved and recorded without asking", "REFUSED_IS_NO=1"),
    ("part of an answer", "what an answer leaves out is taken for never seen", "PART_OF_ANSWER=1"),
    (
        "window at the claim",
        "the window is judged when the question is claimed",
        f"WINDOW_AT_CLAIM=1 MESSAGES=1 {_WINDOW}",
    ),
    (
        "refusal without window",
        "after a refusal, the window is not judged",
        f"REFUSAL_WITHOUT_WINDOW=1 MESSAGES=1 {_WINDOW}",
    ),
    ("no fence", "decisions are written down whoever holds the batch", "NO_FENCE=1 MESSAGES=1"),
    ("owner is the process", "the fence knows no call, and a commit is lost", f"RETURNS=1 OWNER_IS_PROCESS=1 {_ONE}"),
    ("any account", "a batch is asked about under any key", f"KEYCHANGE=1 ANY_ACCOUNT=1 {_ONE}"),
    ("no quiet", "a leap of the clock is believed at once", "CLOCKJUMP=1 NO_QUIET=1 MESSAGES=1"),
    ("no handling", "after a restore sending goes on", f"RETURNS=1 NO_HANDLING=1 {_ONE}"),
    ("renew instead", "after a restore ids are renewed, as the README once said", f"RETURNS=1 RENEW_INSTEAD=1 {_ONE}"),
    ("no wait", "after a restore questions are asked at once", f"RETURNS=1 NO_WAIT=1 {_ONE}"),
    ("owners kept", "the handling does not end the claims of the lost history", f"RETURNS=1 OWNERS_KEPT=1 {_ONE}"),
    ("drafts born ready", "what is cut after a restore leaves unasked", f"RETURNS=1 DRAFT=1 DRAFTS_READY=1 {_ONE}"),
    (
        "renewed anywhere",
        "ids are renewed in a database that was restored",
        f"RETURNS=1 RENEW=1 RENEW_ANYWHERE=1 {_ONE}",
    ),
    ("collision forgets", "a collision throws away what is ours", f"{_APART} COLLISION_FORGETS=1"),
)


def _twice(kind: Kind, name: str, says: str, switches: str) -> Variant:
    """One that makes people get a message twice: nothing less will do."""
    return Variant(kind, name, says, f"TRUTH=0 {switches}", Seen.TWICE)


VARIANTS: Final = [
    *(Variant(Kind.SAFE, *row) for row in _SAFE),
    *(Variant(Kind.SAFE, *row, long=True) for row in _LONG),
    *(Variant(Kind.ENDS, *row) for row in _ENDS),
    *(Variant(Kind.FOUND, *row) for row in _FOUND),
    *(_twice(Kind.ASSUMPTION, *row) for row in _ASSUMPTIONS),
    *(_twice(Kind.MUTANT, *row) for row in _MUTANTS),
    Variant(
        Kind.MUTANT,
        "no lapse",
        "nobody looks for leases that ran out",
        "NO_LAPSE=1 MESSAGES=1 BUDGET=2 PROGRESS=1",
        Seen.ENDLESS,
    ),
]
