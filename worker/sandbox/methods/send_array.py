"""sms/sendarray: a text and a line of its own for each of at most 200 receptors, as JSON arrays.

`localmessageids` is a JSON array, or a comma list as some clients send it; given in any way, it must have one id
for each receptor: "null" and an empty one are 419. Source: kavenegar-rest, sms/sendarray.
"""

from __future__ import annotations

from worker.sandbox import acceptance, rules
from worker.sandbox.account import Account
from worker.sandbox.checks import Draft
from worker.sandbox.envelope import Answer, Call
from worker.sandbox.localids import Localid, localid
from worker.sandbox.parameters import UNSET, array, array_or_list, strings


def answer(account: Account, call: Call) -> Answer:
    params, lenient = call.params, account.knobs.lenient_numbers
    draft = Draft(
        method=call.method,
        receptors=[rules.receptor(raw, lenient=lenient) for raw in strings(params["receptor"])],
        senders=[rules.sender(raw) for raw in strings(params["sender"])],
        texts=strings(params["message"]),
        localids=_localids(params.get("localmessageids")),
        starts_at=acceptance.starts_at(account, params.get("date", "")),
        tag=params.get("tag", ""),
        other_lengths=_lengths(params.get("type", "")),
    )
    return Answer(entries=acceptance.take(account, draft))


def _localids(raw: str | None) -> list[Localid] | None:
    if raw is None:
        return None
    return [] if raw in UNSET else [localid(value) for value in array_or_list(raw)]


def _lengths(kinds: str) -> tuple[int, ...]:
    """How many display types were given, where any were."""
    return () if kinds in UNSET else (len(array(kinds)),)
