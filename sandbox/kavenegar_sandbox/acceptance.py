"""A send that passed the checks becomes messages: repeated localids found, credit reserved, fates drawn.

Source: kavenegar-rest, sms/send: "if this localid already exists in your sends, no duplicate send is done and the
record of that id is put in the output".
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from zlib import crc32

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import Draft, refusal, usable
from kavenegar_sandbox.columns import Localid
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.ledger import OTP, SMS, Accepted
from kavenegar_sandbox.outcomes import DRAWN, WITHDRAWN
from kavenegar_sandbox.parameters import count_parts, is_whole
from kavenegar_sandbox.protocol import Refusal, Row
from kavenegar_sandbox.rows import arranged, record

_DELIVERED, _BLOCKED = DRAWN["delivered"], DRAWN["blocked"]


def take(account: Account, draft: Draft, *, at_most: int | None = None) -> list[Row]:
    """The records a send answers with, one for each receptor. Raises Refusal, and then nothing has changed

    (but for the knob partial_credit). `at_most`: the whole request is checked, and its first so many are taken in.
    """
    draft = usable(draft, account.knobs)
    if code := refusal(draft, account.knobs):
        raise Refusal(code)
    if at_most is not None:
        draft = draft.only(range(min(at_most, len(draft.receptors))))
    now = account.clock.now()
    rows, fresh = _places(account, draft.localids or [None] * len(draft.receptors), now)
    if fresh:
        _accept(account, draft.only(fresh), now)
    account.tally.took(draft.method, len(rows))
    account.tally.dedupe_hits += len(rows) - len(fresh)
    return arranged(account, [record(account, row, now) for row in rows])


def starts_at(account: Account, raw: str) -> float | None:
    """When a message with this `date` sets out: now where it is empty or 0, None where it is no date or past."""
    now = account.clock.now()
    if raw in {"", "0", "null"}:
        return now
    if not is_whole(raw):
        return None
    date = float(raw)
    if date > now:
        return date if date <= now + account.knobs.date_reach_s else None
    return now if date >= now - account.knobs.date_grace_s else None


def _places(account: Account, localids: list[Localid] | list[None], now: float) -> tuple[list[int], list[int]]:
    """The row of each receptor, and the positions that are new; a known localid leads to its old row."""
    rows: list[int] = []
    fresh: list[int] = []
    here: dict[Localid, int] = {}
    following = len(account.ledger)
    for position, localid in enumerate(localids):
        row = None if localid is None else here.get(localid, _known(account, localid, now))
        if row is None:
            row = following + len(fresh)
            fresh.append(position)
        if localid is not None and account.knobs.dedupe:
            here[localid] = row
        rows.append(row)
    return rows, fresh


def _known(account: Account, localid: Localid, now: float) -> int | None:
    if not account.knobs.dedupe:
        return None
    row = account.ledger.localids.row(localid)
    window_s = account.knobs.dedupe_window_s
    return None if row is None or (window_s and now - account.ledger.starts_at[row] > window_s) else row


def _accept(account: Account, draft: Draft, now: float) -> None:
    """Take in a draft whose messages are all new. Raises Refusal(418) where the credit does not cover it."""
    new = _priced(account, draft, now)
    credit = account.purse.balance(now)
    covered = bisect_right(list(accumulate(new.costs_rial)), credit)
    if covered == len(new.receptors):
        account.accept(new)
        return
    if covered and account.knobs.partial_credit:
        account.accept(_priced(account, draft.only(range(covered)), now))
    raise Refusal(418)


def _priced(account: Account, draft: Draft, now: float) -> Accepted:
    """The messages of a draft, with what each costs and what becomes of it."""
    texts, knobs = draft.texts, account.knobs
    receptors = [number for number in draft.receptors if number is not None]
    localids: list[Localid | None] = [*draft.localids] if draft.localids is not None else [None] * len(receptors)
    parts_of = {text: count_parts(text, latin_single=knobs.latin_single) for text in set(texts)}
    parts = [1 if manner.voice else parts_of[text] for text, manner in zip(texts, draft.manners, strict=True)]
    fates, delays_s = _destined(account, draft.kind, receptors, localids)
    if draft.kind == SMS and not knobs.debug_mode:
        _block(account, draft, fates, delays_s)
    return Accepted(
        starts_at=draft.starts_at or now,
        localids=localids,
        receptors=receptors,
        senders=draft.senders,
        texts=texts,
        manners=draft.manners,
        parts=parts,
        costs_rial=[
            part * _tariff(knobs, text, voice=manner.voice)
            for part, text, manner in zip(parts, texts, draft.manners, strict=True)
        ],
        fates=fates,
        delays_s=delays_s,
    )


def _tariff(knobs: Knobs, text: str, *, voice: bool) -> int:
    if voice:
        return knobs.tariff_call_rial
    return knobs.tariff_en_rial if text.isascii() else knobs.tariff_fa_rial


def _destined(
    account: Account, kind: str, receptors: list[int], localids: list[Localid | None]
) -> tuple[list[int], list[float]]:
    """Fates and delays, fixed by the seed, the receptor and the localid (without one, by the place in the ledger)."""
    if account.knobs.debug_mode:
        return [WITHDRAWN] * len(receptors), [0.0] * len(receptors)
    following = len(account.ledger)
    drawn = [
        account.destiny.draw(receptor, _number(localid, following + place))
        for place, (receptor, localid) in enumerate(zip(receptors, localids, strict=True))
    ]
    fates = [fate for fate, _ in drawn]
    if kind == OTP:  # a one-time password reaches those too who want no advertising
        fates = [_DELIVERED if fate == _BLOCKED else fate for fate in fates]
    return fates, [delay_s for _, delay_s in drawn]


def _block(account: Account, draft: Draft, fates: list[int], delays_s: list[float]) -> None:
    """Messages to numbers on the block list of their line end in 14: when their verdict comes, or from the start."""
    for place, (line, number) in enumerate(zip(draft.senders, draft.receptors, strict=True)):
        if account.blocklists.holds(line, number):
            fates[place] = _BLOCKED
            delays_s[place] = 0.0 if account.knobs.blocked_at_once else delays_s[place]


def _number(localid: Localid | None, otherwise: int) -> int:
    if localid is None:
        return otherwise
    return localid if isinstance(localid, int) else crc32(localid.encode())
