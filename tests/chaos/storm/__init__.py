"""Everything at random, from a seed, for minutes: `scripts/chaos`, or `python -m tests.chaos.storm`.

schedule   which act comes when: decided by the seed before anything starts
stage      the servers and processes, and how to hurt and heal them
crowd      the campaigns, and the operator who steers them
acts       what goes wrong
watch      what must hold at every instant
timeline   what was done, for the eyes and for a file
storm_run  from the first server to the verdict
"""
