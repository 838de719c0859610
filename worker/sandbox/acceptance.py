"""A send that passed the checks becomes messages: repeated localids found, credit reserved, fates drawn.

Source: kavenegar-rest, sms/send: "if this localid already exists in your sends, no duplicate send is done and the
record of that id is put in the output".
"""

from __future__ import annotations

from zlib import crc32

from worker.sandbox import rules
from worker.sandbox.account import Account
from worker.sandbox.arrangement import arranged
from worker.sandbox.checks import Draft, refusal
from worker.sandbox.codes import STATUS_TEXT, Refusal
from worker.sandbox.envelope import Row
from worker.sandbox.ledger import Accepted
from worker.sandbox.lifecycle import WITHDRAWN
from worker.sandbox.localids import Localid

_FARTHEST_DATE_S = 400 * 86400.0  # a date beyond is taken for milliseconds: 417


def take(account: Account, draft: Draft) -> list[Row]:
    """The records a send answers with, one for each receptor. Raises Refusal, and then nothing has changed."""
    if code := refusal(draft, account.knobs):
        raise Refusal(code)
    now = account.clock.now()
    rows, fresh = _places(account, draft.localids or [None] * len(draft.receptors), now)
    if fresh:
        new = _priced(account, draft, fresh)
        if sum(new.costs_rial) > account.purse.balance(now):
            raise Refusal(418)
        account.accept(new)
    account.tally.took(draft.method, len(rows))
    account.tally.dedupe_hits += len(rows) - len(fresh)
    return arranged(account, [record(account, row, now) for row in rows])


def starts_at(account: Account, raw: str) -> float | None:
    """When a message with this `date` sets out: now where it is empty or 0, None where it is no date or past."""
    now = account.clock.now()
    if raw in {"", "0", "null"}:
        return now
    if not (raw.isascii() and raw.isdigit()):
        return None
    date = float(raw)
    if date > now:
        return date if date <= now + _FARTHEST_DATE_S else None
    return now if date >= now - account.knobs.date_grace_s else None


def record(account: Account, row: int, now: float) -> Row:
    """A message as sends and sms/select show it, with the status of this moment."""
    ledger = account.ledger
    status = account.status(row, now)
    return {
        "messageid": ledger.messageid(row),
        "message": ledger.text(row),
        "status": status,
        "statustext": STATUS_TEXT[status],
        "sender": ledger.sender(row),
        "receptor": rules.written(ledger.receptors[row]),
        "date": int(ledger.starts_at[row]),
        "cost": ledger.costs_rial[row],
    }


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


def _priced(account: Account, draft: Draft, fresh: list[int]) -> Accepted:
    """The new messages of a draft, with what each costs and what becomes of it."""
    knobs = account.knobs
    texts = [draft.texts[position] for position in fresh]
    receptors = [number for position in fresh if (number := draft.receptors[position]) is not None]
    localids = [None if draft.localids is None else draft.localids[position] for position in fresh]
    parts_of = {text: rules.parts(text, latin_single=knobs.latin_single) for text in set(texts)}
    parts = [parts_of[text] for text in texts]
    fates, delays_s = _destined(account, receptors, localids)
    return Accepted(
        starts_at=draft.starts_at or account.clock.now(),
        localids=localids,
        receptors=receptors,
        senders=[draft.senders[position] for position in fresh],
        texts=texts,
        parts=parts,
        costs_rial=[
            part * (knobs.tariff_en_rial if text.isascii() else knobs.tariff_fa_rial)
            for part, text in zip(parts, texts, strict=True)
        ],
        fates=fates,
        delays_s=delays_s,
    )


def _destined(account: Account, receptors: list[int], localids: list[Localid | None]) -> tuple[list[int], list[float]]:
    """Fates and delays, fixed by the seed, the receptor and the localid (without one, by the place in the ledger)."""
    if account.knobs.debug_mode:
        return [WITHDRAWN] * len(receptors), [0.0] * len(receptors)
    following = len(account.ledger)
    drawn = [
        account.destiny.draw(receptor, _number(localid, following + place))
        for place, (receptor, localid) in enumerate(zip(receptors, localids, strict=True))
    ]
    return [fate for fate, _ in drawn], [delay_s for _, delay_s in drawn]


def _number(localid: Localid | None, otherwise: int) -> int:
    if localid is None:
        return otherwise
    return localid if isinstance(localid, int) else crc32(localid.encode())
