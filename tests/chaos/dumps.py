"""Back up one database with pg_dump, and restore it with pg_restore under the same name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from campaigns_devkit import binaries

WITHIN_S: Final = 180


def dump(url: str, path: Path) -> None:
    """Back up the database at `url`, in one snapshot. Raises: psycopg.OperationalError."""
    _run(url, "pg_dump", "--format=custom", "--compress=0", f"--file={path}", f"--dbname={_name(url)}")


def restore(url: str, path: Path, *, settings: Mapping[str, str] | None = None) -> None:
    """End every session of the database at `url`, drop it, and restore it from the backup.

    `settings` are the database's own, which a backup of one database does not hold. Until the restore is done, new
    sessions find an empty database. Raises: psycopg.Error.
    """
    name = sql.Identifier(_name(url))
    with _admin(url) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    configure(url, settings or {})
    _run(url, "pg_restore", "--single-transaction", "--exit-on-error", f"--dbname={_name(url)}", path)


def configure(url: str, settings: Mapping[str, str | None]) -> None:
    """Set settings of the database at `url` for its new sessions; None resets one."""
    database = sql.Identifier(_name(url))
    with _admin(url) as admin:
        for name, value in settings.items():
            change = "ALTER DATABASE {} RESET {}" if value is None else f"ALTER DATABASE {{}} SET {{}} = {value}"
            admin.execute(sql.SQL(change).format(database, sql.Identifier(name)))


def end_sessions(url: str) -> None:
    """End every session of the database at `url`, as a restart of a pooler or a firewall would."""
    with _admin(url) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [_name(url)],
        )


def _name(url: str) -> str:
    return str(make_url(url).database)


def _admin(url: str) -> psycopg.Connection[tuple[object, ...]]:
    where = make_url(url)
    return psycopg.connect(
        host=where.host,
        port=where.port,
        user=where.username,
        password=where.password,
        dbname="postgres",
        connect_timeout=5,
        autocommit=True,
    )


def _run(url: str, program: str, *arguments: str | Path) -> None:
    where = make_url(url)
    done = subprocess.run(
        [
            binaries.postgres_program(program),
            *(f"--host={where.host}", f"--port={where.port}", f"--username={where.username}"),
            *arguments,
        ],
        env={"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": str(where.password)},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise psycopg.OperationalError(f"{program} failed: {done.stderr.strip()[:500]}")
