"""Check our database against the gateway's ledger, message by message, in SQL.

Every test of this folder and `scripts/chaos` hold these invariants; the documentation uses the same numbers. I5 is
seen by `audit`'s trigger, I7 and I11 also by `storm.watch` while things happen, I10 by
`leaks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.rules.states import MessageState
from tests.chaos import ledger

SHOWN: Final = 10
"""How many ids of violations are listed; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """One invariant. `broken_by` selects the ids of the rows that violate it."""

    number: str
    claim: str
    broken_by: str


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that was violated, how often, and the first ids."""

    number: str
    claim: str
    times: int
    ids: Sequence[int] = ()

    def __str__(self) -> str:
        named = f", as {', '.join(map(str, self.ids))}" if self.ids else ""
        return f"{self.number} is broken {self.times:,} times{named}: {self.claim}"


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a check. `states` counts the rows of messages; `sent` is the gateway's own count."""

    messages: int
    sent: int
    lost: int
    doubled: int
    mismatched: int
    states: Mapping[str, int]
    broken: Sequence[Broken] = field(default_factory=tuple)

    @property
    def summary(self) -> str:
        terminal = self.messages - sum(self.states.get(state, 0) for state in ("pending", "accepted"))
        wrong = f"{self.lost:,} lost, {self.doubled:,} sent twice, {self.mismatched:,} mismatched ids"
        return f"{wrong}, {terminal:,} terminal"


# Messages that our database says were never sent, without doubt.
_NEVER_SENT: Final = """
    (message.state IN ('refused', 'suppressed') OR (message.state = 'cancelled' AND message.gateway_id IS NULL))
"""
_LOST: Final = f"""
    SELECT message.id FROM sms.messages AS message
     WHERE NOT {_NEVER_SENT} AND message.state <> 'uncertain'
       AND NOT EXISTS (SELECT FROM chaos.ledger AS sent WHERE sent.localid = message.id)
"""
_DIGEST: Final = """
    left(encode(sha256(convert_to(coalesce(message.text, campaign.template), 'UTF8')), 'hex'), 16)
"""
# Messages sent and messages to be sent, by number and text: so the id under which one left does not matter, nor the
# account, nor whether this database still knows it.
_SENT_AND_OURS: Final = f"""
    (SELECT receptor, text_digest, count(*) AS times, min(messageid) AS messageid
       FROM chaos.ledger GROUP BY receptor, text_digest) AS sent
    LEFT JOIN (SELECT message.number, {_DIGEST} AS digest, count(*) AS messages, min(message.id) AS id
                 FROM sms.messages AS message JOIN sms.campaigns AS campaign ON campaign.id = message.campaign_id
             GROUP BY 1, 2) AS ours
      ON ours.number = sent.receptor AND ours.digest = sent.text_digest
"""
_DOUBLED: Final = f"""
    SELECT coalesce(ours.id, sent.messageid) FROM {_SENT_AND_OURS}
     WHERE sent.times > greatest(coalesce(ours.messages, 0), 1)
"""
# Of a message that went out twice, one of the two may bear the id that we hold.
_MISMATCHED: Final = f"""
    SELECT message.id
      FROM sms.messages AS message
      JOIN sms.campaigns AS campaign ON campaign.id = message.campaign_id
      JOIN chaos.ledger AS sent ON sent.localid = message.id
     WHERE NOT {_NEVER_SENT} AND message.state <> 'uncertain'
  GROUP BY message.id
    HAVING NOT bool_or(sent.messageid = message.gateway_id AND sent.receptor = message.number
                       AND sent.text_digest = {_DIGEST})
        OR message.gateway_id IS NULL
"""
# Rows of `attempts` for requests that left, and whether an outcome was recorded after them.
_UNCLOSED: Final = """
    SELECT began.batch_id
      FROM sms.attempts AS began JOIN sms.batches AS batch ON batch.id = began.batch_id
     WHERE began.event = 'began' AND began.kind IN ('send', 'resolve') AND began.attempt >= batch.attempt
       AND NOT EXISTS (SELECT FROM sms.attempts AS later
                        WHERE later.batch_id = began.batch_id AND later.id > began.id
                          AND later.event <> 'began' AND later.kind IN ('send', 'resolve'))
"""
_COUNTERS: Final = ", ".join(f"batch.{state}" for state in MessageState)
_COUNTED: Final = ", ".join(f"count(*) FILTER (WHERE message.state = '{state}')" for state in MessageState)
_VERDICTS: Final = "(VALUES ('delivered', 10), ('undelivered', 11), ('failed', 6), ('blocked', 14), ('cancelled', 13))"

INVARIANTS: Final = (
    Invariant("I1", "every message was accepted by the gateway, or says why it never was", _LOST),
    Invariant(
        "I1",
        "no message that the record calls never sent was sent",
        f"""SELECT message.id FROM sms.messages AS message JOIN chaos.ledger AS sent ON sent.localid = message.id
             WHERE {_NEVER_SENT}""",
    ),
    Invariant(
        "I2",
        "no localid was sent more than once",
        "SELECT localid FROM chaos.ledger GROUP BY localid HAVING count(*) > 1",
    ),
    Invariant("I2", "nobody got a text more than once, whatever the id and the account", _DOUBLED),
    Invariant(
        "I2",
        "no message left from two accounts",
        "SELECT localid FROM chaos.ledger GROUP BY localid HAVING count(DISTINCT account) > 1",
    ),
    Invariant(
        "I2",
        "nobody got a campaign's message more than once",
        """SELECT min(message.id) FROM chaos.ledger AS sent JOIN sms.messages AS message ON message.id = sent.localid
         GROUP BY message.campaign_id, sent.receptor HAVING count(*) > 1""",
    ),
    Invariant(
        "I2",
        "nothing was sent that is no message of ours",
        """SELECT sent.messageid FROM chaos.ledger AS sent
            WHERE NOT EXISTS (SELECT FROM sms.messages AS message WHERE message.id = sent.localid)""",
    ),
    Invariant(
        "I2",
        "nobody got a text that no campaign has for them",
        f"SELECT sent.messageid FROM {_SENT_AND_OURS} WHERE ours.id IS NULL",
    ),
    Invariant("I3", "a message's gateway id, number and text are those the gateway sent it with", _MISMATCHED),
    Invariant(
        "I4",
        "every message has come to its end",
        "SELECT id FROM sms.messages WHERE state IN ('pending', 'accepted')",
    ),
    Invariant(
        "I4",
        "every campaign has come to its end",
        "SELECT id FROM sms.campaigns WHERE finished_at IS NULL AND state <> 'draft'",
    ),
    Invariant(
        "I4",
        "a message's verdict is the gateway's",
        f"""SELECT message.id
              FROM sms.messages AS message
              JOIN chaos.ledger AS sent ON sent.localid = message.id AND sent.messageid = message.gateway_id
              JOIN {_VERDICTS} AS verdict (state, status) ON verdict.state = message.state
             WHERE sent.status <> verdict.status""",
    ),
    Invariant("I5", "no message ever took a step back", "SELECT message_id FROM chaos.backward"),
    Invariant(
        "I6",
        "the batches of a campaign hold each of its messages once",
        """SELECT campaign.id
             FROM sms.campaigns AS campaign JOIN sms.batches AS batch ON batch.campaign_id = campaign.id
            WHERE batch.state <> 'split'
         GROUP BY campaign.id HAVING sum(batch.last_id - batch.first_id + 1) <> campaign.messages""",
    ),
    Invariant("I7", "no batch is claimed when all is over", "SELECT id FROM sms.batches WHERE state = 'claimed'"),
    Invariant("I8", "every attempt was closed, or superseded by a later one", _UNCLOSED),
    Invariant(
        "I8",
        "what the gateway has of us left with an attempt on record",
        """SELECT batch.id FROM sms.batches AS batch
            WHERE batch.accepted_at IS NOT NULL AND batch.parent_id IS NULL
              AND NOT EXISTS (SELECT FROM sms.attempts AS began
                               WHERE began.batch_id = batch.id AND began.event = 'began' AND began.kind = 'send')
              AND NOT EXISTS (SELECT FROM chaos.lost_attempts AS lost
                               WHERE lost.batch_id = batch.id AND lost.event = 'began' AND lost.kind = 'send')""",
    ),
    Invariant(
        "I9",
        "a batch's counters are its messages, counted one by one",
        f"""SELECT batch.id
              FROM sms.batches AS batch
              JOIN sms.messages AS message ON message.id BETWEEN batch.first_id AND batch.last_id
             WHERE batch.state <> 'split'
          GROUP BY batch.id HAVING ({_COUNTERS}) <> ({_COUNTED})""",
    ),
)


def check(engine: Engine, gateway_url: str) -> Findings:
    """Copy the ledger beside our tables and check every invariant. No process may work meanwhile."""
    ledger.copy(engine, gateway_url)
    with engine.connect() as connection:
        states = dict(map(tuple, connection.execute(text("SELECT state, count(*) FROM sms.messages GROUP BY state"))))
        return Findings(
            messages=sum(states.values()),
            sent=connection.execute(text("SELECT count(*) FROM chaos.ledger")).scalar_one(),
            lost=_count(connection, _LOST),
            doubled=_count(connection, _DOUBLED),
            mismatched=_count(connection, _MISMATCHED),
            states=states,
            broken=tuple(_broken(connection)),
        )


def _broken(connection: Connection) -> Iterator[Broken]:
    for invariant in INVARIANTS:
        ids = [row[0] for row in connection.execute(text(f"{invariant.broken_by} LIMIT {SHOWN}"))]
        if ids:
            yield Broken(invariant.number, invariant.claim, _count(connection, invariant.broken_by), ids)


def _count(connection: Connection, statement: str) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM ({statement}) AS found")).scalar_one())
