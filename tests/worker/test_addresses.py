"""A password that an address cannot hold as it is is refused at the settings; nothing of it is shown."""

from __future__ import annotations

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_worker.settings import load, revealed
from tests.worker.conftest import Command
from tests.worker.test_inbox_settings import SECRET

PASSWORDS = ["hun#ter2", "hun@ter2", "hun/ter2", "hun?ter2", "hun#t@r2", "12/ter2", "12#ter2", "h@u/n?t#er2"]
ADDRESSES = {
    "DATABASE_URL": "postgresql://somebody:{}@db.example:5432/sms",
    "CAMPAIGNS_BROKER_URL": "rediss://:{}@broker.example:6379/0",
}


@pytest.mark.parametrize("variable", ADDRESSES)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_with_a_sign_of_addresses_is_refused_and_nothing_of_it_is_shown(
    variable: str, password: str
) -> None:
    with pytest.raises(BadInput, match=r"write # as %23, @ as %40, / as %2F and \? as %3F") as refusal:
        load({variable: ADDRESSES[variable].format(password)})
    assert refusal.value.__cause__ is None
    assert "hun" not in str(refusal.value)
    assert "ter2" not in str(refusal.value)


@pytest.mark.parametrize("variable", ADDRESSES)
def test_the_same_password_escaped_is_taken(variable: str) -> None:
    found = load({variable: ADDRESSES[variable].format("hun%23t%40e%2Fr%3F2")})
    assert "hun%23t%40e%2Fr%3F2@" in str(revealed(getattr(found, variable.lower())))


@pytest.mark.parametrize("address", ["https://us@er:hunter2@example.com/in", "https://user:hun/ter2@example.com/in",
                                     "https://example.com/in#ter2", "https://example.com:hunter2/in"])  # fmt: skip
def test_a_webhook_that_is_cut_short_by_such_a_sign_is_refused_in_silence(address: str) -> None:
    with pytest.raises(BadInput, match="INBOX_WEBHOOK: ") as refusal:
        load({"INBOX_WEBHOOK": address, "INBOX_WEBHOOK_SECRET": SECRET})
    assert "ter2" not in str(refusal.value)


@pytest.mark.parametrize("address", ["https://user:hunter2@api.example", "https://api.example:hunter2"])
def test_the_gateways_address_holds_no_password(address: str) -> None:
    with pytest.raises(BadInput, match="KAVENEGAR_BASE_URL: ") as refusal:
        load({"KAVENEGAR_BASE_URL": address})
    assert "hunter2" not in str(refusal.value)


def test_an_at_sign_may_stand_in_the_path_of_a_webhook() -> None:
    given = {"INBOX_WEBHOOK": "https://example.com/@shop/in?x=@", "INBOX_WEBHOOK_SECRET": SECRET}
    assert revealed(load(given).inbox_webhook) == given["INBOX_WEBHOOK"]


def test_no_command_and_no_log_shows_part_of_such_a_password(alone: Command) -> None:
    for variable, address in ADDRESSES.items():
        said = alone("doctor", **{variable: address.format("first#ter2")})
        assert "ter2" not in said.out + said.err
        assert "first" not in said.out + said.err
        assert "write # as %23" in said.out + said.err
