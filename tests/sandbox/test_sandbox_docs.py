"""sandbox/REFERENCE.md names everything there is."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from kavenegar_sandbox import Knobs
from kavenegar_sandbox.fault_kinds import KINDS
from kavenegar_sandbox.methods import METHODS
from tests.sandbox.client import Client

PAGE = (Path(__file__).parents[2] / "sandbox" / "REFERENCE.md").read_text()


@pytest.mark.parametrize("name", [knob.name for knob in fields(Knobs)] + [*KINDS] + [*METHODS])
def test_the_page_names_every_knob_fault_and_method(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_page_names_every_total_of_the_summary(sandbox: Client) -> None:
    assert [total for total in sandbox.summary() if total != "now" and f"`{total}`" not in PAGE] == []
