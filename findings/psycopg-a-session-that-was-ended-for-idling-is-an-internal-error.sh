#!/usr/bin/env bash
# psycopg 3.3.9 and SQLAlchemy 2.1.9 (PyPI): of the ways in which PostgreSQL ends a session by itself, two are no OperationalError.
#
# Guess, written down first: every end of a session is an OperationalError ("not necessarily under the control of the
# programmer", PEP 249), so `except OperationalError` is how one reconnects. An idle session that is ended (57P05) is one.
# Seen: an idle session is one, and a session that was idle within a transaction (25P03, idle_in_transaction_session_timeout)
# or whose transaction lasted too long (25P04, transaction_timeout) is an InternalError, in psycopg and through SQLAlchemy:
# the class comes from the first two digits of the SQLSTATE, and 25 is "invalid transaction state".
# What it means for users: a program that stood still for a moment (a starved machine, a suspended laptop) is told of an
# internal error once, where every other lost connection is tried again. Our upgrade raised in this way
# (campaigns/store/migrate.py recognises an ended session now, whatever class it has).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install "psycopg[binary]==3.3.9" sqlalchemy==2.1.9

"$folder/venv/bin/python" - <<'PY'
import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError

ENDS = ("25P03", "25P04", "57P01", "57P02", "57P04", "57P05", "08006")
found = {}
for code in ENDS:
    error = errors.lookup(code)("terminating connection")
    wrapped = DBAPIError.instance("SELECT 1", {}, error, psycopg.Error)
    found[code] = type(wrapped).__name__
    print(f"{code} {type(error).__name__}: {type(error).__mro__[1].__name__}, through SQLAlchemy {found[code]}")
assert {code for code, kind in found.items() if kind != "OperationalError"} == {"25P03", "25P04"}, found
assert {found["25P03"], found["25P04"]} == {"InternalError"}, found
PY
# Output on 2026-11-29:
# 25P03 IdleInTransactionSessionTimeout: InternalError, through SQLAlchemy InternalError
# 25P04 TransactionTimeout: InternalError, through SQLAlchemy InternalError
# 57P01 AdminShutdown: OperationalError, through SQLAlchemy OperationalError
# 57P02 CrashShutdown: OperationalError, through SQLAlchemy OperationalError
# 57P04 DatabaseDropped: OperationalError, through SQLAlchemy OperationalError
# 57P05 IdleSessionTimeout: OperationalError, through SQLAlchemy OperationalError
# 08006 ConnectionFailure: OperationalError, through SQLAlchemy OperationalError
