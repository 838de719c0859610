"""Benchmarks: ratios against a baseline in the same run, never seconds against a limit.

    bench       the servers of a run: PostgreSQL, Valkey, sandbox gateways, workers; gone when it ends
    processes   what processes cost: CPU seconds and memory
    figures     rows of figures, their medians, and how they are shown
    recipients  the people we write to
    stored      what a long life leaves in the database
    journey     one campaign through the real workers, watched
    today       the baseline: what people do today (a process of its own)
    loading     one load of a file (a process of its own)
    simulator   the pace's controller on a clock that need not be waited for

and the cases, each with a function `measure`: path, memory, intake, tick, merge, pace.
"""
