"""One claim is one request: sms/send for one text, sms/sendarray for texts that differ, call/maketts for calls."""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.kavenegar.gateway import Gateway
from campaigns.kavenegar.records.messages import SentMessage
from campaigns.kavenegar.transport import InTime
from campaigns.store.records import Claim


def ask(gateway: Gateway, claim: Claim, *, in_time: InTime) -> Sequence[SentMessage]:
    """Send the messages of a claim. Raises what the gateway's sends raise."""
    if claim.manner.calls:
        return _call(gateway, claim, in_time)
    return _send_array(gateway, claim, in_time) if claim.personal else _send(gateway, claim, in_time)


def _send(gateway: Gateway, claim: Claim, in_time: InTime) -> Sequence[SentMessage]:
    manner = claim.manner
    return gateway.send(
        _numbers(claim),
        claim.messages[0].text,
        sender=claim.sender,
        localids=_localids(claim),
        date=_date(claim),
        type=manner.message_type,
        hide=manner.hide,
        tag=manner.tag,
        policy=manner.policy,
        in_time=in_time,
    )


def _send_array(gateway: Gateway, claim: Claim, in_time: InTime) -> Sequence[SentMessage]:
    manner, count = claim.manner, len(claim.messages)
    return gateway.sendarray(
        _numbers(claim),
        [message.text for message in claim.messages],
        [claim.sender] * count,
        _localids(claim),
        date=_date(claim),
        types=None if manner.message_type is None else [manner.message_type] * count,
        hide=manner.hide,
        tag=manner.tag,
        policy=manner.policy,
        in_time=in_time,
    )


def _call(gateway: Gateway, claim: Claim, in_time: InTime) -> Sequence[SentMessage]:
    (text,) = {message.text for message in claim.messages}  # that is how it was cut: nobody hears another's text
    return gateway.maketts(
        _numbers(claim),
        text,
        localids=_localids(claim),
        date=_date(claim),
        repeat=claim.manner.repeat,
        tag=claim.manner.tag,
        in_time=in_time,
    )


def _numbers(claim: Claim) -> list[str]:
    return [message.number for message in claim.messages]


def _localids(claim: Claim) -> list[int]:
    return [message.id for message in claim.messages]


def _date(claim: Claim) -> int | None:
    """When the gateway is to send it, in unix time; None for now."""
    return None if claim.send_at is None else int(claim.send_at.timestamp())
