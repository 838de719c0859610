"""call/maketts: a text read aloud to at most 200 telephones, from a line of the gateway's own.

One receptor is answered with an object, as in the spec's sample, or with an array (the knob `tts_entries`);
several with an array. Source: kavenegar-rest, call/maketts.
"""

from __future__ import annotations

from kavenegar_sandbox import acceptance, rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import Draft
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.localids import localids
from kavenegar_sandbox.manner import CALL, Manner
from kavenegar_sandbox.parameters import BLANK, listed

_REPEATS = frozenset("012345")


def answer(account: Account, call: Call) -> Answer:
    params, knobs = call.params, account.knobs
    receptors = [rules.telephone(raw, lenient=knobs.lenient_numbers) for raw in listed(params["receptor"])]
    manner = Manner(kind=CALL, voice=True, tag=params.get("tag", ""), repeat=_repeat(params.get("repeat", "")))
    draft = Draft(
        method=call.method,
        kind=CALL,
        receptors=receptors,
        senders=[knobs.service_sender] * len(receptors),
        texts=[params["message"]] * len(receptors),
        manners=[manner] * len(receptors),
        localids=localids(params.get("localid", "")),
        starts_at=acceptance.starts_at(account, params.get("date", "")),
        tag=manner.tag,
    )
    rows = acceptance.take(account, draft, at_most=call.at_most)
    alone = len(receptors) == 1 and knobs.tts_entries == "object"
    return Answer(entries=rows[0] if alone and rows else rows)


def _repeat(raw: str) -> int:
    """How often an unanswered call is made again. Raises Refusal(400) unless it is 0 to 5."""
    if raw in BLANK:
        return 0
    if raw not in _REPEATS:
        raise Refusal(400)
    return int(raw)
