"""What the pages say is what the code does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from kavenegar_campaigns.kavenegar.methods import METHODS
from tests.contracts import raised

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "sandbox").glob("*.md")])


def test_the_generated_pages_are_as_the_code_tells_them() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in runpy.run_path(str(ROOT / "docs" / "pages.py"))["pages"]()
        if path.read_text(encoding="utf-8") != text
    ]

    assert not stale, f"run scripts/docs: {', '.join(stale)} say something else than the code"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_links_to_and_the_paths_it_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    paths = re.findall(r"`((?:campaigns|worker|sandbox|devkit|tests|docs|scripts|benchmarks)/[\w/.-]+)`", text)

    assert [link for link in links if link and not (page.parent / link).exists()] == []
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, found = set[Path](), [ROOT / "README.md"]
    while found:
        page = found.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            links = re.findall(r"\]\(([^)\s#]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
            found += [(page.parent / link).resolve() for link in links if "://" not in link]

    assert [page.relative_to(ROOT).as_posix() for page in PAGES if page not in reached] == []


def test_a_page_that_counts_the_methods_of_the_gateway_counts_all_of_them() -> None:
    counted = {
        page.relative_to(ROOT).as_posix(): int(number)
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for number in re.findall(r"\b(\d+) methods\b", page.read_text(encoding="utf-8"))
    }

    assert {"README.md", "sandbox/README.md", "docs/methods.md"} <= set(counted)
    assert {page: number for page, number in counted.items() if number != len(METHODS)} == {}


def test_the_two_commands_of_the_readme_are_the_scripts_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert "```sh\nscripts/demo\n```" in readme
    assert "```sh\nscripts/test\n```" in readme
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_names_the_pythons_that_ci_runs_the_tests_on() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / "scripts" / "pythons").read_text(encoding="utf-8")
    *others, last = script.split('SUPPORTED="')[1].split('"')[0].split()

    assert f"(the tests run on {', '.join(others)} and {last})" in readme
    assert "scripts/pythons" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


# ── docstrings ──


@pytest.mark.parametrize(
    "folder",
    [
        "kavenegar_campaigns.api",
        "kavenegar_campaigns.kavenegar",
        "kavenegar_campaigns.rules",
        "kavenegar_campaigns.stages",
        "kavenegar_campaigns.store",
    ],
)
def test_a_public_function_names_the_errors_that_it_raises(folder: str) -> None:
    found = [
        f"{function}: Raises: {', '.join(sorted(errors))}"
        for function in raised.functions().values()
        if function.name.startswith(f"{folder}.") and function.public and (errors := raised.unnamed(function))
    ]

    assert found == []


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("kavenegar_campaigns.store.campaigns.read", {"NotFound"}),  # in its body
        ("kavenegar_campaigns.kavenegar.pace.Throttle.view", {"Postpone"}),  # by a private method
        ("kavenegar_campaigns.store.campaigns.progress", {"NotFound"}),  # by a public function
        ("kavenegar_campaigns.api.watch.progress", {"NotFound"}),  # by an imported one
        ("kavenegar_campaigns.kavenegar.sending.SendMethods.send", {"GatewayError"}),  # by an inherited one
        ("kavenegar_campaigns.stages.account.fetch_credit", {"Postpone", "Refused"}),  # by one of the gateway
        ("kavenegar_campaigns.stages.inbox.pull.pull_line", set()),  # caught
    ],
)
def test_errors_are_followed_from_call_to_call(name: str, errors: set[str]) -> None:
    assert raised.raised(raised.functions()[name]) >= errors
    assert bool(raised.raised(raised.functions()[name])) is bool(errors)


def test_an_error_that_callers_need_not_know_of_is_one_that_would_be_found_and_says_why() -> None:
    found = {(function.name, error) for function in raised.functions().values() for error in raised.in_body(function)}

    assert not raised.IGNORED.keys() - found
    assert all(raised.IGNORED.values())
