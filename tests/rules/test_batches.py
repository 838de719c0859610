"""How ids are handed out and batches are cut: every message in exactly one place, every id used once for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.rules.batches import (
    BATCH_SIZE,
    EPOCH_COUNT,
    EPOCH_SHIFT,
    ID_BLOCK_SIZE,
    POLL_SIZE,
    halves,
    id_block_start,
)

BLOCKS_OF_AN_EPOCH = (1 << EPOCH_SHIFT) // ID_BLOCK_SIZE
EPOCH = st.integers(1, EPOCH_COUNT - 1)
NUMBER = st.integers(1, BLOCKS_OF_AN_EPOCH - 1)


def test_the_limits_are_those_of_the_gateway() -> None:
    assert (BATCH_SIZE, POLL_SIZE) == (200, 500)
    assert ID_BLOCK_SIZE % BATCH_SIZE == 0


@given(first=st.integers(1, 2**53), size=st.integers(2, BATCH_SIZE))
def test_the_halves_of_a_batch_hold_every_message_once_and_are_as_even_as_can_be(first: int, size: int) -> None:
    last = first + size - 1
    left, right = halves(first, last)
    assert left[0] == first
    assert right == (left[1] + 1, last)
    assert 0 <= (left[1] - left[0]) - (right[1] - right[0]) <= 1


@given(size=st.integers(2, BATCH_SIZE), guilty=st.data())
def test_halving_finds_one_guilty_message_in_eight_steps(size: int, guilty: st.DataObject) -> None:
    place = guilty.draw(st.integers(1, size))
    span, steps = (1, size), 0
    while span[0] != span[1]:
        span = next(half for half in halves(*span) if half[0] <= place <= half[1])
        steps += 1
    assert span == (place, place)
    assert steps <= 8


@given(EPOCH, NUMBER, EPOCH, NUMBER)
def test_two_blocks_never_share_an_id(epoch: int, block: int, other_epoch: int, other_block: int) -> None:
    if (epoch, block) == (other_epoch, other_block):
        return
    start, other = id_block_start(epoch, block), id_block_start(other_epoch, other_block)
    assert abs(start - other) >= ID_BLOCK_SIZE


@given(EPOCH, NUMBER)
def test_every_id_is_a_positive_number_that_a_double_holds_exactly(epoch: int, block: int) -> None:
    first = id_block_start(epoch, block)
    assert first > 0
    assert first + ID_BLOCK_SIZE - 1 < 2**53
    assert float(first + ID_BLOCK_SIZE - 1) == first + ID_BLOCK_SIZE - 1


@given(EPOCH, NUMBER)
def test_the_epoch_of_an_id_can_be_read_from_it(epoch: int, block: int) -> None:
    first = id_block_start(epoch, block)
    assert first >> EPOCH_SHIFT == (first + ID_BLOCK_SIZE - 1) >> EPOCH_SHIFT == epoch
