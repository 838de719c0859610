"""Backups as operators make them: pg_dump, and the database dropped, created and restored from it."""

from __future__ import annotations

import os
import subprocess

from sqlalchemy import Engine, create_engine, text

from worker.embedded import wheels


def dump(engine: Engine) -> bytes:
    """The whole database, in pg_dump's own format."""
    return _run(engine, "pg_dump", "--format=custom")


def restore(engine: Engine, backup: bytes) -> None:
    """Drop the database, create it again, and bring the backup back. Every session of before is ended."""
    administer(
        engine, f'DROP DATABASE "{engine.url.database}" WITH (FORCE)', f'CREATE DATABASE "{engine.url.database}"'
    )
    _run(engine, "pg_restore", "--exit-on-error", "--dbname", str(engine.url.database), stdin=backup)


def administer(engine: Engine, *statements: str) -> None:
    """Run statements that stand in no transaction, from another database; our own sessions are left alone."""
    admin = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    engine.dispose()
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    admin.dispose()


def _run(engine: Engine, program: str, *options: str, stdin: bytes | None = None) -> bytes:
    url = engine.url
    where = {
        "PGHOST": str(url.host),
        "PGPORT": str(url.port),
        "PGUSER": str(url.username),
        "PGPASSWORD": str(url.password),
        "PGDATABASE": str(url.database),
    }
    done = subprocess.run(
        [wheels.postgres(program), *options], input=stdin, env={**os.environ, **where}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
