"""One-time passwords, from their request to the gateway's answer. Each statement is guarded by the state it moves from.

The commit after which no call needs the tokens any more erases them, and no record but a claim holds them. Tokens and
numbers travel as `Secret`, so that an engine which shows its parameters does not show them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import Connection, RowMapping, TextClause, text

from kavenegar_campaigns.deprecation import old_attributes
from kavenegar_campaigns.errors import KeyConflict, NotFound
from kavenegar_campaigns.rules.otp_request import OtpKind, OtpRequest, Secret
from kavenegar_campaigns.rules.states import OtpState
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.gate import DURABLE, MAY_SEND


@old_attributes(code="refused_code")
@dataclass(frozen=True, slots=True)
class Otp:
    """A row of `sms.otps`. `refused_code` is the gateway's code, `advice` says what to do about it.

    `call_id` and `call_state` belong to the call that followed; `parent_id` of a call is the SMS that it followed.
    """

    id: int
    key: str | None = field(repr=False)  # the caller's own words: a number may stand in it
    parent_id: int | None
    kind: OtpKind
    number: str = field(repr=False)
    template: str
    tag: str | None
    state: OtpState
    created_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None
    gateway_id: int | None
    status: int | None
    cost_rial: int | None
    refused_code: int | None
    call_id: int | None
    call_state: OtpState | None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class OtpClaim:
    """A claimed one-time password, ours until its lease ends. `(owner, attempt)` is the fence for every decision.

    The owner is one call, named by its id: after a lost commit, two threads may hold the same attempt.
    """

    otp_id: int
    owner: UUID
    attempt: int
    lease_ends: datetime
    expires_at: datetime
    sent_at: datetime
    call_at: datetime | None  # when a call follows, unless the SMS is delivered by then
    kind: OtpKind
    number: str = field(repr=False)
    template: str
    tokens: dict[str, str] = field(repr=False)
    tag: str | None


# ── create and read ──

# Is the key free? Then add the one-time password. Otherwise another request has used the key before, or at this moment.
_INSERT: Final = text("""
    INSERT INTO sms.otps (client_key, kind, number, template, tokens, tag, call_after_s, state,
                          created_at, due_at, expires_at, enqueued_at)
    VALUES (:key, :kind, :number, :template, CAST(:tokens AS jsonb), :tag, :call_after_s, 'waiting',
            :now, :now, :expires_at, :enqueued_at)
        ON CONFLICT (client_key) DO NOTHING
 RETURNING id
""")


@in_one_commit
def create(
    connection: Connection, otp_request: OtpRequest, *, now: datetime, at_once: bool = False
) -> tuple[int, bool]:
    """Create a one-time password. Returns its id, or the id that the request's key already has, and whether it is new.

    `at_once`: the caller sends it now, so it counts as enqueued. Otherwise the next tick enqueues it.

    Of two simultaneous requests with one key, the second waits for the first.

    Raises: KeyConflict where the key belongs to another number, template or kind.
    """
    values = {
        "key": otp_request.key,
        "kind": otp_request.kind.value,
        "number": otp_request.number,
        "template": otp_request.template,
        "tokens": Secret(orjson.dumps(dict(otp_request.tokens)).decode()),
        "tag": otp_request.tag,
        "call_after_s": otp_request.call_after_s,
        "now": now,
        "expires_at": now + otp_request.lifetime,
        "enqueued_at": now if at_once else None,
    }
    made = connection.execute(_INSERT, values).scalar_one_or_none()
    if made is not None:
        return int(made), True
    found = find_by_key(connection, otp_request.key or "")
    if (found.kind, found.number, found.template) != (otp_request.kind, otp_request.number, otp_request.template):
        raise KeyConflict(
            f"the key belongs to one-time password {found.id}, which has another number, template or kind: "
            "use a new key for a new one"
        )
    return found.id, False


_READ: Final = """
    SELECT otp.id, otp.client_key AS key, otp.parent_id, otp.kind, otp.number, otp.template, otp.tag, otp.state,
           otp.created_at, otp.expires_at, otp.sent_at, otp.settled_at, otp.gateway_id, otp.status, otp.cost_rial,
           otp.refused_code, call.id AS call_id, call.state AS call_state
      FROM sms.otps AS otp LEFT JOIN sms.otps AS call ON call.parent_id = otp.id
     WHERE {which}
"""
# Which one-time password has this id, and which call followed it?
_BY_ID: Final = text(_READ.format(which="otp.id = :id"))
# Which one-time password has this key, and which call followed it?
_BY_KEY: Final = text(_READ.format(which="otp.client_key = :key"))


@in_one_commit
def read(connection: Connection, otp_id: int) -> Otp:
    """Return the one-time password with this id. Raises: NotFound."""
    row = connection.execute(_BY_ID, {"id": otp_id}).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no one-time password {otp_id}")
    return _otp(row)


def find_by_key(connection: Connection, key: str) -> Otp:
    """Return the one-time password with this key. Raises: NotFound."""
    row = connection.execute(_BY_KEY, {"key": Secret(key)}).mappings().one_or_none()
    if row is None:
        raise NotFound("there is no one-time password under this key")
    return _otp(row)


def _otp(row: RowMapping) -> Otp:
    called = None if row["call_state"] is None else OtpState(row["call_state"])
    return Otp(**{**row, "kind": OtpKind(row["kind"]), "state": OtpState(row["state"]), "call_state": called})


# ── send ──

CALL_AT: Final = "sent_at + make_interval(secs => call_after_s)"

# Can this one-time password be claimed? The check comes before a slot of the pace is spent: tasks come late, and twice.
_IS_DUE: Final = text(f"""
    SELECT EXISTS (SELECT FROM sms.otps
                    WHERE id = :id AND state = 'waiting' AND due_at <= :now AND expires_at > :now) AND {MAY_SEND}
""")


@in_one_commit
def is_due(connection: Connection, otp_id: int, *, now: datetime) -> bool:
    """Return whether a one-time password may be sent now.

    Only a claim decides; this check saves most of the slots that claims would waste.
    """
    return bool(connection.execute(_IS_DUE, {"id": otp_id, "now": now}).scalar_one())


# Is this one-time password due and still valid, and may the account send? Claim it until the lease ends.
_CLAIM: Final = text(f"""
    UPDATE sms.otps
       SET state = 'claimed', due_at = :lease_ends, lease_owner = :owner, attempt = attempt + 1, sent_at = :now
     WHERE id = :id AND state = 'waiting' AND due_at <= :now AND expires_at > :now AND {MAY_SEND}
 RETURNING id AS otp_id, lease_owner AS owner, attempt, due_at AS lease_ends, expires_at, sent_at,
           {CALL_AT} AS call_at, kind, number, template, tokens, tag, {DURABLE}
""")


@in_one_commit
def claim(connection: Connection, otp_id: int, *, owner: UUID, now: datetime, lease: timedelta) -> OtpClaim | None:
    """Claim a one-time password, to send it now. Returns None when it is not due, expired, on hold, or claimed by
    another call.
    """
    times = {"now": now, "lease_ends": now + lease}
    row = connection.execute(_CLAIM, {"id": otp_id, "owner": owner, **times}).mappings().one_or_none()
    if row is None:
        return None
    return OtpClaim(**{name: row[name] for name in OtpClaim.__slots__} | {"kind": OtpKind(row["kind"])})


# No slot is free, or no request has left: the one-time password is due again, or expires if it is no longer valid.
_PUT_OFF: Final = """
    UPDATE sms.otps
       SET state = CASE WHEN expires_at > :now THEN 'waiting' ELSE 'expired' END,
           tokens = CASE WHEN expires_at > :now THEN tokens END,
           settled_at = CASE WHEN expires_at <= :now THEN CAST(:now AS timestamptz) END,
           due_at = least(CAST(:due_at AS timestamptz), expires_at), lease_owner = NULL, sent_at = NULL,
           enqueued_at = NULL
     WHERE id = :id AND {guard}
"""
# Postpone an unclaimed one-time password.
_POSTPONE: Final = text(_PUT_OFF.format(guard="state = 'waiting' AND due_at <= :now"))
# Release a claimed one-time password.
_RELEASE: Final = text(_PUT_OFF.format(guard="state = 'claimed' AND lease_owner = :owner AND attempt = :attempt"))


@in_one_commit
def postpone(connection: Connection, otp_id: int, *, due_at: datetime, now: datetime) -> bool:
    """Make an unclaimed one-time password due at `due_at`: the pace has no slot before.

    Returns False when it was claimed, or not due.
    """
    return bool(connection.execute(_POSTPONE, {"id": otp_id, "due_at": due_at, "now": now}).rowcount)


def release(connection: Connection, claim: OtpClaim, *, due_at: datetime, now: datetime) -> bool:
    """Make a one-time password wait again: no request left this machine. Returns False when the lease is lost."""
    values = {"id": claim.otp_id, "owner": claim.owner, "attempt": claim.attempt, "due_at": due_at, "now": now}
    return bool(connection.execute(_RELEASE, values).rowcount)


# The gateway's answer counts even after the lease has expired: the password was sent once and is never sent again. In
# a restored database the id may belong to another password by now, but `sent_at` does not match then.
_ANSWERED: Final = """
    UPDATE sms.otps
       SET state = :state, lease_owner = NULL, {facts}
     WHERE id = :id AND attempt = :attempt AND sent_at = :sent_at AND state IN ('claimed', 'unknown')
"""
# The gateway accepted the one-time password.
_ACCEPT: Final = text(
    _ANSWERED.format(
        facts="""gateway_id = :gateway_id, status = :status, cost_rial = :cost_rial, poll_at = :poll_at,
           tokens = CASE WHEN :state <> 'delivered' AND call_after_s IS NOT NULL THEN tokens END,
           settled_at = CASE WHEN :state <> 'accepted' THEN CAST(:now AS timestamptz) END"""
    )
)
# The gateway refused the one-time password.
_REFUSE: Final = text(_ANSWERED.format(facts="refused_code = :refused_code, tokens = NULL, settled_at = :now"))


def accept(
    connection: Connection,
    claim: OtpClaim,
    *,
    state: OtpState,
    gateway_id: int,
    status: int | None,
    cost_rial: int,
    poll_at: datetime | None,
    now: datetime,
) -> bool:
    """Record that the gateway accepted a one-time password under `gateway_id`. Returns False when it was decided.

    The tokens stay only as long as a call may follow.
    """
    facts = {"gateway_id": gateway_id, "status": status, "cost_rial": cost_rial, "poll_at": poll_at}
    return _answered(connection, _ACCEPT, claim, state, now=now, **facts)


def refuse(connection: Connection, claim: OtpClaim, *, code: int, now: datetime) -> bool:
    """Record that the gateway refused a one-time password with `code`. Returns False when it was decided before."""
    return _answered(connection, _REFUSE, claim, OtpState.REFUSED, now=now, refused_code=code)


def _answered(
    connection: Connection, statement: TextClause, claim: OtpClaim, state: OtpState, *, now: datetime, **facts: object
) -> bool:
    which = {"id": claim.otp_id, "attempt": claim.attempt, "sent_at": claim.sent_at}
    return bool(connection.execute(statement, {**which, "state": state.value, "now": now, **facts}).rowcount)


# The outcome is unknown and stays so: a one-time password has no localid, so the gateway cannot be asked.
_MARK_UNKNOWN: Final = text("""
    UPDATE sms.otps SET state = 'unknown', lease_owner = NULL, tokens = NULL, settled_at = :now
     WHERE id = :id AND state = 'claimed' AND lease_owner = :owner AND attempt = :attempt
""")


def mark_unknown(connection: Connection, claim: OtpClaim, *, now: datetime) -> bool:
    """Mark a one-time password unknown: it left, and no usable answer came. It is never sent again.

    Returns False when the lease is lost.
    """
    values = {"id": claim.otp_id, "owner": claim.owner, "attempt": claim.attempt, "now": now}
    return bool(connection.execute(_MARK_UNKNOWN, values).rowcount)
