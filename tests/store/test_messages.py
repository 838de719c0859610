"""Facts about messages come late, doubled and reordered, from whoever; the counters always agree with the messages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.rules.states import MESSAGE_MOVES, MessageState
from kavenegar_campaigns.store import messages
from kavenegar_campaigns.store.records import Fact
from tests.store.given import (
    MOVES_SEEN,
    NOW,
    PRICE,
    batch_ids,
    claim,
    facts,
    gateway_id,
    learn,
    lies,
    running,
)

M = MessageState
Said = tuple[MessageState, int]
SLOWLY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

# What the gateway can say of one message as time passes: (state, status), in the order in which it comes true.
HISTORIES: list[list[Said]] = [
    [(M.ACCEPTED, 1)],
    [(M.ACCEPTED, 1), (M.ACCEPTED, 4)],
    [(M.ACCEPTED, 1), (M.ACCEPTED, 4), (M.DELIVERED, 10)],
    [(M.ACCEPTED, 1), (M.ACCEPTED, 5), (M.FAILED, 6)],
    [(M.ACCEPTED, 5), (M.BLOCKED, 14)],
    [(M.ACCEPTED, 1), (M.CANCELLED, 13)],
    [(M.ACCEPTED, 1), (M.ACCEPTED, 4), (M.UNDELIVERED, 11)],
    [(M.ACCEPTED, 1), (M.ACCEPTED, 4), (M.UNDELIVERED, 11), (M.DELIVERED, 10)],
]


@st.composite
def telling(draw: st.DrawFn, size: int) -> tuple[list[list[Said]], list[list[tuple[int, int]]]]:
    """A history for each of `size` messages, and answers that tell all of it: any order, any packing, some twice.

    An answer is a list of (message, step of its history), each message at most once in it.
    """
    histories = [draw(st.sampled_from(HISTORIES)) for _ in range(size)]
    steps = [(message, step) for message, history in enumerate(histories) for step in range(len(history))]
    again = draw(st.lists(st.sampled_from(steps), max_size=size))
    answers: list[dict[int, int]] = [{}]
    for message, step in draw(st.permutations(steps + again)):
        if message in answers[-1] or draw(st.booleans()):
            answers.append({})
        answers[-1][message] = step
    return histories, [list(answer.items()) for answer in answers if answer]


def as_facts(ids: Sequence[int], histories: list[list[Said]], answer: list[tuple[int, int]]) -> list[Fact]:
    """An answer about the messages `ids`, as facts."""
    said = [(ids[message], *histories[message][step]) for message, step in answer]
    return [Fact(id_, state, gateway_id(id_), status, PRICE) for id_, state, status in said]


def stored(connection: Connection, ids: Sequence[int]) -> list[tuple[MessageState, int | None]]:
    rows = connection.execute(
        text("SELECT state, status FROM sms.messages WHERE id = ANY (:ids) ORDER BY id"), {"ids": list(ids)}
    )
    return [(MessageState(row.state), row.status) for row in rows]


@SLOWLY
@given(st.data())
def test_facts_in_any_order_and_doubled_come_to_what_came_true_last(engine: Engine, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 6))
    histories, answers = data.draw(telling(size))
    campaign = running(engine, size)
    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text(MOVES_SEEN))
        held = claim(connection, batch_ids(engine, campaign)[0])
        assert held is not None
        ids = [message.id for message in held.messages]
        for answer in answers:
            learn(connection, held, as_facts(ids, histories, answer))
            assert lies(connection) == []
        assert stored(connection, ids) == [history[-1] for history in histories]
        for was, became in connection.execute(text("SELECT was, became FROM moves WHERE table_name = 'messages'")):
            assert M(was) in _before(M(became))
        transaction.rollback()


def _before(state: MessageState) -> set[MessageState]:
    """Every state from which `state` can be reached."""
    found = {source for source, targets in MESSAGE_MOVES.items() if state in targets}
    while more := {source for source, targets in MESSAGE_MOVES.items() if targets & found} - found:
        found |= more
    return found


@SLOWLY
@given(st.data())
def test_what_the_gateway_has_under_one_id_never_gets_another(engine: Engine, data: st.DataObject) -> None:
    campaign = running(engine, 2)
    with engine.connect() as connection, connection.begin() as transaction:
        held = claim(connection, batch_ids(engine, campaign)[0])
        assert held is not None
        first, second = (message.id for message in held.messages)
        learn(connection, held, facts([first]))
        wrong = data.draw(st.sampled_from([M.ACCEPTED, M.DELIVERED, M.FAILED]))
        assert len(messages.merge_facts(connection, [Fact(first, wrong, gateway_id(second), 10)], now=NOW)) == 0
        assert stored(connection, [first]) == [(M.ACCEPTED, 1)]
        transaction.rollback()


def test_a_merge_tells_how_many_messages_really_moved(connection: Connection, engine: Engine) -> None:
    campaign = running(engine, 3)
    held = claim(connection, batch_ids(engine, campaign)[0])
    assert held is not None
    ids = [message.id for message in held.messages]
    assert len(messages.merge_facts(connection, facts(ids), now=NOW)) == 3
    assert len(messages.merge_facts(connection, facts(ids), now=NOW)) == 0
    assert len(messages.merge_facts(connection, facts(ids[:1], M.DELIVERED, 10), now=NOW)) == 1
    assert len(messages.merge_facts(connection, facts(ids, M.FAILED, 6), now=NOW)) == 2
    assert len(messages.merge_facts(connection, [], now=NOW)) == 0
    assert len(messages.merge_facts(connection, facts([1]), now=NOW)) == 0


def test_a_status_that_only_went_on_is_kept_and_never_goes_back(connection: Connection, engine: Engine) -> None:
    campaign = running(engine, 1)
    held = claim(connection, batch_ids(engine, campaign)[0])
    assert held is not None
    (message,) = (message.id for message in held.messages)
    for status, kept in [(1, 1), (4, 4), (1, 4), (5, 5), (4, 5)]:
        messages.merge_facts(connection, facts([message], status=status), now=NOW)
        assert stored(connection, [message]) == [(M.ACCEPTED, kept)]


def test_an_acceptance_learned_late_overrules_that_nobody_could_know(connection: Connection, engine: Engine) -> None:
    campaign = running(engine, 1)
    held = claim(connection, batch_ids(engine, campaign)[0])
    assert held is not None
    (message,) = (message.id for message in held.messages)
    learn(connection, held, [Fact(message, M.UNCERTAIN)])
    learn(connection, held, facts([message]))
    assert stored(connection, [message]) == [(M.ACCEPTED, 1)]
    learn(connection, held, [Fact(message, M.UNCERTAIN)])
    assert stored(connection, [message]) == [(M.ACCEPTED, 1)]
    assert lies(connection) == []


@pytest.mark.parametrize("decision", [Fact(0, M.CANCELLED), Fact(0, M.REFUSED, refused_code=411), Fact(0, M.UNCERTAIN)])
def test_no_decision_of_ours_overrules_that_the_gateway_has_a_message(
    connection: Connection, engine: Engine, decision: Fact
) -> None:
    """A resolver that was told "never seen" may be overtaken by the sender's late answer: what was sent was sent."""
    campaign = running(engine, 1)
    held = claim(connection, batch_ids(engine, campaign)[0])
    assert held is not None
    (message,) = (message.id for message in held.messages)
    learn(connection, held, facts([message]))
    learn(connection, held, [Fact(message, decision.state, refused_code=decision.refused_code)])
    assert stored(connection, [message]) == [(M.ACCEPTED, 1)]
