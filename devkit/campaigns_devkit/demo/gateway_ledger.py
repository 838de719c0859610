"""Compare the messages that the gateway sent, by its own ledger, with the messages that our record calls accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import requests
from sqlalchemy import Connection

from kavenegar_campaigns.store import messages

TIMEOUT_S: Final = 60
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """The result for one campaign in the sandbox's ledger."""

    sent: int  # messages that went out
    sent_twice: int  # of these, beyond the first to a person
    wrong_number: int  # of these, to another number than the recipient's
    not_sent: int  # accepted by our record, and not in the ledger

    @property
    def clean(self) -> bool:
        """Return whether each recipient got exactly the messages of our record, once."""
        return not (self.sent_twice or self.wrong_number or self.not_sent)


def check_ledger(connection: Connection, campaign_id: int, gateway_url: str) -> LedgerCheck:
    """Read the ledger line by line and compare one campaign's messages. Raises: requests' errors (OSError)."""
    numbers, accepted = _our_messages(connection, campaign_id)
    times: dict[int, int] = {}
    people: set[str] = set()
    sent = wrong_number = 0
    for line in _ledger_lines(gateway_url):
        message_id = int(line["localid"] or 0)
        if message_id not in numbers:
            continue
        sent += 1
        times[message_id] = times.get(message_id, 0) + 1
        people.add(line["receptor"])
        wrong_number += line["receptor"] != numbers[message_id]
    return LedgerCheck(
        sent=sent, sent_twice=sent - len(people), wrong_number=wrong_number, not_sent=len(accepted - times.keys())
    )


def _our_messages(connection: Connection, campaign_id: int) -> tuple[dict[int, str], set[int]]:
    """Return each message's number by its id, and the ids that the gateway has accepted."""
    numbers: dict[int, str] = {}
    accepted: set[int] = set()
    for page in messages.in_pages(connection, campaign_id):
        for _row, number, _state, _status, gateway_id, *_rest, message_id in page:
            numbers[int(str(message_id))] = str(number)
            if gateway_id is not None:
                accepted.add(int(str(message_id)))
    return numbers, accepted


def _ledger_lines(gateway_url: str) -> Iterator[Mapping[str, Any]]:
    with requests.Session() as session:
        session.trust_env = False  # the shell's proxy cannot reach this machine's loopback
        with session.get(f"{gateway_url}/_sandbox/ledger/stream", stream=True, timeout=TIMEOUT_S) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines(chunk_size=_CHUNK):
                if line:
                    yield orjson.loads(line)


def flower_answers(flower_url: str) -> bool:
    """Return whether Flower answers."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(f"{flower_url}/healthcheck", timeout=5).ok
        except requests.RequestException:
            return False
