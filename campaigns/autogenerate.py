"""For a shop that has migrations of its own in the same database: keep Alembic's autogenerate away from our tables.

    from kavenegar_campaigns.autogenerate import ignore_ours      # in the shop's env.py

    context.configure(..., include_schemas=True, include_name=ignore_ours())

Without it, `alembic revision --autogenerate` finds the schema `sms`, which the shop's models do not know, and writes a
migration that drops all of it. The table of our own revision is in that schema, too. Alembic need not be installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kavenegar_campaigns.store.tables import SCHEMA

IncludeName = Callable[[str | None, str, Mapping[str, str | None]], bool]
"""Whether Alembic looks at a thing of the database: its name, its kind, and the names of what it belongs to."""


def ignore_ours(otherwise: IncludeName | None = None) -> IncludeName:
    """Return a function for `include_name` of Alembic's `context.configure`, which leaves the schema `sms` out.

    `otherwise`: a function of your own, which decides about everything else.
    """

    def include_name(name: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
        if SCHEMA in (name if kind == "schema" else None, parents.get("schema_name")):
            return False
        return otherwise is None or otherwise(name, kind, parents)

    return include_name
