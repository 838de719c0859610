"""What a send must pass before anything is accepted, in the order the gateway looks.

The spec does not publish the order; this one is fixed here so that a request with two faults has one answer.
The credit (418) comes last, when it is known what is new (acceptance.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from worker.sandbox import rules
from worker.sandbox.knobs import Knobs
from worker.sandbox.localids import Localid


@dataclass(frozen=True, slots=True)
class Draft:
    """A send request, read but not yet believed. The columns may still differ in length."""

    method: str
    receptors: list[int | None]  # None where the number is no number
    senders: list[str]
    texts: list[str]
    localids: list[Localid] | None
    starts_at: float | None  # None where the date is no date, or past
    tag: str
    other_lengths: tuple[int, ...] = ()  # of columns that only have to fit, like `type`


Check = Callable[[Draft, Knobs], int]  # the code to refuse with, 0 to pass


def size(draft: Draft, knobs: Knobs) -> int:
    if len(draft.receptors) <= knobs.send_limit:
        return 0
    return knobs.sendarray_over_limit_code if draft.method == "sms/sendarray" else 414


def lengths(draft: Draft, knobs: Knobs) -> int:  # noqa: ARG001 - one shape for every check
    columns = {len(draft.receptors), len(draft.senders), len(draft.texts), *draft.other_lengths}
    if draft.localids is not None:
        columns.add(len(draft.localids))
    return 419 if len(columns) > 1 else 0


def line(draft: Draft, knobs: Knobs) -> int:
    lines = set(draft.senders)
    if "" in lines:
        return 426  # seen live: no sender given, and the account has no default one
    if not lines <= {*knobs.senders, *knobs.restricted_senders}:
        return 412
    return 427 if lines & set(knobs.restricted_senders) else 0


def receptors(draft: Draft, knobs: Knobs) -> int:
    poisoned = {rules.receptor(number, lenient=True) for number in knobs.bad_receptors} | {None}
    return 0 if draft.receptors and poisoned.isdisjoint(draft.receptors) else 411


def text_length(draft: Draft, knobs: Knobs) -> int:
    return 0 if all(0 < rules.units(text) <= knobs.text_limit for text in set(draft.texts)) else 413


def links(draft: Draft, knobs: Knobs) -> int:
    return 420 if knobs.links_restricted and any(map(rules.has_link, set(draft.texts))) else 0


def characters(draft: Draft, knobs: Knobs) -> int:
    marker = knobs.poison_text
    return 422 if marker and any(marker in text for text in set(draft.texts)) else 0


def date(draft: Draft, knobs: Knobs) -> int:  # noqa: ARG001
    return 417 if draft.starts_at is None else 0


def tag(draft: Draft, knobs: Knobs) -> int:
    return 607 if draft.tag and not (rules.is_tag(draft.tag) and draft.tag in knobs.tags) else 0


def owner(draft: Draft, knobs: Knobs) -> int:
    return 501 if knobs.test_mode and set(draft.receptors) != {rules.receptor(knobs.owner_number)} else 0


ORDER: tuple[Check, ...] = (size, lengths, line, receptors, text_length, links, characters, date, tag, owner)


def refusal(draft: Draft, knobs: Knobs) -> int:
    """The first code in ORDER that speaks against a draft, 0 when none does."""
    return next((code for check in ORDER if (code := check(draft, knobs))), 0)
