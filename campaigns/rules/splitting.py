"""How many things fit into one request, and how ids and batches are cut.

Source: kavenegar-rest, sms/send and sms/status; the limits are per request.
"""

from __future__ import annotations

from typing import Final

BATCH: Final = 200
"""Receptors in one sms/send or sms/sendarray, and localids in one question about them."""

POLL: Final = 500
"""Message ids in one sms/status."""

BLOCK: Final = 50 * BATCH
"""Message ids that intake reserves at once: a multiple of BATCH, so that only a campaign's last batch is short."""

EPOCH_SHIFT: Final = 33
"""Ids of one epoch: 2^33, some 8.6 billion; with an epoch of 20 bits an id stays below 2^53."""

EPOCHS: Final = 1 << 20

LAST_BLOCK: Final = (1 << EPOCH_SHIFT) // BLOCK - 1
"""The last block of an epoch; the database gives out no further one, and a new epoch begins with the first again."""


def block_start(epoch: int, block: int) -> int:
    """The first message id of block number `block` (from 1) in `epoch`."""
    return (epoch << EPOCH_SHIFT) + block * BLOCK


def halves(first_id: int, last_id: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two halves of an inclusive range of at least two ids; the first takes the odd one."""
    middle = first_id + (last_id - first_id) // 2
    return (first_id, middle), (middle + 1, last_id)
