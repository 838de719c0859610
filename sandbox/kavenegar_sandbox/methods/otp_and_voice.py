"""One-time passwords (verify/lookup) and voice calls (call/maketts).

Source: kavenegar-rest, verify/lookup (parameters; 422, 428, 431 and 432 in its table of errors) and call/maketts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from kavenegar_sandbox import acceptance
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import SendRequest, bad_receptors
from kavenegar_sandbox.columns import parse_localids
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.ledger import CALL, OTP, MessageOptions
from kavenegar_sandbox.parameters import BLANK, UNSET, is_landline, parse_number, parse_telephone, split_list
from kavenegar_sandbox.protocol import Answer, Call, Refusal

_CALL_BY_TYPE = {"sms": False, "call": True}
_REPEATS = frozenset("012345")
BLANKS = {"token": 0, "token2": 0, "token3": 0, "token10": 5, "token20": 8}  # spaces that each token may hold
_LONGEST_TOKEN = 100  # characters
_PLACE = re.compile(r"%(token(?:20|10|2|3)?)")
_NUMBER = re.compile(r"[0-9۰-۹]+")


def lookup(account: Account, call: Call) -> Answer:
    """verify/lookup: send a one-time password in an approved template, by SMS or voice call. Raises Refusal.

    It is sent from the gateway's own line, before other messages, and also to receptors that blocked advertising. An
    Iranian landline is always called. Source: kavenegar-rest, verify/lookup.
    """
    params, knobs = call.params, account.knobs
    if not knobs.advanced_service:
        raise Refusal(426)
    receptor = parse_number(params["receptor"], lenient=knobs.lenient_numbers)
    if receptor is None or receptor in bad_receptors(knobs):
        raise Refusal(411)
    voice = _is_call(params.get("type", ""), receptor)
    text = _text(account, call, voice=voice)
    options = MessageOptions(kind=OTP, voice=voice, tag=params.get("tag", ""))
    request = SendRequest(
        method=call.method,
        kind=OTP,
        receptors=[receptor],
        senders=[knobs.service_sender],
        texts=[text],
        options=[options],
        localids=None,
        starts_at=account.clock.now(),
        tag=options.tag,
    )
    return Answer(entries=acceptance.accept(account, request))


def _is_call(raw: str, receptor: int) -> bool:
    """Read `type` (sms or call, in any letter case). Raises Refusal(400) for another value."""
    asked = "sms" if raw in UNSET else raw.lower()
    if asked not in _CALL_BY_TYPE:
        raise Refusal(400)
    return _CALL_BY_TYPE[asked] or is_landline(receptor)


def _text(account: Account, call: Call, *, voice: bool) -> str:
    """Return the template with its tokens filled in. Raises Refusal(424, 432, 431, 428 or 422)."""
    template = account.knobs.templates.get(call.params["template"].strip())
    if template is None:
        raise Refusal(424)
    if not has_token(template):
        raise Refusal(432)
    given = given_tokens(call.params)
    if code := next((code for name in given if (code := token_refusal(name, given[name], account.knobs))), 0):
        raise Refusal(code)
    if voice and not all(map(is_number, given.values())):
        raise Refusal(428)
    return render(template, given)


def make_tts(account: Account, call: Call) -> Answer:
    """call/maketts: call at most 200 numbers and read a text aloud, from the gateway's own line. Raises Refusal.

    One receptor is answered with an object, as in the specification's sample, or with an array (the knob
    `tts_entries`); several receptors are answered with an array. Source: kavenegar-rest, call/maketts.
    """
    params, knobs = call.params, account.knobs
    receptors = [parse_telephone(raw, lenient=knobs.lenient_numbers) for raw in split_list(params["receptor"])]
    options = MessageOptions(kind=CALL, voice=True, tag=params.get("tag", ""), repeat=_repeat(params.get("repeat", "")))
    request = SendRequest(
        method=call.method,
        kind=CALL,
        receptors=receptors,
        senders=[knobs.service_sender] * len(receptors),
        texts=[params["message"]] * len(receptors),
        options=[options] * len(receptors),
        localids=parse_localids(params.get("localid", "")),
        starts_at=acceptance.starts_at(account, params.get("date", "")),
        tag=options.tag,
    )
    rows = acceptance.accept(account, request, at_most=call.at_most)
    single = len(receptors) == 1 and knobs.tts_entries == "object"
    return Answer(entries=rows[0] if single and rows else rows)


def _repeat(raw: str) -> int:
    """Read how often an unanswered call is repeated. Raises Refusal(400) unless it is 0 to 5."""
    if raw in BLANK:
        return 0
    if raw not in _REPEATS:
        raise Refusal(400)
    return int(raw)


def given_tokens(params: Mapping[str, str]) -> dict[str, str]:
    """Return the tokens that were given. An optional token that is empty or "null" was not."""
    optional = {name: value for name in BLANKS if (value := params.get(name, "")) not in BLANK}
    return {"token": params["token"], **optional}


def token_refusal(name: str, token: str, knobs: Knobs) -> int:
    """431 for a token that is too long or holds a separator, 422 for one with a control character, otherwise 0."""
    divided = any((each.isspace() and each != " ") or each in knobs.separators_in_tokens for each in token)
    if len(token) > _LONGEST_TOKEN or divided or token.count(" ") > BLANKS[name]:
        return 431
    return 422 if any(unicodedata.category(each) == "Cc" or each == "\ufffd" for each in token) else 0


def is_number(token: str) -> bool:
    """Return whether the token holds only digits. Only such a token can be read aloud."""
    return _NUMBER.fullmatch(token) is not None


def has_token(template: str) -> bool:
    """Return whether the template has a place for `token`, which every template needs."""
    return any(place[1] == "token" for place in _PLACE.finditer(template))


def render(template: str, given: Mapping[str, str]) -> str:
    """Return the template with its tokens filled in. The place of a token that was not given stays empty."""
    return _PLACE.sub(lambda place: given.get(place[1], ""), template)
