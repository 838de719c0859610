"""The fault suite: under any faults no message is lost or sent twice, and every message is in a truthful state.

Three layers and a test of the test:

- `test_crash_*`: processes die (or stop, or raise) exactly at a marked point of the path: `failpoints`.
- `test_gateway_*`: the gateway misbehaves in one way at a time.
- `storm`: everything at random, for minutes, from a seed: `scripts/chaos`.
- `test_mutants`: the checker must catch a worker that re-sends blindly, and one that never recovers expired leases.

One `checker` checks them all: it compares our database with the ledger of the sandbox.
"""
