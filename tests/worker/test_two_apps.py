"""A shop's own Celery beside ours, in one process and in one environment: each task goes to its own broker.

Two databases of one Valkey are the two brokers. Every shop is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from kavenegar_worker.settings import ignored_brokers, load, revealed
from tests.own_process import answer_of
from tests.waiting import until

OURS, SHOPS = 0, 1

SHOP = """
import json, os, sys, threading
from celery import Celery, current_app, shared_task

@shared_task(name="shop.pack")
def pack(order):
    return order

def shop():
    return Celery("shop", broker=os.environ.get("SHOP_BROKER"))
"""

SEND_BOTH = """
pack.delay(1)
sender = threading.Thread(target=pack.delay, args=(2,))
sender.start(); sender.join()
from kavenegar_worker.tasks import check_account
check_account.apply_async()
import celery
json.dump(celery.current_app.main, sys.stdout)
"""

ORDERS = {
    "the shop's app first": "app = shop()\nimport kavenegar_worker.app",
    "ours first": "import kavenegar_worker.app\napp = shop()",
    "ours by the name that Celery's command looks for": "from kavenegar_worker import celery as ours\napp = shop()",
    "tasks and all": "import kavenegar_worker.tasks, kavenegar_worker.process\napp = shop()",
}


@pytest.fixture
def brokers(broker_url: str) -> dict[int, str]:
    """The addresses of both brokers, empty."""
    server = broker_url.rpartition("/")[0]
    return {OURS: f"{server}/{OURS}", SHOPS: f"{server}/{SHOPS}"}


def waiting(url: str, *queues: str) -> list[int]:
    """How many messages wait in each queue."""
    with redis.Redis.from_url(url) as client:
        return [int(client.llen(queue)) for queue in queues]  # type: ignore[arg-type]


def environment(brokers: dict[int, str], **more: str) -> dict[str, str]:
    return {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        "CAMPAIGNS_BROKER_URL": brokers[OURS],
        "SHOP_BROKER": brokers[SHOPS],
        **more,
    }


@pytest.mark.parametrize("order", ORDERS)
def test_a_shops_tasks_stay_on_its_broker_and_ours_go_to_ours_whichever_app_is_made_first(
    order: str, brokers: dict[int, str]
) -> None:
    """DJANGO_SETTINGS_MODULE makes Celery change the app that is made first, and make it everybody's default."""
    script = f"{SHOP}\n{ORDERS[order]}\n{SEND_BOTH}"

    its = environment(brokers, DJANGO_SETTINGS_MODULE="django.conf.global_settings")
    assert answer_of("-c", script, **its) == "shop"

    assert waiting(brokers[SHOPS], "celery", "maint") == [2, 0]
    assert waiting(brokers[OURS], "celery", "maint") == [0, 1]


@pytest.mark.parametrize("surroundings", [{}, {"DJANGO_SETTINGS_MODULE": "django.conf.global_settings"}])
def test_our_app_is_neither_the_current_nor_the_default_one(surroundings: dict[str, str]) -> None:
    script = """
import json, sys, kavenegar_worker.tasks, kavenegar_worker.process
from celery import _state
json.dump([_state._tls.current_app is None, _state.default_app is None], sys.stdout)
"""
    assert answer_of("-c", script, **surroundings) == [True, True]


def test_celerys_own_variables_do_not_move_our_tasks(brokers: dict[int, str]) -> None:
    script = """
import json, sys
from kavenegar_worker.tasks import app, check_account
check_account.apply_async()
connections = app.connection_for_read(), app.connection_for_write(), app.connection(), app.broker_connection()
json.dump([each.virtual_host for each in connections], sys.stdout)
"""
    its = dict.fromkeys(("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"), brokers[SHOPS])
    assert answer_of("-c", script, **environment(brokers, **its)) == [str(OURS)] * 4
    assert waiting(brokers[OURS], "maint") == [1]


def test_a_shops_celeryconfig_loader_and_results_do_not_reach_our_app(brokers: dict[int, str], tmp_path: Path) -> None:
    (tmp_path / "celeryconfig.py").write_text("broker_read_url = 'redis://127.0.0.1:1/5'\ntask_serializer = 'pickle'")
    script = """
import json, sys
from kavenegar_worker.app import app
json.dump([app.connection_for_read().virtual_host, app.conf.task_serializer, type(app.backend).__name__], sys.stdout)
"""
    its = {
        "CELERY_CONFIG_MODULE": "celeryconfig",
        "CELERY_LOADER": "default",
        "CELERY_RESULT_BACKEND": "shops.own.Results",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
    }
    assert answer_of("-c", script, **environment(brokers, **its)) == [str(OURS), "json", "DisabledBackend"]


@pytest.mark.parametrize(
    ("named", "used", "ignored"),
    [
        ({"CAMPAIGNS_BROKER_URL": OURS}, OURS, []),
        ({"BROKER_URL": OURS}, OURS, []),
        ({"CAMPAIGNS_BROKER_URL": OURS, "BROKER_URL": OURS}, OURS, []),
        ({"CAMPAIGNS_BROKER_URL": OURS, "BROKER_URL": SHOPS}, OURS, ["BROKER_URL"]),
        ({"CAMPAIGNS_BROKER_URL": OURS, "CELERY_BROKER_URL": SHOPS}, OURS, ["CELERY_BROKER_URL"]),
        ({"CAMPAIGNS_BROKER_URL": OURS, "BROKER_URL": SHOPS, "CELERY_BROKER_URL": SHOPS}, OURS, ["BROKER_URL"]),
    ],
)
def test_our_own_name_counts_first_and_the_others_are_reported(
    named: dict[str, int], used: int, ignored: list[str], brokers: dict[int, str]
) -> None:
    its = {name: brokers[each] for name, each in named.items()}
    settings = load(its)
    assert revealed(settings.campaigns_broker_url) == brokers[used]
    assert ignored_brokers(settings, its) == ignored


def test_the_doctor_says_it_where_celery_and_the_pace_use_different_brokers(brokers: dict[int, str]) -> None:
    script = f"""
import json, sys
from kavenegar_worker.app import app
from kavenegar_worker.cli.doctor_brokers import check_celery_broker
app.conf.broker_url = {brokers[SHOPS]!r}
found = check_celery_broker()
json.dump([found.level, found.says], sys.stdout)
"""
    level, says = answer_of("-c", script, **environment(brokers))
    server = brokers[OURS].rpartition("@")[2].rpartition("/")[0]
    assert level == "bad"
    assert says.startswith(
        f"Celery consumes from {server}/{SHOPS} and publishes to {server}/{SHOPS}, and the pace is at"
    )
    assert f"at {server}/{OURS}: " in says


# ── the commands ──


@contextmanager
def running(arguments: list[str], surroundings: dict[str, str], log: Path, folder: Path) -> Iterator[None]:
    """A `celery` command with these arguments."""
    command = [sys.executable, "-m", "celery", *arguments]
    its = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), **surroundings}
    with log.open("wb") as out, subprocess.Popen(command, env=its, stdout=out, stderr=out, cwd=folder) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


WORKER = ["worker", "--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel"]

SHOPS_MODULE = """
import logging, os
from celery import Celery, shared_task

app = Celery("shop", broker=os.environ["SHOP_BROKER"])
app.conf.worker_log_format = "SHOP %(message)s"
app.conf.worker_redirect_stdouts = False

import kavenegar_worker.app, kavenegar_worker.tasks, kavenegar_worker.process, kavenegar_worker.otp

@shared_task(name="shop.pack")
def pack(batch_id):
    from structlog.contextvars import get_contextvars
    print("PACKED", batch_id, get_contextvars(), flush=True)
"""


def test_a_shops_worker_that_imports_our_modules_works_and_logs_as_before(
    brokers: dict[int, str], tmp_path: Path
) -> None:
    """It has the address of our broker in its environment, but no database, no key, and none of our tables."""
    (tmp_path / "shop.py").write_text(SHOPS_MODULE)
    log, its = tmp_path / "log", {"SHOP_BROKER": brokers[SHOPS], "CAMPAIGNS_BROKER_URL": brokers[OURS]}
    with running(["-A", "shop", *WORKER, "INFO"], its, log, tmp_path):
        answer_of(
            "-c",
            "import shop, json, sys\nshop.pack.delay(batch_id=7)\njson.dump(0, sys.stdout)",
            **its | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        )
        until(lambda: "PACKED 7" in log.read_text(), "the shop's task")
    said = log.read_text()
    assert "PACKED 7 {}" in said  # our logs' fields are bound to our tasks alone
    assert "SHOP Task shop.pack" in said  # the shop's format
    assert "campaigns." not in said  # none of our tasks is one of its own
    assert "Traceback" not in said
    assert waiting(brokers[OURS], "celery") == [0]


@pytest.mark.parametrize("name", ["BROKER_URL", "CELERY_BROKER_URL"])
def test_our_worker_consumes_from_our_broker_where_the_shop_names_its_own_to_celery(
    name: str, brokers: dict[int, str], database_url: str, tmp_path: Path
) -> None:
    its = environment(brokers, **{name: brokers[SHOPS]}) | {
        "DATABASE_URL": database_url,
        "KAVENEGAR_API_KEY": "4A6B7C8D9E0F",
        "KAVENEGAR_BASE_URL": "http://127.0.0.1:1",
    }
    log = tmp_path / "log"
    with running(["-A", "kavenegar_worker", *WORKER, "INFO", "--queues", "maint"], its, log, tmp_path):
        until(lambda: "ready." in log.read_text(), "the worker's begin")
        inspected = subprocess.run(
            [sys.executable, "-m", "celery", "-A", "kavenegar_worker", "inspect", "ping", "--json"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **its},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert '"ok": "pong"' in inspected.stdout, inspected.stderr
    said = log.read_text()
    assert "another broker ignored" in said
    assert f"/{OURS}" in said.partition("transport:")[2].splitlines()[0]


def test_a_task_of_the_shop_in_a_process_of_our_worker_binds_nothing_and_feeds_no_watchdog() -> None:
    script = """
import json, sys
from celery import Celery
from kavenegar_worker import process
from kavenegar_worker.tasks import check_account
from structlog.contextvars import get_contextvars, bind_contextvars
shop = Celery("shop", set_as_current=False)
@shop.task(name="shop.pack")
def pack(batch_id): return get_contextvars()
process.connect_signals()
bind_contextvars(task="campaigns.tick")
json.dump([pack.apply(args=[1]).result, get_contextvars()], sys.stdout)
"""
    assert answer_of("-c", script) == [{"task": "campaigns.tick"}] * 2
