"""Sending SMS, and cancelling scheduled ones: sms/send, sms/sendarray, sms/cancel."""

from __future__ import annotations

from kavenegar_sandbox import acceptance
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import SendRequest
from kavenegar_sandbox.columns import Localid, parse_localid, parse_localids
from kavenegar_sandbox.ledger import NORMAL_DISPLAY, MessageOptions
from kavenegar_sandbox.parameters import (
    BLANK,
    UNSET,
    parse_array_or_list,
    parse_line,
    parse_message_ids,
    parse_mobile,
    parse_strings,
    split_list,
)
from kavenegar_sandbox.protocol import SCHEDULED, STATUS_TEXT, UNKNOWN, Answer, Call, Refusal

_DISPLAYS = frozenset("0123")  # table 3: flash, normal, SIM, application
_LINES_WITH_DISPLAYS = "3000"  # other lines send normal messages only


def send(account: Account, call: Call) -> Answer:
    """sms/send: send one text to at most 200 receptors. Raises Refusal. Source: kavenegar-rest, sms/send."""
    params, knobs = call.params, account.knobs
    receptors = [parse_mobile(raw, lenient=knobs.lenient_numbers) for raw in split_list(params["receptor"])]
    line = parse_line(params.get("sender") or knobs.default_sender)
    options = MessageOptions(
        hidden=_is_hidden(params.get("hide", "")),
        tag=params.get("tag", ""),
        policy=params.get("policy", ""),
        display=_display(params.get("type", ""), line),
    )
    request = SendRequest(
        method=call.method,
        receptors=receptors,
        senders=[line] * len(receptors),
        texts=[params["message"]] * len(receptors),
        options=[options] * len(receptors),
        localids=parse_localids(params.get("localid", "")),
        starts_at=acceptance.starts_at(account, params.get("date", "")),
        tag=options.tag,
    )
    return Answer(entries=acceptance.accept(account, request, at_most=call.at_most))


def send_array(account: Account, call: Call) -> Answer:
    """sms/sendarray: send to at most 200 receptors, each with its own text and line (JSON arrays). Raises Refusal.

    `localmessageids` is a JSON array, or a comma-separated list as some clients send it. If it is given, it must hold
    one id for each receptor: "null" and an empty list are 419. Source: kavenegar-rest, sms/sendarray.
    """
    params, lenient = call.params, account.knobs.lenient_numbers
    receptors = [parse_mobile(raw, lenient=lenient) for raw in parse_strings(params["receptor"])]
    senders = [parse_line(raw) for raw in parse_strings(params["sender"])]
    displays = _displays(params.get("type", ""), len(receptors))
    request = SendRequest(
        method=call.method,
        receptors=receptors,
        senders=senders,
        texts=parse_strings(params["message"]),
        options=_options(call, displays, senders),
        localids=_localids(params.get("localmessageids")),
        starts_at=acceptance.starts_at(account, params.get("date", "")),
        tag=params.get("tag", ""),
        other_lengths=(len(displays),),
    )
    return Answer(entries=acceptance.accept(account, request, at_most=call.at_most))


def _localids(raw: str | None) -> list[Localid] | None:
    if raw is None:
        return None
    return [] if raw in UNSET else [parse_localid(value) for value in parse_array_or_list(raw)]


def _displays(raw: str, count: int) -> list[str]:
    """Return the display types as given, or `count` empty ones."""
    return [""] * count if raw in BLANK else parse_strings(raw)


def _options(call: Call, displays: list[str], senders: list[str]) -> list[MessageOptions]:
    """Return the options of each message, as far as both columns go."""
    hidden = _is_hidden(call.params.get("hide", ""))
    tag, policy = call.params.get("tag", ""), call.params.get("policy", "")
    return [
        MessageOptions(hidden=hidden, tag=tag, policy=policy, display=_display(raw, line))
        for raw, line in zip(displays, senders, strict=False)
    ]


def cancel(account: Account, call: Call) -> Answer:
    """sms/cancel: cancel and refund scheduled messages; others keep their status. Raises Refusal(400 or 412).

    Source: kavenegar-rest, sms/cancel (500 ids in its text, "412: more than 200" in its table of errors: 200 is used
    here).
    """
    ids = parse_message_ids(call.params["messageid"])
    if len(ids) > account.knobs.cancel_limit:
        raise Refusal(412)
    account.counters.count_rows(call.method, len(ids))
    now = account.clock.now()
    rows = [account.ledger.row(messageid) for messageid in ids]
    scheduled = {row for row in rows if row is not None and account.status(row, now) == SCHEDULED}
    account.cancel(sorted(scheduled))
    statuses = [UNKNOWN if row is None else account.status(row, now) for row in rows]
    return Answer(
        entries=[
            {"messageid": messageid, "status": status, "statustext": STATUS_TEXT[status]}
            for messageid, status in zip(ids, statuses, strict=True)
        ]
    )


def _display(raw: str, line: str) -> int:
    """Read the display type of a message from `line`. Raises Refusal(400) for a type that table 3 does not have."""
    if raw in BLANK:
        return NORMAL_DISPLAY
    if raw not in _DISPLAYS:
        raise Refusal(400)
    return int(raw) if line.startswith(_LINES_WITH_DISPLAYS) else NORMAL_DISPLAY


def _is_hidden(raw: str) -> bool:
    """Return whether `hide` is 1. Any other value hides nothing."""
    return raw.strip() == "1"
