"""Random faults from a seed, for minutes: `scripts/chaos`, or `python -m tests.chaos.storm`.

schedule   the times of the acts, decided by the seed before the storm starts
stage      the servers and processes, and how to damage and restore them
crowd      the campaigns, and the operator who steers them
acts       the faults
watch      the invariants of every instant, checked every few seconds
timeline   the record of the acts, on the screen and in a file
storm_run  a whole storm, from the start of the servers to the check
"""
