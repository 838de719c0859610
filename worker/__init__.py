"""Every process we start, and no rule about SMS: `celery -A worker …` and the `campaigns` command."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """`celery -A worker` looks here for the app; nothing else has to pay for importing it.

    Settings that cannot be used end that command here, with a sentence instead of Celery's traceback.
    """
    if name == "celery":
        from worker import process  # noqa: PLC0415 - only Celery's own command line needs it
        from worker.app import app  # noqa: PLC0415 - likewise

        process.check_settings()
        return app
    raise AttributeError(name)
