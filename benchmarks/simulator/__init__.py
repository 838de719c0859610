"""The pace against a hidden limit, on a clock that need not be waited for: ten simulated minutes take a second or so.

    script    the pace's script without a Redis
    world     a limit, callers who want more, and the time in which it happens
    record    what happened, and what is asked of it

`simulate(World(...))` gives a `Record`. What decides is real: the script, `Throttle`, and the sandbox's limiter.
"""

from benchmarks.simulator.record import Call, Record, quantile
from benchmarks.simulator.world import Demand, World, simulate

__all__ = ["Call", "Demand", "Record", "World", "quantile", "simulate"]
