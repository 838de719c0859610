"""Backups as operators make them: pg_dump, and the database dropped, created and restored from it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, create_engine, text

from tests.chaos import dumps


def dump(engine: Engine) -> bytes:
    """The whole database, in pg_dump's own format."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "backup")
        dumps.dump(_url(engine), path)
        return path.read_bytes()


def restore(engine: Engine, backup: bytes) -> None:
    """Drop the database, create it again, and bring the backup back. Every session of before is ended."""
    engine.dispose()
    with TemporaryDirectory() as folder:
        path = Path(folder, "backup")
        path.write_bytes(backup)
        dumps.restore(_url(engine), path)


def administer(engine: Engine, *statements: str) -> None:
    """Run statements that stand in no transaction, from another database; our own sessions are left alone."""
    admin = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    engine.dispose()
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    admin.dispose()


def _url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)
