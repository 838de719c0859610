"""python -m kavenegar_worker.cli: the `campaigns` command where it is not installed."""

from kavenegar_worker.cli import entry_point

entry_point()
