"""Procfile, docker-compose.yml and Dockerfile tell the same story, and an unsafe one cannot slip in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from campaigns_devkit import binaries, postgres, servers, supervisor
from campaigns_devkit.files import wait_until
from kavenegar_worker.settings.model import Settings

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = PROJECT / "docker-compose.yml"
DOCKERFILE = PROJECT / "Dockerfile"
ENV_EXAMPLE = PROJECT / ".env.example"
LOCKS = sorted(PROJECT.glob("requirements*.lock"))

SERVERS = {"postgres", "valkey"}
PROCESSES = supervisor.read_procfile(PROJECT / "Procfile")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
ENDING = {"migrate"}
WORKERS = {"worker-send", "worker-poll"}
WATCHED = {"flower", "metrics"}
CALLED = {"web"}

every_service = pytest.mark.parametrize("name", SERVICES)
every_process = pytest.mark.parametrize("name", PROCESSES)


def seconds(duration: str) -> int:
    """Of a Compose duration: `90s`, `2m`."""
    found = re.fullmatch(r"(\d+)([sm])", duration)
    assert found, f"{duration} is no duration of seconds or minutes"
    return int(found[1]) * {"s": 1, "m": 60}[found[2]]


def test_both_files_name_the_same_processes_but_for_the_one_that_ends() -> None:
    """Honcho and foreman end all of a Procfile's processes when one of them ends."""
    assert set(SERVICES) - SERVERS - ENDING == set(PROCESSES)
    assert SERVICES["migrate"]["command"] == ["sh", "-c", "exec campaigns migrate"]


@pytest.mark.parametrize("file", ["Procfile", "README.md", "docs/operating.md", "docker-compose.yml"])
def test_whoever_starts_the_processes_is_told_that_they_need_a_supervisor(file: str) -> None:
    assert "supervisor" in (PROJECT / file).read_text(encoding="utf-8")


@every_process
def test_a_process_has_the_same_command_in_both(name: str) -> None:
    shell, flag, command = SERVICES[name]["command"]
    assert (shell, flag) == ("sh", "-c")
    assert " ".join(command.replace("$$", "$").split()) == PROCESSES[name]


@every_process
def test_a_process_takes_the_place_of_its_shell_so_that_signals_reach_it(name: str) -> None:
    assert re.search(r"(^|&& )exec (celery|campaigns) ", PROCESSES[name])


@every_service
def test_a_service_comes_back_when_it_dies_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    if name in ENDING:
        assert service["restart"].startswith("on-failure")
        return
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert seconds(check["timeout"]) <= seconds(check["interval"])
    assert check["retries"] >= 2


@every_service
def test_no_service_runs_as_root_or_may_become_it(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_only_those_that_ask_for_a_secret_can_be_reached_and_only_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == WATCHED | CALLED
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert all(service["networks"] == ["inside"] for name, service in SERVICES.items() if name in SERVERS)


@pytest.mark.parametrize("name", sorted(WATCHED | CALLED))
def test_what_can_be_reached_starts_with_its_secret_or_not_at_all(name: str) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere", "BROKER_URL": "redis://127.0.0.1:1/0"}
    asked = subprocess.run(
        ["sh", "-c", PROCESSES[name]],
        env={"PATH": programs, "PYTHONPATH": str(PROJECT), "KAVENEGAR_API_KEY": "a-key", **nowhere},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert asked.returncode != 0
    secret, right = ("CALLBACK_TOKEN", "--new-token") if name in CALLED else (f"{name.upper()}_BASIC_AUTH", "it holds")
    assert f"{secret}" in (said := asked.stderr.decode())
    assert "is not set: " in said
    assert right in said


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_a_worker_may_finish_what_has_left_before_it_is_stopped(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) >= 120


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_waits_for_its_tables_and_its_servers(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "postgres": {"condition": "service_healthy"},
        "valkey": {"condition": "service_healthy"},
    }


def test_every_process_finds_the_same_pace_though_only_the_workers_hold_the_key() -> None:
    chosen = {name: {k: v for k, v in SERVICES[name]["environment"].items() if k.startswith("PACE_")}
              for name in PROCESSES}  # fmt: skip
    names = {name.upper() for name in Settings.model_fields if name.startswith("pace_")}
    assert all(set(found) == names for found in chosen.values())
    assert len({tuple(sorted(found.items())) for found in chosen.values()}) == 1
    assert chosen["metrics"]["PACE_NAME"] == "${PACE_NAME:-campaigns}"


def test_what_must_be_set_stands_in_the_example() -> None:
    required = {name.removesuffix("_FILE") for name in re.findall(r"(?<!\$)\$\{([A-Z_]+):\?", COMPOSE.read_text())}
    offered = set(re.findall(r"^([A-Z_]+)=", ENV_EXAMPLE.read_text(), flags=re.MULTILINE))
    assert required
    assert required <= offered


def test_no_secret_has_a_value_in_a_file_of_the_project() -> None:
    assert re.findall(r"^\w*(?:PASSWORD|KEY|AUTH|TOKEN)=(.+)", ENV_EXAMPLE.read_text(), flags=re.MULTILINE) == []


def compose_is_installed() -> bool:
    """The plugin, not only Docker's client."""
    asked = ["docker", "compose", "version"]
    return bool(shutil.which("docker")) and not subprocess.run(asked, capture_output=True, check=False).returncode


def test_compose_accepts_the_file(tmp_path: Path) -> None:
    """Compose itself judges where it is installed; elsewhere what it would look up by name is looked up here."""
    if compose_is_installed():
        settings = re.sub(r"^(\w+)=$", r"\1=value", ENV_EXAMPLE.read_text(), flags=re.MULTILINE)
        (tmp_path / ".env").write_text(settings)
        shutil.copy(COMPOSE, tmp_path)
        judged = subprocess.run(
            ["docker", "compose", "config", "--quiet"], cwd=tmp_path, capture_output=True, check=False
        )
        assert judged.returncode == 0, judged.stderr.decode()
        return
    whole = yaml.safe_load(COMPOSE.read_text())
    known = {"name", "services", "networks", "volumes", "secrets"}
    assert {key for key in whole if not key.startswith("x-")} == known
    for service in SERVICES.values():
        assert set(service) <= SERVICE_KEYS
        assert set(service.get("networks", [])) <= set(whole["networks"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(whole["volumes"])
        assert set(service.get("secrets", [])) <= set(whole["secrets"])


SERVICE_KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "logging", "mem_limit",
    "networks", "pids_limit", "ports", "profiles", "read_only", "restart", "secrets", "security_opt", "shm_size",
    "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip


@pytest.fixture
def compose_valkey(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The Valkey of the compose file, started by its own command, but for the port."""
    port = servers.find_free_port()
    (tmp_path / "valkey-server").symlink_to(binaries.valkey_server())
    shell, flags, script = SERVICES["valkey"]["command"]
    script = script.replace("$$", "$").replace("appendonly no\n", f"appendonly no\nport {port}\n")
    with subprocess.Popen(
        [shell, flags, script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.defpath}", "VALKEY_PASSWORD": "a-secret"},
        stdout=subprocess.DEVNULL,
    ) as server:
        assert wait_until(lambda: servers.accepts_connections(port), within_s=60)
        yield server, port
        server.terminate()


def test_the_valkey_of_compose_wants_a_password_that_no_command_line_tells(
    compose_valkey: tuple[subprocess.Popen[bytes], int],
) -> None:
    server, port = compose_valkey
    with redis.Redis(port=port, password="a-secret") as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert int(client.config_get("maxmemory")["maxmemory"]) == 256 * 1024**2
        assert client.config_get("save") == {"save": ""}
    with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.execute_command("PING")
    assert b"a-secret" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_postgres_is_set_up_alike_in_compose_and_embedded() -> None:
    service = SERVICES["postgres"]
    assert service["environment"]["POSTGRES_INITDB_ARGS"].split() == list(postgres.LOCALE)
    given = dict(setting.split("=") for setting in service["command"][2::2])
    assert set(postgres.SILENCE) <= set(given)
    assert given == {name: value for name, value in postgres.SETTINGS.items() if name in given}


def test_the_image_runs_as_somebody_and_installs_nothing_that_is_not_locked() -> None:
    lines = DOCKERFILE.read_text().splitlines()
    [user] = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert all(SERVICES[name]["user"] == user for name in PROCESSES)
    installing = [line for line in lines if "pip install" in line]
    assert len(installing) == 2
    assert "--require-hashes" in installing[0]
    assert "--no-index" in installing[1]


def test_the_image_is_made_of_what_it_needs_and_no_secret_can_get_in() -> None:
    ignored, *wanted = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line[0] in "*!"]
    assert ignored == "*"
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    assert {name for line in copied for name in line.split()} == {line[1:] for line in wanted if line.startswith("!")}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_holds_exact_versions_with_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(entries) > 30
    loose = [entry for entry in entries if not re.match(r"[\w.-]+==[\w.]+ .*\\\n    --hash=sha256:[0-9a-f]{64}", entry)]
    assert loose == []
    assert not re.search(r"://|--index|--find-links", text)


def test_each_lock_holds_the_smaller_one_with_the_same_versions() -> None:
    pins = {lock.name: set(re.findall(r"^[\w.-]+==[\w.]+", lock.read_text(), flags=re.MULTILINE)) for lock in LOCKS}
    assert pins["requirements.lock"] < pins["requirements-embedded.lock"] < pins["requirements-dev.lock"]
