"""Acceptance of a send: find repeated localids, reserve the credit, draw outcomes, add the messages to the ledger.

Source: kavenegar-rest, sms/send: "if this localid already exists in your sends, no duplicate send is done and the
record of that id is put in the output".
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from zlib import crc32

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import SendRequest, find_refusal, without_bad_receptors
from kavenegar_sandbox.columns import Localid
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.ledger import OTP, SMS, Accepted
from kavenegar_sandbox.outcomes import DRAWN_OUTCOMES, WITHDRAWN
from kavenegar_sandbox.parameters import count_parts, is_integer
from kavenegar_sandbox.protocol import Refusal, Row
from kavenegar_sandbox.rows import arrange_rows, message_record

_DELIVERED, _BLOCKED = DRAWN_OUTCOMES["delivered"], DRAWN_OUTCOMES["blocked"]


def accept(account: Account, request: SendRequest, *, at_most: int | None = None) -> list[Row]:
    """Check a send request and accept its messages. Returns one record for each receptor.

    `at_most`: check the whole request, but accept only this many receptors, from the first on.

    Raises:
        Refusal: the first check that fails, or 418 when the credit does not cover the cost. Nothing has changed then,
            unless the knob `partial_credit` is on.
    """
    request = without_bad_receptors(request, account.knobs)
    if code := find_refusal(request, account.knobs):
        raise Refusal(code)
    if at_most is not None:
        request = request.select(range(min(at_most, len(request.receptors))))
    now = account.clock.now()
    rows, new = _match_localids(account, request.localids or [None] * len(request.receptors), now)
    if new:
        _accept_new(account, request.select(new), now)
    account.counters.count_rows(request.method, len(rows))
    account.counters.dedupe_hits += len(rows) - len(new)
    return arrange_rows(account, [message_record(account, row, now) for row in rows])


def starts_at(account: Account, raw: str) -> float | None:
    """When a message with this `date` starts (Unix seconds): now if it is empty or 0, None if it is invalid or past."""
    now = account.clock.now()
    if raw in {"", "0", "null"}:
        return now
    if not is_integer(raw):
        return None
    date = float(raw)
    if date > now:
        return date if date <= now + account.knobs.date_reach_s else None
    return now if date >= now - account.knobs.date_grace_s else None


def _match_localids(account: Account, localids: list[Localid] | list[None], now: float) -> tuple[list[int], list[int]]:
    """Returns the ledger row of each receptor (of a known localid the old one), and the positions of new messages."""
    rows: list[int] = []
    new: list[int] = []
    here: dict[Localid, int] = {}
    following = len(account.ledger)
    for position, localid in enumerate(localids):
        row = None if localid is None else here.get(localid, _known_row(account, localid, now))
        if row is None:
            row = following + len(new)
            new.append(position)
        if localid is not None and account.knobs.dedupe:
            here[localid] = row
        rows.append(row)
    return rows, new


def _known_row(account: Account, localid: Localid, now: float) -> int | None:
    if not account.knobs.dedupe:
        return None
    row = account.ledger.localids.row(localid)
    window_s = account.knobs.dedupe_window_s
    return None if row is None or (window_s and now - account.ledger.starts_at[row] > window_s) else row


def _accept_new(account: Account, request: SendRequest, now: float) -> None:
    """Accept a request whose messages are all new. Raises Refusal(418) when the credit does not cover it."""
    new = _prepare(account, request, now)
    credit = account.credit.balance(now)
    covered = bisect_right(list(accumulate(new.costs_rial)), credit)
    if covered == len(new.receptors):
        account.accept(new)
        return
    if covered and account.knobs.partial_credit:
        account.accept(_prepare(account, request.select(range(covered)), now))
    raise Refusal(418)


def _prepare(account: Account, request: SendRequest, now: float) -> Accepted:
    """Return the messages of a request with their parts, costs and outcomes."""
    texts, knobs = request.texts, account.knobs
    receptors = [number for number in request.receptors if number is not None]
    localids: list[Localid | None] = [*request.localids] if request.localids is not None else [None] * len(receptors)
    parts_of = {text: count_parts(text, latin_single=knobs.latin_single) for text in set(texts)}
    parts = [1 if options.voice else parts_of[text] for text, options in zip(texts, request.options, strict=True)]
    outcomes, delays_s = _draw_outcomes(account, request.kind, receptors, localids)
    if request.kind == SMS and not knobs.debug_mode:
        _apply_blocklist(account, request, outcomes, delays_s)
    return Accepted(
        starts_at=request.starts_at or now,
        localids=localids,
        receptors=receptors,
        senders=request.senders,
        texts=texts,
        options=request.options,
        parts=parts,
        costs_rial=[
            part * _tariff(knobs, text, voice=options.voice)
            for part, text, options in zip(parts, texts, request.options, strict=True)
        ],
        outcomes=outcomes,
        delays_s=delays_s,
    )


def _tariff(knobs: Knobs, text: str, *, voice: bool) -> int:
    if voice:
        return knobs.tariff_call_rial
    return knobs.tariff_en_rial if text.isascii() else knobs.tariff_fa_rial


def _draw_outcomes(
    account: Account, kind: str, receptors: list[int], localids: list[Localid | None]
) -> tuple[list[int], list[float]]:
    """Draw outcomes and delays (seconds) from the seed, the receptor, and the localid or else the row number."""
    if account.knobs.debug_mode:
        return [WITHDRAWN] * len(receptors), [0.0] * len(receptors)
    following = len(account.ledger)
    drawn = [
        account.outcome_model.draw(receptor, _localid_number(localid, following + place))
        for place, (receptor, localid) in enumerate(zip(receptors, localids, strict=True))
    ]
    outcomes = [outcome for outcome, _ in drawn]
    if kind == OTP:  # a one-time password also reaches numbers that block advertising
        outcomes = [_DELIVERED if outcome == _BLOCKED else outcome for outcome in outcomes]
    return outcomes, [delay_s for _, delay_s in drawn]


def _apply_blocklist(account: Account, request: SendRequest, outcomes: list[int], delays_s: list[float]) -> None:
    """Give the outcome `blocked` (14) to messages whose receptor is on the block list of their line."""
    for place, (line, number) in enumerate(zip(request.senders, request.receptors, strict=True)):
        if account.blocklists.contains(line, number):
            outcomes[place] = _BLOCKED
            delays_s[place] = 0.0 if account.knobs.blocked_at_once else delays_s[place]


def _localid_number(localid: Localid | None, default: int) -> int:
    if localid is None:
        return default
    return localid if isinstance(localid, int) else crc32(localid.encode())
