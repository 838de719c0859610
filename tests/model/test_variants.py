"""The list of variants is whole, and the pages speak of it as it is. None of this needs spin but the last two tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.model import spin, traces
from tests.model.spin import Seen
from tests.model.variants import VARIANTS, Kind

DOCS = spin.MODEL.parent
ROOT = DOCS.parent
NAMED = {each.name: each for each in VARIANTS}
SIZES = {"HTTP_DEADLINE", "LEASE", "WORKERS", "DYING"}
"""Switches that stay as they are in all variants."""


def switches_of(model: Path) -> set[str]:
    return set(re.findall(r"^#ifndef (\w+)", model.read_text(), flags=re.MULTILINE))


def turned() -> set[str]:
    worlds = [*(each.switches for each in VARIANTS), *traces.WORLDS.values()]
    return {pair.partition("=")[0] for switches in worlds for pair in switches.split()} | {"PROGRESS"}


def test_every_switch_that_is_turned_is_one_of_the_model_and_every_one_of_the_model_is_turned() -> None:
    known = switches_of(spin.MODEL / "switches.pml")

    assert turned() - known == set()
    assert known - turned() <= SIZES


def test_no_two_variants_have_one_name() -> None:
    assert len(NAMED) == len(VARIANTS)


def test_every_mutant_and_every_broken_assumption_must_be_caught() -> None:
    harmful = {Kind.ASSUMPTION, Kind.MUTANT, Kind.FOUND}

    assert {each.name for each in VARIANTS if (each.kind in harmful) is (each.expected is Seen.HOLDS)} == set()


def test_every_assumption_is_a_row_of_the_table_and_every_fault_that_was_found_stands_in_its_page() -> None:
    assumptions, model = (DOCS / "assumptions.md").read_text(), (DOCS / "model.md").read_text()

    assert [
        name for name, each in NAMED.items() if each.kind is Kind.ASSUMPTION and f"(`{name}`" not in assumptions
    ] == []
    assert [name for name, each in NAMED.items() if each.kind is Kind.FOUND and f"| `{name}`" not in model] == []


@pytest.mark.parametrize("page", ["assumptions.md", "model.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    said = (DOCS / page).read_text()
    paths = re.findall(r"`((?:tests|campaigns|worker|docs|scripts)/[\w/.]+)`", said)
    links = [link for link in re.findall(r"\]\(([\w/.]+)\)", said) if "//" not in link]

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [link for link in links if not (DOCS / link).exists()] == []


@pytest.mark.parametrize("kept", ["unknown outcomes", "database clock", "durability", "key", "ledger"])
def test_a_sentence_of_the_doctor_that_the_table_names_is_said_by_the_doctor(kept: str) -> None:
    assert f'"{kept}' in (DOCS / "assumptions.md").read_text()
    assert f'Finding("{kept}"' in "".join((ROOT / "worker/cli/doctor_safety.py").read_text().split("\n"))


needs_spin = pytest.mark.skipif(not spin.is_installed(), reason=spin.MISSING)


@needs_spin
@pytest.mark.parametrize("name", ["window at the claim", "no fence"])
def test_a_mutant_is_caught(name: str) -> None:
    assert spin.check(NAMED[name].defines, whole=False).seen is Seen.TWICE


@needs_spin
def test_a_safe_variant_is_visited_whole() -> None:
    found = spin.check(NAMED["one look"].defines)

    assert found.seen is Seen.HOLDS
    assert found.states > 10_000
