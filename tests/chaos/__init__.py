"""The fault suite: under any single fault and any mix of them, nothing is lost, nothing is sent twice, all is true.

Three layers and a test of the test:

- `test_crash_*`: processes die (or stop, or raise) exactly at a marked point of the path: `failpoints`.
- `test_gateway_*`: the gateway misbehaves in one way at a time.
- `storm`: everything at random, for minutes, from a seed: `scripts/chaos`.
- `test_mutants`: a worker that re-sends blindly, and one that never looks after what died, must both be caught.

One `checker` judges them all, by the sandbox's own ledger and never by what our record says of itself alone.
"""
