"""samples/shop, built from nothing by the commands of docs/in-your-project.md: real servers, workers and a gateway."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pytest
import redis
import requests
from sqlalchemy import Engine, create_engine, make_url, text

import campaigns_devkit
from campaigns_devkit import Supervisor
from campaigns_devkit.servers import find_free_port
from campaigns_devkit.supervisor import read_procfile
from kavenegar_campaigns.store.engine import make_engine
from tests.path.conftest import SHORT_TIMES
from tests.shop import building
from tests.waiting import until
from tests.world import SENDER, Sandbox

BUILD, MIGRATE, TEST, START, ORDER, REMIND = building.commands()
_numbers: Final = itertools.count()
_ORDERED: Final = {"mobile": "09121234567", "name": "سارا", "product": "کتاب"}

# On which day of the shop was the order made?
_DAY: Final = text("SELECT CAST(created_at AT TIME ZONE 'Asia/Tehran' AS date) FROM orders_order WHERE id = :id")
# How many messages of campaigns are there?
_MESSAGES: Final = text("SELECT count(*) FROM sms.messages")
# What does the message of a campaign say, under which key?
_SAID: Final = text("""
    SELECT client_key, coalesce(message.text, template) FROM sms.campaigns AS campaign
      JOIN sms.messages AS message ON message.campaign_id = campaign.id WHERE campaign.id = :id
""")
# Which keys have the campaigns?
_KEYS: Final = text("SELECT client_key FROM sms.campaigns")
# What did the shop's consumer keep?
_REPLIES: Final = text("SELECT mobile, text FROM campaigns_reply")


@dataclass(frozen=True, slots=True)
class Running:
    """The shop as it runs: its folder, its address, its database, and the gateway."""

    shop: building.Shop
    address: str
    database: Engine
    gateway: Sandbox

    def order(self) -> dict[str, int]:
        """Order something over HTTP. Returns the ids of the order and its campaign."""
        answer = requests.post(f"{self.address}/orders", data=_ORDERED, timeout=60)
        assert answer.status_code == 201, answer.text
        made: dict[str, int] = answer.json()
        return made

    def ask(self, question: Any, **values: Any) -> list[Any]:
        """The rows of the shop's database."""
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.execute(question, values)]

    def campaign_keys(self) -> list[str]:
        """The keys of all campaigns."""
        return [key for (key,) in self.ask(_KEYS)]

    def left(self) -> int:
        """How many messages the gateway has accepted."""
        return int(self.gateway.summary()["messages"])

    def wait_until_all_have_left(self) -> None:
        """Wait until the gateway has accepted each message of each campaign."""
        until(lambda: self.ask(_MESSAGES) == [(self.left(),)], "the gateway accepting every message")


@pytest.fixture(scope="module")
def database(servers: campaigns_devkit.Attached) -> Iterator[Engine]:
    """An empty database: the page's commands make all tables, Django's and ours."""
    name = f"shop_{next(_numbers)}"
    admin = create_engine(str(servers.database_url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = make_engine(make_url(str(servers.database_url)).set(database=name).render_as_string(hide_password=False))
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="module")
def gateway() -> Iterator[Sandbox]:
    """A gateway for the file."""
    with Sandbox.start() as found:
        yield found


@pytest.fixture(scope="module")
def brokers(servers: campaigns_devkit.Attached) -> tuple[str, str]:
    """Our broker and the shop's: two databases of one Valkey."""
    with redis.Redis.from_url(str(servers.broker_url)) as client:
        client.flushall()
    server = str(servers.broker_url).rpartition("/")[0]
    return f"{server}/0", f"{server}/1"


@pytest.fixture(scope="module")
def built(
    database: Engine, gateway: Sandbox, brokers: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> building.Shop:
    """The shop, after the page's commands up to its tables."""
    folder = tmp_path_factory.mktemp("newcomer")
    building.prepare(folder)
    settings = {
        "DATABASE_URL": database.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "CAMPAIGNS_BROKER_URL": brokers[0],
        "SHOP_BROKER_URL": brokers[1],
        "INBOX_TASK_BROKER": brokers[1],
        "KAVENEGAR_API_KEY": gateway.api_key,
        "KAVENEGAR_BASE_URL": gateway.url,
        "KAVENEGAR_SENDER": SENDER,
        "INBOX_LINES": f"{SENDER}=1s",
        "PORT": str(find_free_port()),
        **SHORT_TIMES,
    }
    shop = building.Shop(folder, settings)
    shop.run(BUILD)
    shop.write_addresses()
    shop.run(MIGRATE)
    return shop


@pytest.fixture(scope="module")
def running(built: building.Shop, database: Engine, gateway: Sandbox, brokers: tuple[str, str]) -> Iterator[Running]:
    """The shop with all of its processes, started by the page's command."""
    terminal = built.environment()
    line = f"cd {built.project}\n{built.line(START.replace('honcho', 'exec honcho'))}"
    command = ["/usr/bin/env", f"PATH={terminal['PATH']}", "/bin/bash", "-c", line]  # without our own commands
    address = f"http://127.0.0.1:{built.settings['PORT']}"
    supervisor = Supervisor({"honcho": command}, terminal, built.folder / "logs")
    supervisor.start()
    try:
        until(lambda: _answers(address), "the shop's web server answering")
        yield Running(built, address, database, gateway)
    finally:
        supervisor.stop(grace_s=30)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/admin/login/", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def test_the_page_installs_ours_from_its_wheel_and_nothing_of_the_checkout(built: building.Shop) -> None:
    code = "import kavenegar_campaigns, kavenegar_worker, campaigns, worker; "
    code += "print(*(each.__file__ for each in (kavenegar_campaigns, kavenegar_worker, campaigns, worker)), sep='\\n')"
    ours, our_worker, theirs, their_worker = built.run(f'honcho run python -c "{code}"').splitlines()[-4:]

    inside = str(built.project / ".venv")
    assert ours.startswith(inside)
    assert our_worker.startswith(inside)
    assert (theirs, their_worker) == tuple(
        str(built.project / name / "__init__.py") for name in ("campaigns", "worker")
    )


def test_an_order_leads_to_an_sms_that_the_gateway_accepts(running: Running) -> None:
    made = running.order()

    running.wait_until_all_have_left()
    said = f"سارا عزیز، سفارش {made['order']} ثبت شد."
    assert running.ask(_SAID, id=made["campaign"]) == [(f"order-{made['order']}", said)]


def test_an_order_that_nobody_can_be_told_about_leaves_nothing(running: Running) -> None:
    before = running.ask(text("SELECT count(*) FROM orders_order"))
    answer = requests.post(f"{running.address}/orders", data=_ORDERED | {"mobile": "12"}, timeout=60)

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert running.ask(text("SELECT count(*) FROM orders_order")) == before


def test_the_commands_of_the_page_order_something_and_list_its_campaign(running: Running) -> None:
    on_the_page = ORDER.replace("http://127.0.0.1:5000", running.address)

    printed = running.shop.run(on_the_page)

    made = json.loads(re.findall(r"\{.*?\}", printed)[0])
    running.wait_until_all_have_left()
    assert f"order-{made['order']}" in running.campaign_keys()
    assert f"order-{made['order']} " in printed


def test_the_nightly_campaign_is_created_once_for_two_runs(running: Running) -> None:
    [(day,)] = running.ask(_DAY, id=running.order()["order"])
    assert isinstance(day, date)
    on_the_page = f"{REMIND.strip()} --day {day}"

    first, second = (running.shop.run(on_the_page).splitlines()[-1] for _ in range(2))

    assert first == second
    assert running.campaign_keys().count(f"unpaid-{day}") == 1
    running.wait_until_all_have_left()


def test_the_shops_beat_and_worker_know_the_nightly_task(running: Running) -> None:
    printed = running.shop.run(
        "honcho run python -c 'from worker.app import app; app.loader.import_default_modules(); "
        'print([entry["task"] in app.tasks for entry in app.conf.beat_schedule.values()])\''
    )
    assert printed.splitlines()[-1] == "[True]"


def test_an_inbound_message_reaches_the_shops_consumer_on_the_shops_broker(running: Running) -> None:
    running.gateway.inject({"line": SENDER, "sender": "09121234568", "text": "کی می‌رسد؟"})

    until(lambda: running.ask(_REPLIES) != [], "the shop's consumer keeping the message")
    assert running.ask(_REPLIES) == [("09121234568", "کی می‌رسد؟")]
    until(
        lambda: running.ask(text("SELECT acknowledged_at IS NOT NULL FROM sms.inbound")) == [(True,)],
        "the acknowledgement",
    )
    with redis.Redis.from_url(running.shop.settings["CAMPAIGNS_BROKER_URL"]) as ours:
        assert not ours.exists("celery")


def test_the_shops_own_tests_run_beside_live_workers_and_send_nothing(running: Running) -> None:
    running.wait_until_all_have_left()
    before = running.left(), running.ask(_MESSAGES)[0][0]

    printed = running.shop.run(TEST)

    assert re.search(r"Ran \d\d? tests in .*\n\nOK", printed), printed
    running.order()  # when this has left, anything that was there before it has left, too
    running.wait_until_all_have_left()
    assert (running.left() - 1, running.ask(_MESSAGES)[0][0] - 1) == before


def test_the_samples_readme_has_the_pages_commands() -> None:
    on_the_page = {line.partition("  #")[0].strip() for block in building.commands() for line in block.splitlines()}
    in_the_readme = building.commands_of_the_sample().splitlines()

    assert len(in_the_readme) == 5
    for line in in_the_readme:
        whole = line.partition("  #")[0].strip()
        assert whole in on_the_page or {part.strip() for part in whole.split("&&")} <= on_the_page, line


def test_the_samples_procfile_starts_our_processes_as_ours_does() -> None:
    theirs, ours = read_procfile(building.SAMPLE / "Procfile"), read_procfile()

    names = ("worker-send", "worker-poll", "beat")
    assert {name: theirs[name] for name in names} == {name: ours[name] for name in names}


def test_the_sample_names_its_settings_in_one_file() -> None:
    read = re.findall(r'environ(?:\.get\(|\[)"(\w+)"', (building.SAMPLE / "shop" / "settings.py").read_text("utf-8"))
    written = re.findall(r"(?m)^(\w+)=", (building.SAMPLE / ".env.example").read_text("utf-8"))

    assert set(read) - set(written) == {"ALLOWED_HOSTS"}
