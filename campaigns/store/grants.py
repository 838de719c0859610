"""The rights of a role that is not the owner of the tables: what a web process needs, and what the workers need.

A role gets exactly the rights of its profile: a right beyond these that it had on our tables is taken away. The owner
of the tables runs this after each upgrade, so that a new table is covered, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.store.tables import SCHEMA, metadata

ID_BLOCKS: Final = "message_id_blocks"
CAMPAIGN_IDS: Final = "campaigns_id_seq"


class Profile(StrEnum):
    """What a role is for."""

    WEB = "web"  # creates, steers and watches campaigns, orders one-time passwords, takes inbound messages, suppresses
    WORKER = "worker"  # everything that the workers, beat, `web`, the metrics and the command do, but for the upgrade


_DELETED: Final = frozenset({"blocklist_entries", "callbacks", "gateway_ids"})
_TABLES: Final = [table.name for table in metadata.sorted_tables]

GRANTS: Final[Mapping[Profile, Mapping[str, str]]] = {
    Profile.WEB: {
        "accounts": "SELECT",
        "attempts": "SELECT",
        "batches": "SELECT, INSERT, UPDATE",
        "campaigns": "SELECT, INSERT, UPDATE",
        "epochs": "SELECT",
        "identity": "SELECT",
        "inbound": "SELECT, UPDATE",
        "installation": "SELECT",
        "messages": "SELECT, INSERT, UPDATE",
        "otps": "SELECT, INSERT",
        "rejects": "SELECT, INSERT",
        "suppressions": "SELECT, INSERT, UPDATE",
    },
    Profile.WORKER: {
        **{table: f"SELECT, INSERT, UPDATE{', DELETE' if table in _DELETED else ''}" for table in _TABLES},
        "alembic_version": "SELECT",
    },
}
"""The rights on each table. Both profiles also have USAGE of the schema and of the two sequences."""

# Is there such a role, how is it quoted, and is it the owner of the tables, a member of the owner, or a superuser?
_ROLE: Final = text("""
    SELECT quote_ident(rolname) AS quoted, pg_has_role(role.oid, tables.relowner, 'MEMBER') AS owns
      FROM pg_roles AS role, pg_class AS tables
     WHERE role.rolname = :role AND tables.oid = to_regclass('sms.campaigns')
""")

# Does this session's role own the tables, so that it may grant rights on them?
_OWNER: Final = text("""
    SELECT CAST(CAST(relowner AS regrole) AS text) AS owner, pg_has_role(relowner, 'USAGE') AS may_grant
      FROM pg_class WHERE oid = to_regclass('sms.campaigns')
""")


def grant(connection: Connection, role: str, profile: Profile) -> None:
    """Give a role exactly the rights of a profile on our tables. Safe to repeat; the tables have to be there.

    Raises: BadInput where there is no such role, where it owns the tables, or where this session does not own them.
    """
    owner = connection.execute(_OWNER).one()
    if not owner.may_grant:
        raise BadInput(f"only the owner of the tables can grant rights on them: connect as {owner.owner}")
    found = connection.execute(_ROLE, {"role": role}).one_or_none()
    if found is None:
        raise BadInput(f"there is no role {role}: CREATE ROLE makes it, with LOGIN and a password")
    if found.owns:
        raise BadInput(f"the role {role} owns the tables, or may do all that their owner may: it needs no grant")
    for statement in statements(found.quoted, profile):
        connection.execute(text(statement))


def statements(role: str, profile: Profile) -> list[str]:
    """Return the statements that give a role, named as SQL has it, exactly the rights of a profile."""
    taken = [
        f"REVOKE ALL ON ALL {kind} IN SCHEMA {SCHEMA} FROM {role}"  # a right that the profile has is given again below
        for kind in ("TABLES", "SEQUENCES")
    ]
    given = [f"GRANT {rights} ON {SCHEMA}.{table} TO {role}" for table, rights in GRANTS[profile].items()]
    return [
        *taken,
        f"REVOKE ALL ON SCHEMA {SCHEMA} FROM {role}",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {role}",
        *given,
        f"GRANT USAGE ON SEQUENCE {SCHEMA}.{ID_BLOCKS}, {SCHEMA}.{CAMPAIGN_IDS} TO {role}",
    ]
