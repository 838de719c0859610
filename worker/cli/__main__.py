"""python -m worker.cli: the `campaigns` command where it is not installed."""

from worker.cli import entry_point

entry_point()
