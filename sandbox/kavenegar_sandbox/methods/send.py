"""sms/send: one text to at most 200 receptors. Source: kavenegar-rest, sms/send."""

from __future__ import annotations

from kavenegar_sandbox import acceptance, rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import Draft
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.localids import localids
from kavenegar_sandbox.manner import Manner, display, is_hidden
from kavenegar_sandbox.parameters import listed


def answer(account: Account, call: Call) -> Answer:
    params, knobs = call.params, account.knobs
    receptors = [rules.receptor(raw, lenient=knobs.lenient_numbers) for raw in listed(params["receptor"])]
    line = rules.sender(params.get("sender") or knobs.default_sender)
    manner = Manner(
        hidden=is_hidden(params.get("hide", "")),
        tag=params.get("tag", ""),
        policy=params.get("policy", ""),
        display=display(params.get("type", ""), line),
    )
    draft = Draft(
        method=call.method,
        receptors=receptors,
        senders=[line] * len(receptors),
        texts=[params["message"]] * len(receptors),
        manners=[manner] * len(receptors),
        localids=localids(params.get("localid", "")),
        starts_at=acceptance.starts_at(account, params.get("date", "")),
        tag=manner.tag,
    )
    return Answer(entries=acceptance.take(account, draft, at_most=call.at_most))
