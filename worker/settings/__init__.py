"""The settings of one process, from its environment: the only place that reads it.

model      every setting with its type, its default and its meaning
reading    the environment to the model, all wrong values at once; the model to lines for a person
variables  where the text of a setting stands: a variable, a file, an old name
parsers    the text of a value to the value
key_file   the API key, read again whenever its file changes

Importing this package does not import pydantic, which takes a tenth of a second: `load` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from worker.settings import variables

if TYPE_CHECKING:
    from pydantic import SecretStr

    from worker.settings.model import Settings
    from worker.settings.reading import Row

__all__ = ["load", "old_names", "revealed", "rows"]


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ`, by default the environment of this process. Old names are logged as warnings.

    Raises: BadInput that names every wrong variable, its value where it is no secret, and what would be right.
    """
    from worker.settings import reading  # noqa: PLC0415 - it imports pydantic

    return reading.load(os.environ if environ is None else environ)


def old_names(environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield a sentence for each setting that is set by its old name."""
    return variables.old_names(os.environ if environ is None else environ)


def rows(settings: Settings, environ: Mapping[str, str] | None = None) -> Iterator[Row]:
    """Yield every setting as a line for a person; of a secret it says only whether it is set."""
    from worker.settings import reading  # noqa: PLC0415 - it imports pydantic

    return reading.rows(settings, os.environ if environ is None else environ)


def revealed(secret: SecretStr | None) -> str | None:
    """Return the text of a secret, for the library that needs it; None where there is none."""
    return None if secret is None else secret.get_secret_value()
