"""verify/lookup: a one-time password in a text the customer had approved, by SMS or read aloud by telephone.

It goes out from a line of the gateway's choosing, before everything else, and to those too who want no advertising.
A landline in Iran is always called. Source: kavenegar-rest, verify/lookup.
"""

from __future__ import annotations

from kavenegar_sandbox import acceptance, rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import Draft, bad_receptors
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.manner import OTP, Manner
from kavenegar_sandbox.parameters import UNSET
from kavenegar_sandbox.tokens import has_token, is_number, refusal, rendered, tokens

_BY_TELEPHONE = {"sms": False, "call": True}


def answer(account: Account, call: Call) -> Answer:
    params, knobs = call.params, account.knobs
    if not knobs.advanced_service:
        raise Refusal(426)
    receptor = rules.anywhere(params["receptor"], lenient=knobs.lenient_numbers)
    if receptor is None or receptor in bad_receptors(knobs):
        raise Refusal(411)
    voice = _by_telephone(params.get("type", ""), receptor)
    text = _text(account, call, voice=voice)
    manner = Manner(kind=OTP, voice=voice, tag=params.get("tag", ""))
    draft = Draft(
        method=call.method,
        kind=OTP,
        receptors=[receptor],
        senders=[knobs.service_sender],
        texts=[text],
        manners=[manner],
        localids=None,
        starts_at=account.clock.now(),
        tag=manner.tag,
    )
    return Answer(entries=acceptance.take(account, draft))


def _by_telephone(raw: str, receptor: int) -> bool:
    """`type`, in any letter case. Raises Refusal(400) for anything but sms and call."""
    asked = "sms" if raw in UNSET else raw.lower()
    if asked not in _BY_TELEPHONE:
        raise Refusal(400)
    return _BY_TELEPHONE[asked] or rules.is_landline(receptor)


def _text(account: Account, call: Call, *, voice: bool) -> str:
    """The template with its tokens. Raises Refusal(424, 432, 431, 428 or 422)."""
    template = account.knobs.templates.get(call.params["template"].strip())
    if template is None:
        raise Refusal(424)
    if not has_token(template):
        raise Refusal(432)
    given = tokens(call.params)
    if code := next((code for name in given if (code := refusal(name, given[name], account.knobs))), 0):
        raise Refusal(code)
    if voice and not all(map(is_number, given.values())):
        raise Refusal(428)
    return rendered(template, given)
