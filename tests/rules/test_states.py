"""The tables of moves: every state has its row, no final state is left, `states_leading_to` is their closure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.rules.states import (
    BATCH_MOVES,
    CAMPAIGN_MOVES,
    MESSAGE_MOVES,
    OPEN_BATCH_STATES,
    VERDICTS,
    BatchState,
    CampaignState,
    MessageState,
    states_leading_to,
)

B, C, M = BatchState, CampaignState, MessageState
TABLES: list[tuple[type[StrEnum], Mapping[StrEnum, frozenset[StrEnum]]]] = [
    (CampaignState, CAMPAIGN_MOVES),  # type: ignore[list-item]
    (BatchState, BATCH_MOVES),  # type: ignore[list-item]
    (MessageState, MESSAGE_MOVES),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("states", "moves"), TABLES, ids=["campaign", "batch", "message"])
def test_every_state_has_its_row_and_none_leads_to_itself(
    states: type[StrEnum], moves: Mapping[StrEnum, frozenset[StrEnum]]
) -> None:
    assert set(moves) == set(states)
    assert all(state not in targets for state, targets in moves.items())


@pytest.mark.parametrize(
    ("states", "moves", "first"),
    [(*table, first) for table, first in zip(TABLES, [C.DRAFT, B.READY, M.PENDING], strict=True)],
    ids=["campaign", "batch", "message"],
)
def test_every_state_can_be_reached_from_the_first(
    states: type[StrEnum], moves: Mapping[StrEnum, frozenset[StrEnum]], first: StrEnum
) -> None:
    reached, frontier = {first}, {first}
    while frontier:
        frontier = {target for state in frontier for target in moves[state]} - reached
        reached |= frontier
    assert reached == set(states)


def test_what_is_over_stays_over() -> None:
    assert not CAMPAIGN_MOVES[C.CANCELLED]
    assert CAMPAIGN_MOVES[C.FINISHED] <= {C.RUNNING}  # a person sends again what stayed uncertain
    assert {state for state, targets in BATCH_MOVES.items() if not targets} == {
        B.CLOSED,
        B.REFUSED,
        B.SPLIT,
        B.CANCELLED,
    }
    assert {state for state, targets in MESSAGE_MOVES.items() if not targets} == {
        M.DELIVERED,
        M.FAILED,
        M.BLOCKED,
        M.CANCELLED,
        M.EXPIRED,
        M.REFUSED,
        M.SUPPRESSED,
    }


def test_of_all_verdicts_only_undelivered_may_change_and_only_to_delivered() -> None:
    assert {verdict: MESSAGE_MOVES[verdict] for verdict in VERDICTS if MESSAGE_MOVES[verdict]} == {
        M.UNDELIVERED: frozenset({M.DELIVERED})
    }


def test_a_batch_that_still_needs_somebody_is_open_and_no_other() -> None:
    finished = {B.CLOSED, B.REFUSED, B.SPLIT, B.CANCELLED, B.UNCERTAIN}
    assert set(OPEN_BATCH_STATES) == set(B) - finished


def paths_to(target: MessageState) -> set[MessageState]:
    """Every state from which one can walk to `target`, found by walking forward from each."""

    def walks(state: MessageState, seen: frozenset[MessageState]) -> bool:
        return any(step is target or (step not in seen and walks(step, seen | {step})) for step in MESSAGE_MOVES[state])

    return {state for state in MessageState if state is not target and walks(state, frozenset({state}))}


@pytest.mark.parametrize("target", list(MessageState))
def test_the_sources_of_a_state_are_those_from_which_one_can_walk_there(target: MessageState) -> None:
    assert states_leading_to(target) == paths_to(target)


@given(st.data())
def test_facts_in_any_order_end_where_the_last_of_them_does(data: st.DataObject) -> None:
    """`states_leading_to` as the guard of a write lets a message jump ahead, and never fall back."""
    walk = [M.PENDING]
    while MESSAGE_MOVES[walk[-1]] and len(walk) < 6:
        step = data.draw(st.sampled_from(sorted(MESSAGE_MOVES[walk[-1]] - {M.PENDING, M.UNCERTAIN})))
        walk.append(step)
    facts = data.draw(st.permutations(walk[1:]))
    state = M.PENDING
    for fact in [*facts, *reversed(facts)]:
        state = fact if state in states_leading_to(fact) else state
    assert state is walk[-1]


def test_nothing_that_is_known_to_the_gateway_can_become_pending_again() -> None:
    assert states_leading_to(M.PENDING) == {M.UNCERTAIN}
    assert not states_leading_to(M.ACCEPTED) & VERDICTS
