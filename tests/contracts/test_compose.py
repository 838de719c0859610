"""docker-compose.yml bounds every container, and gives each the settings and the secrets that it needs and no other."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns_devkit import binaries, supervisor
from kavenegar_campaigns.stages.intake import calamine_child
from kavenegar_worker.settings import ALIASES, load, revealed
from kavenegar_worker.settings.model import Settings

PROJECT = Path(__file__).resolve().parents[2]
WHOLE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
PROCESSES = set(supervisor.read_procfile(PROJECT / "Procfile"))
WORKERS = {"worker-send", "worker-poll"}
SETTINGS = {name.upper() for name in Settings.model_fields}

# What only one process needs. The places of metrics, web and Flower within their containers are fixed.
FIXED = {"CAMPAIGNS_HOME", "FLOWER_PORT", "METRICS_PORT", "WEB_PORT"}
OF_ONE = {
    "worker-poll": {name for name in SETTINGS if name.startswith("INBOX_") and name != "INBOX_TASK"}
    | {"INTAKE_FOLDER"},
    "flower": {"FLOWER_ADDRESS", "FLOWER_BASIC_AUTH", "FLOWER_MAX_TASKS"},
    "metrics": {"METRICS_ADDRESS", "METRICS_BASIC_AUTH"},
    "web": {"WEB_ADDRESS", "CALLBACK_RATE", "CALLBACK_BACKLOG_MAX"},
}
SECRETS = {
    "KAVENEGAR_API_KEY": WORKERS,
    "INBOX_WEBHOOK": {"worker-poll"},
    "INBOX_WEBHOOK_SECRET": {"worker-poll"},
    "CALLBACK_TOKEN": {"web"},
    "FLOWER_BASIC_AUTH": {"flower"},
    "METRICS_BASIC_AUTH": {"metrics"},
}
VALUES = {
    "POSTGRES_PASSWORD": "a-password-of-postgres",
    "VALKEY_PASSWORD": "a-password-of-valkey",
    "KAVENEGAR_API_KEY": "4A6B7C8D9E0F",
    "INBOX_WEBHOOK": "https://shop.example/inbox",
    "INBOX_WEBHOOK_SECRET": "whsec_" + "c2VjcmV0" * 5,
    "CALLBACK_TOKEN": "a-token-for-callbacks-of-the-tests-0123",
    "FLOWER_BASIC_AUTH": "flower:a-password-of-flower",
    "METRICS_BASIC_AUTH": "prometheus:a-password-of-metrics",
}

every_service = pytest.mark.parametrize("name", SERVICES)


def filled_in(value: object, dotenv: Mapping[str, str]) -> str:
    """A value of the file as Compose makes it out of .env: its ${…} are those of a shell."""
    done = subprocess.run(
        ["sh", "-c", f'printf %s "{value}"'], env={"PATH": "/bin:/usr/bin", **dotenv}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def environment(name: str, dotenv: Mapping[str, str]) -> dict[str, str]:
    return {key: filled_in(value, dotenv) for key, value in SERVICES[name].get("environment", {}).items()}


def megabytes(size: str) -> int:
    found = re.fullmatch(r"(\d+)([mg])b?", size)
    assert found, f"{size} is no size"
    return int(found[1]) * {"m": 1, "g": 1024}[found[2]]


# ── bounds ──


@every_service
def test_a_container_that_goes_wrong_takes_neither_all_memory_nor_all_processes_of_its_host(name: str) -> None:
    assert 64 <= megabytes(SERVICES[name]["mem_limit"]) <= 2048
    assert 32 <= SERVICES[name]["pids_limit"] <= 1024


def test_a_container_has_room_for_what_its_process_is_set_to() -> None:
    valkey = SERVICES["valkey"]["command"][-1]
    [maxmemory] = re.findall(r"^maxmemory (\d+mb)$", valkey, flags=re.MULTILINE)
    assert "maxmemory-policy noeviction\n" in valkey  # a ring that is evicted is lost until it is rung again
    assert megabytes(SERVICES["valkey"]["mem_limit"]) >= 2 * megabytes(maxmemory)
    workbook = (calamine_child.MAX_MEMORY + calamine_child.MAX_OUTPUT) / 1024**2
    assert megabytes(SERVICES["worker-poll"]["mem_limit"]) >= workbook + 256
    [connections] = [part for part in SERVICES["postgres"]["command"] if part.startswith("max_connections=")]
    assert SERVICES["postgres"]["pids_limit"] >= 1.5 * int(connections.partition("=")[2])
    most = load({"DATABASE_URL": "postgresql://h/d", "CAMPAIGNS_BROKER_URL": "redis://h/0"})
    assert all(SERVICES[name]["pids_limit"] >= 10 * max(most.send_threads, most.poll_threads) for name in WORKERS)


# ── images ──


def images() -> dict[str, str]:
    """Each image that is not made here, with its tag."""
    given = [service["image"] for service in SERVICES.values() if "build" not in service]
    given += re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return {name: tag for name, _, tag in (image.partition("@")[0].partition(":") for image in given)}


def test_images_have_exact_versions_and_the_servers_those_that_the_tests_run_on() -> None:
    found = images()
    assert set(found) == {"postgres", "valkey/valkey", "python"}
    assert all(re.match(r"\d+\.\d+", tag) for tag in found.values())
    assert re.match(r"3\.\d+\.\d+-", found["python"])
    postgres = subprocess.run(
        [binaries.postgres_program("postgres"), "--version"], capture_output=True, text=True, check=True
    )
    valkey = subprocess.run([binaries.valkey_server(), "--version"], capture_output=True, text=True, check=True)
    assert f"(PostgreSQL) {found['postgres'].partition('-')[0]}" in postgres.stdout
    assert f"v={found['valkey/valkey'].partition('-')[0]} " in valkey.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that name images, and a program `docker` that answers as a registry would; `tags` is what it knows."""
    project = tmp_path / "project"
    (project / "scripts").mkdir(parents=True)
    for name in ("docker-compose.yml", "Dockerfile", "scripts/pin-images"):
        shutil.copy(PROJECT / name, project / name)
    program = tmp_path / "docker"
    program.write_text(f"""#!/bin/sh
[ "$1 $2 $3" = "buildx imagetools inspect" ] && [ "$4 $5" = "--format {{{{.Manifest.Digest}}}}" ] || exit 64
grep "^$6 " "{tmp_path}/tags" | cut -d' ' -f2
""")
    program.chmod(0o755)
    return project


def pin(copy: Path, tags: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    (copy.parent / "tags").write_text("".join(f"{image} {digest}\n" for image, digest in tags.items()))
    return subprocess.run(
        [copy / "scripts" / "pin-images", *options],
        env={"PATH": f"{copy.parent}:/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def digests(fill: str) -> dict[str, str]:
    return {f"{name}:{tag}": f"sha256:{fill * 64}" for name, tag in images().items()}


def test_a_script_writes_the_digest_that_the_registry_names_behind_each_tag(copy: Path) -> None:
    before = {name: (copy / name).read_text() for name in ("docker-compose.yml", "Dockerfile")}
    assert pin(copy, digests("a"), "--check").returncode == 1
    for fill in "ab":  # the second time there are digests already
        done = pin(copy, digests(fill))
        assert done.returncode == 0, done.stderr
        for name, text in before.items():
            pinned = (copy / name).read_text()
            assert pinned.count("@sha256:") == {"docker-compose.yml": 2, "Dockerfile": 2}[name]
            assert pinned.replace(f"@sha256:{fill * 64}", "") == text
    assert pin(copy, digests("b"), "--check").returncode == 0
    stale = pin(copy, digests("a"), "--check")
    assert stale.returncode == 1
    assert "postgres" in stale.stderr


@pytest.mark.parametrize("answer", ["", "sha256:abc", "<html>"])
def test_what_is_no_digest_is_never_written(copy: Path, answer: str) -> None:
    one = next(iter(digests("a")))
    done = pin(copy, digests("a") | {one: answer})
    assert done.returncode == 1
    assert one in done.stderr
    assert all("@sha256:" not in (copy / name).read_text() for name in ("docker-compose.yml", "Dockerfile"))


# ── settings ──


def test_no_container_is_handed_the_whole_of_the_file() -> None:
    assert [name for name, service in SERVICES.items() if "env_file" in service] == []


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_process_reads_whatever_it_is_handed(name: str) -> None:
    found = environment(name, VALUES)
    known = SETTINGS | set(ALIASES) | {f"{secret}_FILE" for secret in SECRETS} | {"HTTPS_PROXY", "NO_PROXY"}
    assert set(found) <= known
    assert load(found).database_url is not None


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_the_old_name_of_a_setting_goes_where_its_new_name_goes(name: str) -> None:
    found = set(environment(name, VALUES))
    assert {old for old, new in ALIASES.items() if new in found} == found & set(ALIASES)


def test_the_workers_are_handed_every_setting_that_is_not_for_another_process_alone() -> None:
    for name in WORKERS:
        others = set().union(*(those for owner, those in OF_ONE.items() if owner != name))
        if name == "worker-send":
            others |= {"INBOX_TASK"}
        assert SETTINGS - set(environment(name, VALUES)) == FIXED | others, name
    for name, those in OF_ONE.items():
        assert those <= set(environment(name, VALUES)), name


def test_a_setting_of_the_file_reaches_the_workers_by_its_own_name() -> None:
    made = {"LEASE", "KAVENEGAR_API_KEY", "CALLBACK_TOKEN", "DATABASE_URL", "CAMPAIGNS_BROKER_URL"}
    for name in WORKERS:
        given = {key: f"value-of-{key}" for key in environment(name, VALUES) if not key.endswith("_FILE")}
        found = environment(name, VALUES | given)
        assert {key: found[key] for key in set(given) - made} == {key: given[key] for key in set(given) - made}


# ── secrets ──


@every_service
def test_a_secret_reaches_those_who_need_it_and_nobody_else(name: str) -> None:
    done = repr(environment(name, VALUES))
    holders = {secret: name in those for secret, those in SECRETS.items()}
    assert {secret: VALUES[secret] in done for secret in SECRETS} == holders


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_may_stand_in_a_file_that_only_those_who_need_it_can_read(secret: str, tmp_path: Path) -> None:
    on_host, within = str(tmp_path / "on-host"), f"/run/secrets/{secret.lower()}"
    dotenv = {key: value for key, value in VALUES.items() if key != secret} | {f"{secret}_FILE": on_host}
    assert filled_in(WHOLE["secrets"][secret.lower()]["file"], dotenv) == on_host
    mounted = tmp_path / "mounted"
    mounted.write_text(f"{VALUES[secret]}\n")
    holders = {name for name, service in SERVICES.items() if secret.lower() in service.get("secrets", [])}
    assert holders == SECRETS[secret]
    for name in holders:
        found = environment(name, dotenv)
        assert found[f"{secret}_FILE"] == within
        settings = load(found | {f"{secret}_FILE": str(mounted)})
        assert revealed(getattr(settings, secret.lower())) == VALUES[secret], name


def test_without_such_a_file_none_is_looked_for() -> None:
    for secret, those in SECRETS.items():
        assert filled_in(WHOLE["secrets"][secret.lower()]["file"], VALUES) == "/dev/null"
        assert all(environment(name, VALUES)[f"{secret}_FILE"] == "" for name in those)


@pytest.mark.parametrize("dotenv", [{"CALLBACK_TOKEN": "x"}, {"CALLBACK_TOKEN_FILE": "./token"}, {}])
def test_the_workers_know_that_callbacks_are_expected_and_not_their_secret(dotenv: dict[str, str]) -> None:
    given = {key: value for key, value in VALUES.items() if not key.startswith("CALLBACK")} | dotenv
    for name in WORKERS:
        assert load(environment(name, given)).policy().callbacks_expected is bool(dotenv)


def test_flower_takes_its_password_out_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("somebody:a-password\n")
    shown = supervisor.read_procfile(PROJECT / "Procfile")["flower"].replace("exec celery", 'echo "$FLOWER_BASIC_AUTH"')
    given = {"PATH": "/bin:/usr/bin", "FLOWER_BASIC_AUTH": "/path/on/host", "FLOWER_BASIC_AUTH_FILE": "secret"}
    done = subprocess.run(["sh", "-c", shown], env=given, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("somebody:a-password ")
