"""Batches: how many messages one holds, how message ids are laid out, and which answered row is which message.

Source: kavenegar-rest, sms/send and sms/status; the limits are per request.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

BATCH_SIZE: Final = 200
"""Receptors in one sms/send or sms/sendarray, and localids in one question about them."""

POLL_SIZE: Final = 500
"""Message ids in one sms/status."""

ID_BLOCK_SIZE: Final = 50 * BATCH_SIZE
"""Message ids that intake reserves at once: a multiple of BATCH_SIZE, so that only a campaign's last batch is short."""

EPOCH_SHIFT: Final = 33
"""Ids of one epoch: 2^33, some 8.6 billion; with an epoch of 20 bits an id stays below 2^53."""

EPOCH_COUNT: Final = 1 << 20

LAST_ID_BLOCK: Final = (1 << EPOCH_SHIFT) // ID_BLOCK_SIZE - 1
"""The last block of an epoch; the database gives out no further one, and a new epoch begins with the first again."""


def id_block_start(epoch: int, block: int) -> int:
    """The first message id of block number `block` (from 1) in `epoch`."""
    return (epoch << EPOCH_SHIFT) + block * ID_BLOCK_SIZE


def halves(first_id: int, last_id: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two halves of an inclusive range of at least two ids; the first takes the odd one."""
    middle = first_id + (last_id - first_id) // 2
    return (first_id, middle), (middle + 1, last_id)


# Match the rows of an answer with the messages of a batch.
#
# Answers carry no localid and may come reordered, short or doubled, so rows are matched by number (which stands once
# in a batch) and compared with sender and text. Source: the sample of sms/sendarray, whose rows come reversed.

_SENDER: Final = re.compile(r"^(?:\+|00)?98(?=\d)|^0+")
_SPACES: Final = re.compile(r"\s+")
_FOOTER: Final = re.compile(r" ?(?:لغو\s?:?\s?\d{1,3}|\d{1,3}\s?[=:]\s?لغو)?")  # what operators add to advertising


class AnsweredRow(Protocol):
    """A row of an answer."""

    @property
    def receptor(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def message(self) -> str: ...


Row = TypeVar("Row", bound=AnsweredRow)


@dataclass(frozen=True, slots=True)
class Matched(Generic[Row]):
    """`rows` by our number; `foreign` are rows that are not ours: another number, sender or text."""

    rows: Mapping[str, Row]
    foreign: Sequence[Row]


def match_answer(texts: Mapping[str, str], sender: str, answered: Iterable[tuple[str, Row]]) -> Matched[Row]:
    """Match `(number, row)` pairs against `texts` by number. A number that is answered twice counts once."""
    rows: dict[str, Row] = {}
    foreign: list[Row] = []
    for number, row in answered:
        text = texts.get(number)
        if text is None or not same_sender(sender, row.sender) or not same_text(text, row.message):
            foreign.append(row)
        else:
            rows.setdefault(number, row)
    return Matched(rows, foreign)


def same_sender(ours: str, theirs: str) -> bool:
    """Whether two spellings name one line. Where either is empty nothing speaks against it: calls name no sender."""
    return not ours or not theirs or _SENDER.sub("", ours) == _SENDER.sub("", theirs)


def same_text(ours: str, theirs: str) -> bool:
    """Whether an echoed text is ours: white space may have been folded, and a footer added for advertising lines."""
    if ours == theirs:
        return True
    sent, echoed = _folded(ours), _folded(theirs)
    return echoed.startswith(sent) and _FOOTER.fullmatch(echoed, len(sent)) is not None


def _folded(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip()
