"""The extras of the package: what each brings, and the sentence that names it where something of it is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from kavenegar_campaigns.errors import BadInput

EXTRAS: Final = {
    "worker": (
        "alembic",
        "celery",
        "click",
        "flower",
        "prometheus_client",
        "pydantic",
        "pydantic_settings",
        "redis",
        "requests",
        "rich",
        "standardwebhooks",
        "structlog",
        "tenacity",
        "urllib3",
    ),
    "web": ("waitress", "werkzeug"),
    "xlsx": ("defusedxml", "openpyxl", "python_calamine"),
}
"""The modules of each extra in pyproject.toml. All of an extra has to be there: openpyxl alone reads XML unguarded."""


def missing(extra: str, needed_by: str) -> str | None:
    """Return the sentence that says how to install an extra, or None where all of it is installed."""
    absent = [module for module in EXTRAS[extra] if find_spec(module) is None]
    if not absent:
        return None
    return (
        f"{needed_by} needs packages that are not installed here ({', '.join(absent)}): "
        f"`pip install 'kavenegar-campaigns[{extra}]'` installs them"
    )


def require(extra: str, needed_by: str) -> None:
    """Check that an extra is installed. Raises: BadInput, with the command that installs it."""
    sentence = missing(extra, needed_by)
    if sentence is not None:
        raise BadInput(sentence)
