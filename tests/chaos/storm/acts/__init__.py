"""The faults of a storm. Each act causes a fault, waits while it lasts, and removes it.

processes  worker processes die, freeze, are deployed
broker     the broker dies, freezes, is flushed
database   the database dies and recovers, or holds locks
losses     the database loses confirmed commits
clock      the database's clock leaps
gateway    the gateway fails, limits, answers wrongly
accounts   workers use the wrong account's key
people     an operator pauses and resumes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.chaos.storm.acts.accounts import swap_key
from tests.chaos.storm.acts.broker import cut_broker_clients, flush_broker, freeze_broker, kill_broker
from tests.chaos.storm.acts.clock import leap_clock_a_little, leap_clock_far
from tests.chaos.storm.acts.database import end_sessions, kill_backend, kill_database, lock_table
from tests.chaos.storm.acts.gateway import (
    block_account,
    exhaust_credit,
    freeze_gateway,
    kill_gateway,
    lie,
    limit_gateway,
    shake_gateway,
    trouble_gateway,
)
from tests.chaos.storm.acts.losses import lose_commits, promote_laggard, restore_far_back, restore_recent
from tests.chaos.storm.acts.people import pause_campaign
from tests.chaos.storm.acts.processes import freeze_worker, kill_beat, kill_poller, kill_sender, roll
from tests.chaos.storm.scene import Act

CARDS: Final[Mapping[Act, int]] = {
    kill_sender: 4,
    kill_poller: 3,
    kill_beat: 2,
    freeze_worker: 2,
    roll: 1,
    kill_broker: 2,
    freeze_broker: 1,
    flush_broker: 2,
    cut_broker_clients: 2,
    kill_database: 1,
    kill_backend: 1,
    end_sessions: 2,
    lock_table: 1,
    trouble_gateway: 10,
    lie: 3,
    shake_gateway: 2,
    limit_gateway: 1,
    kill_gateway: 1,
    freeze_gateway: 1,
    exhaust_credit: 1,
    block_account: 1,
    pause_campaign: 3,
}
"""How often each act is in the deck."""

RARE: Final[Mapping[Act, int]] = {
    lose_commits: 1,
    promote_laggard: 1,
    restore_recent: 1,
    restore_far_back: 1,
    leap_clock_far: 1,
    leap_clock_a_little: 1,
    swap_key: 1,
}
"""How often each act is in the second deck: after each of them, sending stops for a lease or longer."""

ACTS: Final[Mapping[str, Act]] = {act.__name__: act for act in (*CARDS, *RARE)}
