"""sms/sendarray: a text and a line of its own for each of at most 200 receptors, as JSON arrays.

`localmessageids` is a JSON array, or a comma list as some clients send it; given in any way, it must have one id
for each receptor: "null" and an empty one are 419. Source: kavenegar-rest, sms/sendarray.
"""

from __future__ import annotations

from kavenegar_sandbox import acceptance, rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import Draft
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.localids import Localid, localid
from kavenegar_sandbox.manner import Manner, display, is_hidden
from kavenegar_sandbox.parameters import BLANK, UNSET, array_or_list, strings


def answer(account: Account, call: Call) -> Answer:
    params, lenient = call.params, account.knobs.lenient_numbers
    receptors = [rules.receptor(raw, lenient=lenient) for raw in strings(params["receptor"])]
    senders = [rules.sender(raw) for raw in strings(params["sender"])]
    displays = _displays(params.get("type", ""), len(receptors))
    draft = Draft(
        method=call.method,
        receptors=receptors,
        senders=senders,
        texts=strings(params["message"]),
        manners=_manners(call, displays, senders),
        localids=_localids(params.get("localmessageids")),
        starts_at=acceptance.starts_at(account, params.get("date", "")),
        tag=params.get("tag", ""),
        other_lengths=(len(displays),),
    )
    return Answer(entries=acceptance.take(account, draft, at_most=call.at_most))


def _localids(raw: str | None) -> list[Localid] | None:
    if raw is None:
        return None
    return [] if raw in UNSET else [localid(value) for value in array_or_list(raw)]


def _displays(raw: str, count: int) -> list[str]:
    """The display types as they were given, or `count` times none."""
    return [""] * count if raw in BLANK else strings(raw)


def _manners(call: Call, displays: list[str], senders: list[str]) -> list[Manner]:
    """One for each receptor, as far as both columns go."""
    hidden = is_hidden(call.params.get("hide", ""))
    tag, policy = call.params.get("tag", ""), call.params.get("policy", "")
    return [
        Manner(hidden=hidden, tag=tag, policy=policy, display=display(raw, line))
        for raw, line in zip(displays, senders, strict=False)
    ]
