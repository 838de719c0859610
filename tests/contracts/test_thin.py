"""What an import costs, and what the package does where an extra is not installed."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from sqlalchemy import Engine

from kavenegar_campaigns.extras import EXTRAS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

WIRE = {
    "alembic",
    "celery",
    "click",
    "openpyxl",
    "pydantic",
    "redis",
    "requests",
    "rich",
    "structlog",
    "tenacity",
    "urllib3",
}
"""What a web process that creates, steers, watches and orders never needs."""

DATABASE = {"sqlalchemy", "psycopg", "orjson", "persiantools"}


def loaded_by(code: str) -> set[str]:
    """The packages that a new process has loaded after this code."""
    code += "\nimport sys; print(*{name.split('.')[0] for name in sys.modules})"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return set(ended.stdout.split())


def test_the_import_loads_no_package_but_itself() -> None:
    loaded = loaded_by("import kavenegar_campaigns")
    assert "kavenegar_campaigns" in loaded
    assert loaded & (WIRE | DATABASE) == set()


def test_all_that_a_web_process_uses_loads_the_database_and_nothing_of_the_wire() -> None:
    loaded = loaded_by("import kavenegar_campaigns as it\nfor name in it.__all__: getattr(it, name)")
    assert loaded >= DATABASE
    assert loaded & WIRE == set()


def test_the_import_registers_nothing_and_changes_no_logger_signal_or_environment() -> None:
    code = (
        "import logging, os, signal, sys\n"
        "def state():\n"
        "    hooks = (sys.excepthook, sys.unraisablehook, sys.displayhook)\n"
        "    return ([signal.getsignal(each) for each in signal.valid_signals()], dict(os.environ), list(sys.path),\n"
        "        logging.root.level, list(logging.root.handlers), hooks)\n"
        "before = state()\n"
        "import kavenegar_campaigns as it\n"
        "for name in it.__all__: getattr(it, name)\n"
        "assert state() == before"
    )
    loaded_by(code)


def test_a_name_is_imported_from_where_a_type_checker_finds_it() -> None:
    import kavenegar_campaigns as it

    tree = ast.parse((ROOT / "campaigns" / "__init__.py").read_text(encoding="utf-8"))
    (typed,) = (node for node in tree.body if isinstance(node, ast.If) and not isinstance(node.test, ast.UnaryOp))
    seen = {
        (node.module, alias.name) for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {
        (f"kavenegar_campaigns.{home}", name) for home, names in it._HOMES.items() for name in names.split()
    }
    assert all(hasattr(it, name) for name in it.__all__)
    assert set(it.__all__) <= set(dir(it))


# ── an installation that lacks an extra: the packages that pip would install, and no others ──


def needed(requirements: list[str], extra: str = "") -> Iterator[Distribution]:
    """The distributions that pip installs for these requirements, with what they need in their turn."""
    for each in map(Requirement, requirements):
        if each.name.startswith(("kavenegar-", "campaigns-")):
            yield from needed([need for name in each.extras for need in PROJECT["optional-dependencies"][name]])
        elif each.marker is None or each.marker.evaluate({"extra": extra}):
            found = distribution(each.name)
            yield found
            for wanted in each.extras or [""]:
                yield from needed(found.requires or [], wanted)


def install(folder: Path, *extras: str) -> Path:
    """Make a folder of packages that holds what pip installs for `kavenegar-campaigns[EXTRAS]`, as links."""
    requirements = [
        *PROJECT["dependencies"],
        *(need for each in extras for need in PROJECT["optional-dependencies"][each]),
    ]
    for found in needed(requirements):
        for top in {path.parts[0] for path in found.files or [] if path.parts[0] not in {"..", "__pycache__"}}:
            link = folder / top
            if not link.is_symlink():
                link.symlink_to(Path(str(found.locate_file(top))))
    (folder / "kavenegar_campaigns").symlink_to(ROOT / "campaigns")
    (folder / "kavenegar_worker").symlink_to(ROOT / "worker")
    return folder


def run(folder: Path, code: str, *arguments: str, url: str = "") -> subprocess.CompletedProcess[str]:
    """Run code with the packages of a folder alone."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, *arguments],
        cwd=folder,
        env={"DATABASE_URL": url, "BROKER_URL": "redis://127.0.0.1:1/0", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


COMMAND = "from kavenegar_worker.cli import entry_point; sys.argv[0] = 'campaigns'; entry_point()"
CREATE = """
from sqlalchemy import create_engine
import kavenegar_campaigns as campaigns
with create_engine(sys.argv[1]).begin() as connection:
    campaign = campaigns.create(connection, recipients=["09121234567"], text="hello", sender="10004346")
    campaigns.start(connection, campaign)
    campaigns.cancel(connection, campaign)
    campaigns.order_otp(connection, number="09121234567", template="login", token="481516", key="login:1")
    campaigns.suppress(connection, ["09121234568"], reason="manual")
    campaigns.progress(connection, campaign)
    print(campaigns.get(connection, campaign).state, campaigns.why_waiting(connection, campaign))
    {then}
"""
WRITE_XLSX = "import io; campaigns.export(connection, campaign, io.BytesIO(), 'xlsx')"
READ_XLSX = "campaigns.create(connection, recipients=sys.argv[2], text='hello', sender='10004346')"


def a_workbook(folder: Path) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["09121234567"])
    book.save(folder / "customers.xlsx")
    return folder / "customers.xlsx"


def says(ended: subprocess.CompletedProcess[str], extra: str) -> bool:
    """Whether the last line names the extra in a command for pip."""
    return f"`pip install 'kavenegar-campaigns[{extra}]'`" in ended.stderr.splitlines()[-1]


def test_without_an_extra_a_web_process_creates_steers_watches_and_orders(engine: Engine, tmp_path: Path) -> None:
    site = install(tmp_path)
    assert {path.name for path in site.iterdir()} & {*EXTRAS["worker"], *EXTRAS["web"], *EXTRAS["xlsx"]} == set()
    ended = run(site, CREATE.format(then="pass"), engine.url.render_as_string(hide_password=False))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("cancelled Waiting(")


@pytest.mark.parametrize("then", [WRITE_XLSX, READ_XLSX], ids=["writing", "reading"])
def test_without_the_extra_xlsx_a_workbook_is_refused_with_the_command_that_installs_it(
    engine: Engine, tmp_path: Path, then: str
) -> None:
    file = a_workbook(tmp_path)
    (tmp_path / "site").mkdir()
    site = install(tmp_path / "site")
    # A shop may have openpyxl for itself. Without defusedxml beside it, it would read a file's XML unguarded.
    for name in ("openpyxl", "et_xmlfile"):
        (site / name).symlink_to(Path(str(distribution(name.replace("_", "-")).locate_file(name))))
    ended = run(site, CREATE.format(then=then), engine.url.render_as_string(hide_password=False), str(file))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("kavenegar_campaigns.errors.BadInput: ")
    assert "defusedxml, python_calamine" in ended.stderr.splitlines()[-1]
    assert says(ended, "xlsx")


def test_with_the_extra_xlsx_a_workbook_is_read_and_written(engine: Engine, tmp_path: Path) -> None:
    file = a_workbook(tmp_path)
    (tmp_path / "site").mkdir()
    site = install(tmp_path / "site", "xlsx")
    code = CREATE.format(then=f"{WRITE_XLSX}; {READ_XLSX}")
    ended = run(site, code, engine.url.render_as_string(hide_password=False), str(file))
    assert ended.returncode == 0, ended.stderr


def test_without_the_extra_worker_the_command_says_how_to_install_it(tmp_path: Path) -> None:
    ended = run(install(tmp_path), COMMAND, "list")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert says(ended, "worker")


def test_without_the_extra_worker_an_import_of_what_sends_says_how_to_install_it(tmp_path: Path) -> None:
    ended = run(install(tmp_path), "from kavenegar_worker import otp")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("ModuleNotFoundError: ")
    assert says(ended, "worker")


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(["web"], "web"), (["metrics"], "web"), (["estimate", "customers.xlsx", "--text", "hello"], "xlsx")],
    ids=["web", "metrics", "a workbook"],
)
def test_with_the_extra_worker_alone_the_command_runs_and_names_what_else_it_needs(
    engine: Engine, tmp_path: Path, arguments: list[str], extra: str
) -> None:
    a_workbook(tmp_path)
    site = install(tmp_path, "worker")
    assert run(site, COMMAND, "--help").returncode == 0
    ended = run(site, COMMAND, *arguments, url=engine.url.render_as_string(hide_password=False))
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.count("\n") == 1
    assert says(ended, extra)


def test_with_the_extra_web_the_processes_over_http_are_complete(tmp_path: Path) -> None:
    site = install(tmp_path, "web")
    ended = run(site, "import kavenegar_worker.web, kavenegar_worker.metrics, kavenegar_worker.app")
    assert ended.returncode == 0, ended.stderr


def test_the_extras_are_those_of_the_project() -> None:
    modules = packages_distributions()
    for extra, names in EXTRAS.items():
        wanted = {Requirement(each).name for each in PROJECT["optional-dependencies"][extra]} - {"kavenegar-campaigns"}
        assert {modules[name][0].lower().replace("_", "-") for name in names} == wanted
