"""Every process we start, and no rule about SMS: `celery -A worker …` and the `campaigns` command."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """`celery -A worker` looks here for the app; nothing else has to pay for importing it."""
    if name == "celery":
        from worker.app import app  # noqa: PLC0415 - only Celery's own command line needs it

        return app
    raise AttributeError(name)
