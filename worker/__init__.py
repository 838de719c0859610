"""Every process that we start, and no rule about SMS: `celery -A kavenegar_worker …` and the `campaigns` command."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """Return the Celery app, for `celery -A kavenegar_worker`, which looks for it here. No other import loads it.

    Settings that cannot be used end that command here, with a sentence instead of Celery's traceback.
    """
    if name == "celery":
        from kavenegar_worker import process  # noqa: PLC0415 - only Celery's own command line needs it
        from kavenegar_worker.app import app  # noqa: PLC0415 - likewise

        process.prepare_celery_command()
        return app
    raise AttributeError(name)
