"""How ids are handed out and batches are cut: every message in exactly one place, every id used once for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.splitting import BATCH, BLOCK, EPOCH_SHIFT, EPOCHS, POLL, block_start, halves

BLOCKS_OF_AN_EPOCH = (1 << EPOCH_SHIFT) // BLOCK
EPOCH = st.integers(1, EPOCHS - 1)
NUMBER = st.integers(1, BLOCKS_OF_AN_EPOCH - 1)


def test_the_limits_are_those_of_the_gateway() -> None:
    assert (BATCH, POLL) == (200, 500)
    assert BLOCK % BATCH == 0


@given(first=st.integers(1, 2**53), size=st.integers(2, BATCH))
def test_the_halves_of_a_batch_hold_every_message_once_and_are_as_even_as_can_be(first: int, size: int) -> None:
    last = first + size - 1
    left, right = halves(first, last)
    assert left[0] == first
    assert right == (left[1] + 1, last)
    assert 0 <= (left[1] - left[0]) - (right[1] - right[0]) <= 1


@given(size=st.integers(2, BATCH), guilty=st.data())
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
    start, other = block_start(epoch, block), block_start(other_epoch, other_block)
    assert abs(start - other) >= BLOCK


@given(EPOCH, NUMBER)
def test_every_id_is_a_positive_number_that_a_double_holds_exactly(epoch: int, block: int) -> None:
    first = block_start(epoch, block)
    assert first > 0
    assert first + BLOCK - 1 < 2**53
    assert float(first + BLOCK - 1) == first + BLOCK - 1


@given(EPOCH, NUMBER)
def test_the_epoch_of_an_id_can_be_read_from_it(epoch: int, block: int) -> None:
    first = block_start(epoch, block)
    assert first >> EPOCH_SHIFT == (first + BLOCK - 1) >> EPOCH_SHIFT == epoch
