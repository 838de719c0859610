"""The servers of a home live exactly as long as somebody uses them, and what was committed lives longer."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis
import requests
from redis.backoff import NoBackoff
from redis.retry import Retry

from campaigns_devkit import SANDBOX_API_KEY, EmbeddedError, attach
from campaigns_devkit.files import wait_until
from campaigns_devkit.home import Reaper
from campaigns_devkit.postgres import Postgres
from campaigns_devkit.sandbox_gateway import SandboxGateway
from campaigns_devkit.valkey import Valkey
from tests.devkit.conftest import User, session, stop_all
from tests.waiting import PATIENCE_S


def running(home: Path) -> list[bool]:
    return [Postgres(home).is_alive(), Valkey(home).is_alive()]


def pid_of(server: Postgres | Valkey) -> int:
    assert server.pid is not None
    return server.pid


def test_what_was_committed_is_there_after_everybody_left_and_somebody_came_back(home: Path) -> None:
    with attach(home) as first, session(first) as database:
        database.execute("create table kept as select 'سلام' as text")
    assert running(home) == [False, False]

    with attach(home) as second, session(second) as database:
        assert database.execute("select text from kept").fetchone() == ("سلام",)
    assert (second.database_url, second.broker_url) == (first.database_url, first.broker_url)


def test_the_user_has_the_last_word_on_the_settings_of_the_database(home: Path) -> None:
    (home / "postgres" / "local.conf").write_text("wal_level = replica\nmax_wal_senders = 2\n")
    with attach(home, broker=False) as attached, session(attached) as database:
        assert database.execute("show wal_level").fetchone() == ("replica",)
        assert database.execute("show max_connections").fetchone() == ("200",)


def test_only_the_servers_asked_for_are_started(home: Path) -> None:
    with attach(home, database=False) as attached:
        assert running(home) == [False, True]
        assert (attached.database_url, attached.gateway_url) == (None, None)


def test_the_sandbox_gateway_answers_where_it_is_asked_for(home: Path) -> None:
    with attach(home, database=False, broker=False, sandbox=True) as attached:
        answer = requests.get(f"{attached.gateway_url}/v1/{SANDBOX_API_KEY}/utils/getdate.json", timeout=PATIENCE_S)
        assert answer.json()["return"]["status"] == 200
        assert running(home) == [False, False]
    assert not SandboxGateway(home).is_alive()


def test_two_users_share_the_servers_and_the_last_one_to_leave_stops_them(
    home: Path, users: Callable[[Path], User]
) -> None:
    with attach(home) as ours:
        other = users(home)
        assert other.urls()["database_url"] == ours.database_url
    assert running(home) == [True, True]

    other.leave()
    assert running(home) == [False, False]
    assert not Reaper(home).is_alive()


def test_one_process_may_attach_twice(home: Path) -> None:
    first, second = attach(home, database=False), attach(home, database=False)
    first.close()
    assert running(home) == [False, True]
    second.close()
    second.close()
    assert running(home) == [False, False]


def test_users_who_come_at_once_start_one_server_of_each(new_home: Path, users: Callable[[Path], User]) -> None:
    crowd = [users(new_home) for _ in range(4)]
    found = [user.urls() for user in crowd]
    assert all(urls == found[0] for urls in found)
    for user in crowd:
        user.leave()
    assert running(new_home) == [False, False]


def test_a_killed_user_takes_nothing_from_the_others(home: Path, users: Callable[[Path], User]) -> None:
    other = users(home)
    other.urls()
    with attach(home) as ours:
        other.kill()
        with session(ours) as database:
            assert database.execute("select 1").fetchone() == (1,)
    assert running(home) == [False, False]


def test_what_the_last_user_left_running_when_it_was_killed_ends_by_itself(
    home: Path, users: Callable[[Path], User]
) -> None:
    lonely = users(home)
    lonely.urls()
    lonely.kill()
    assert running(home) == [True, True]
    assert wait_until(lambda: running(home) == [False, False], within_s=PATIENCE_S)
    assert wait_until(lambda: not Reaper(home).is_alive(), within_s=PATIENCE_S)


def test_what_a_killed_user_left_running_is_adopted_by_the_next_one(home: Path, users: Callable[[Path], User]) -> None:
    lonely = users(home)
    lonely.urls()
    Reaper(home).stop()
    before = pid_of(Postgres(home)), pid_of(Valkey(home))
    lonely.kill()
    assert running(home) == [True, True]

    with attach(home):
        assert (pid_of(Postgres(home)), pid_of(Valkey(home))) == before
    assert running(home) == [False, False]


def test_a_user_killed_while_the_data_is_made_leaves_nothing_that_the_next_one_stumbles_over(
    new_home: Path, users: Callable[[Path], User]
) -> None:
    made, half_made = (new_home / "postgres" / name for name in ("data", "data.new"))
    for _ in range(5):
        hasty = users(new_home)
        assert wait_until((half_made / "base").exists, within_s=PATIENCE_S)
        hasty.kill()
        if not made.exists():
            break
        stop_all(new_home)  # we were too slow: once more
        shutil.rmtree(new_home)
    assert not made.exists()

    with attach(new_home) as ours, session(ours) as database:
        assert database.execute("select 1").fetchone() == (1,)


def test_a_killed_postmaster_comes_back_for_the_next_user_with_what_was_committed(home: Path) -> None:
    with attach(home) as ours, session(ours) as database:
        database.execute("create table kept as select 1 as number")
        os.kill(pid_of(Postgres(home)), signal.SIGKILL)
        with attach(home) as second, session(second) as again:
            assert again.execute("select number from kept").fetchone() == (1,)
        assert second.database_url == ours.database_url
        with pytest.raises(psycopg.OperationalError):
            database.execute("select 1")


def test_a_user_can_have_a_dead_server_started_again(home: Path) -> None:
    with attach(home) as ours:
        os.kill(pid_of(Valkey(home)), signal.SIGKILL)
        assert wait_until(lambda: running(home) == [True, False], within_s=PATIENCE_S)
        ours.ensure()
        with redis.Redis.from_url(str(ours.broker_url)) as broker:
            assert broker.ping()


def test_a_strangers_process_under_the_number_of_a_crashed_postmaster_is_no_obstacle(home: Path) -> None:
    with attach(home) as first:
        crashed = pid_of(Postgres(home))
        os.kill(crashed, signal.SIGKILL)
        assert wait_until(lambda: not Postgres(home).is_alive(), within_s=PATIENCE_S)
        left_behind = home / "postgres" / "data" / "postmaster.pid"
        left_behind.write_text(left_behind.read_text().replace(str(crashed), str(os.getpid()), 1))
        first.ensure()
        assert running(home) == [True, True]


def test_a_strangers_server_on_a_remembered_port_makes_ours_choose_another(home: Path) -> None:
    with attach(home) as first:
        ports = Postgres(home).port, Valkey(home).port
    with (
        socket.create_server(("127.0.0.1", ports[0])),
        socket.create_server(("127.0.0.1", ports[1])),
        attach(home) as second,
    ):
        assert {Postgres(home).port, Valkey(home).port}.isdisjoint(ports)
        assert second.database_url != first.database_url
        with session(second) as database:
            assert database.execute("select 1").fetchone() == (1,)


def test_nobody_gets_in_without_the_password_and_no_command_line_tells_it(home: Path) -> None:
    with attach(home):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(
                host="127.0.0.1", port=Postgres(home).port, user="campaigns", dbname="campaigns", password=""
            )
        with (
            redis.Redis(port=Valkey(home).port, retry=Retry(NoBackoff(), 0)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        for server in (Postgres(home), Valkey(home)):
            assert server.password not in Path(f"/proc/{server.pid}/cmdline").read_text()


def test_the_folder_is_its_owners_alone(home: Path) -> None:
    with attach(home):
        found = [home, *(path for path in home.rglob("*") if "data" not in path.parts)]
        open_to_others = [path for path in found if path.stat().st_mode & 0o077]
    assert (home / "valkey" / "valkey.conf") in found
    assert open_to_others == []


def test_a_folder_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="cannot be used for servers of our own"):
        attach(tmp_path / "file")


def test_a_server_that_cannot_start_says_why_and_leaves_nothing_running(home: Path) -> None:
    with attach(home):
        pass
    (home / "postgres" / "data" / "PG_VERSION").write_text("9.0\n")
    with pytest.raises(EmbeddedError, match=r"did not come up(.|\n)*incompatible with server"):
        attach(home)
    assert running(home) == [False, False]


def test_a_statement_that_fails_leaves_no_number_in_the_servers_log(home: Path) -> None:
    with attach(home) as ours, session(ours) as database:
        database.execute("create table numbers (number text unique)")
        database.execute("insert into numbers values ('09121234567')")
        for faulty in ("insert into numbers values ('09121234567')", "select '09121234567a'::bigint"):
            with pytest.raises(psycopg.Error):
                database.execute(faulty)
    assert "0912" not in Postgres(home).log.read_text()
