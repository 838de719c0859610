"""Every setting has a default, a meaning and a clear refusal; secrets are told to nobody."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.context import Policy
from kavenegar_campaigns.errors import BadInput
from kavenegar_worker.settings import ALIASES, load, revealed, rows
from kavenegar_worker.settings.model import Settings
from kavenegar_worker.settings.parsers import duration, durations
from tests.worker.conftest import PROJECT, Command

SECRET = "hunter2hunter2"
SECRETS = {
    "DATABASE_URL": f"postgresql://somebody:{SECRET}@db.example/sms",
    "BROKER_URL": f"redis://:{SECRET}@broker.example:6379/0",
    "KAVENEGAR_API_KEY": SECRET,
    "METRICS_BASIC_AUTH": f"prometheus:{SECRET}",
}


def test_with_nothing_set_everything_has_its_default() -> None:
    settings = load({})
    assert settings.embedded
    assert settings.sandboxed
    assert settings.kavenegar_base_url == "https://api.kavenegar.com"
    assert settings.policy().lease == timedelta(seconds=120)
    assert settings.policy().unknown_grace == timedelta(seconds=90)
    assert settings.policy().localid_window == timedelta(hours=12)
    assert settings.policy().status_window == timedelta(hours=48)


def test_the_default_schedule_of_polls_begins_after_five_minutes_and_ends_just_before_the_window() -> None:
    settings = load({})
    ages = settings.status_polls
    assert ages[0] == timedelta(minutes=5)
    assert timedelta(0) < settings.status_window - ages[-1] <= timedelta(hours=1)
    assert sum(settings.status_window - age <= timedelta(hours=4) for age in ages) >= 2


def test_a_claim_outlives_the_longest_call_and_the_time_the_gateway_may_still_act_on_it() -> None:
    """A worker killed in its call: who asks when the lease lapses must be able to believe "never seen"."""
    settings = load({})
    assert settings.lease >= settings.http_deadline + settings.unknown_grace
    with pytest.raises(BadInput, match="LEASE"):
        load({"LEASE": "31s", "HTTP_DEADLINE": "30s"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [("90s", 90), ("5m", 300), ("48h", 172_800), ("2d", 172_800), ("500ms", 0.5), (" 1.5H ", 5400), ("0s", 0)],
)
def test_a_duration_is_written_as_people_write_it(written: str, meant: float) -> None:
    assert duration(written) == timedelta(seconds=meant)


@given(st.lists(st.integers(1, 10**5), min_size=1, max_size=12, unique=True))
def test_durations_come_in_ascending_order_or_not_at_all(seconds: list[int]) -> None:
    written = ",".join(f"{each}s" for each in seconds)
    if seconds == sorted(seconds):
        assert durations(written) == tuple(timedelta(seconds=each) for each in seconds)
    else:
        with pytest.raises(ValueError, match="ascending"):
            durations(written)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEASE", "120"),
        ("LEASE", "-5s"),
        ("LEASE", "two minutes"),
        ("UNKNOWN_GRACE", "nan s"),
        ("STATUS_WINDOW", "0s"),
        ("HTTP_DEADLINE", "0s"),
        ("LOCALID_WINDOW", "0s"),
        ("STATUS_POLLS", "10m,5m"),
        ("STATUS_POLLS", "5m,5m"),
        ("STATUS_POLLS", ","),
        ("SEND_THREADS", "0"),
        ("SEND_THREADS", "many"),
        ("PACE_MAX", "0"),
        ("PACE_MAX", "inf"),
        ("PACE_MAX", "nan"),
        ("PACE_START", "100"),
        ("PACE_FIXED", "0"),
        ("METRICS_BASIC_AUTH", "password"),
        ("METRICS_BASIC_AUTH", "name:"),
        ("METRICS_PORT", "0"),
        ("LOG_LEVEL", "loud"),
        ("SELECT_ALLOWED", "perhaps"),
        ("DATABASE_URL", "mysql://somebody@db.example/sms"),
        ("DATABASE_URL", "postgresql://somebody@db.example:port/sms"),
        ("BROKER_URL", "amqp://guest@broker.example"),
        ("KAVENEGAR_BASE_URL", "api.kavenegar.com"),
        ("KAVENEGAR_BASE_URL", "https://"),
        ("KAVENEGAR_BASE_URL", "https://api.kavenegar.com/v1"),
        ("KAVENEGAR_API_KEY", "two words"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(BadInput, match=variable):
        load({variable: value})


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_a_blank_secret_counts_as_unset(blank: str) -> None:
    assert load({"KAVENEGAR_API_KEY": blank}).sandboxed


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_driver_is_always_psycopg(scheme: str) -> None:
    assert revealed(load({"DATABASE_URL": f"{scheme}://u:p@h/d"}).database_url) == "postgresql+psycopg://u:p@h/d"


def test_every_wrong_value_is_reported_at_once_with_its_variable_its_value_and_what_would_be_right() -> None:
    wrong = {"LEASE": "31", "PACE_MAX": "0", "METRICS_BASIC_AUTH": SECRET, "KAVENEGAR_API_KEY_FILE": "/not/there"}
    with pytest.raises(BadInput) as refusal:
        load({**wrong, "STATUS_WINDOW": "49h", "SEND_THREADS": "3"})
    lines = str(refusal.value).splitlines()
    assert sorted(line.partition(" must")[0] for line in lines) == [
        "KAVENEGAR_API_KEY_FILE: /not/there cannot be read: No such file or directory",
        "LEASE: '31' is not a duration such as 90s, 5m or 48h",
        "METRICS_BASIC_AUTH: its value is not name:password",
        "PACE_MAX: '0' is not a number above zero",
        "STATUS_WINDOW",
    ]
    assert SECRET not in str(refusal.value)


def test_a_setting_is_not_judged_by_the_default_of_another_that_is_wrong() -> None:
    with pytest.raises(BadInput) as refusal:
        load({"HTTP_DEADLINE": "80s", "UNKNOWN_GRACE": "90s", "LEASE": "3 minutes", "STUCK_AFTER": "2m"})
    assert str(refusal.value) == "LEASE: '3 minutes' is not a duration such as 90s, 5m or 48h"


def test_what_the_stages_keep_to_by_default_stands_in_the_library_alone() -> None:
    assert load({}).policy() == Policy()


def test_settings_are_imported_without_pydantic_until_they_are_read() -> None:
    """It takes a tenth of a second, which `campaigns --help` does not have to wait for."""
    shown = "import sys; from kavenegar_worker.cli import main; print('pydantic' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", shown], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert printed.stdout == "False\n"


# ── old names ──


def test_an_old_name_leads_to_a_setting_and_is_none_itself() -> None:
    names = {name.upper() for name in Settings.model_fields}
    assert set(ALIASES.values()) <= names
    assert not set(ALIASES) & names


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_an_old_name_counts_and_a_warning_names_the_new_one(
    old: str, new: str, caplog: pytest.LogCaptureFixture
) -> None:
    value = {"SELECT_ALLOWED": "yes", "CALLBACK_BACKLOG_MAX": "7"}.get(new, "85s")
    assert load({old: value}) == load({new: value}) != load({})
    assert [record.getMessage() for record in caplog.records] == [
        f"{old} is now called {new}: rename it, the next release does not read the old name"
    ]
    assert {row.name: row.value for row in rows(load({old: value}), {old: value})}[new] == value


def test_a_new_name_goes_before_the_old_one_and_a_warning_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert load({"RING_AGAIN": "1s", "REENQUEUE_AFTER": "2s"}).reenqueue_after == timedelta(seconds=2)
    assert "RING_AGAIN is ignored, because REENQUEUE_AFTER, its new name, is set too" in caplog.text


def test_a_wrong_value_is_reported_by_the_name_that_was_written() -> None:
    with pytest.raises(BadInput, match=r"^RING_AGAIN \(now REENQUEUE_AFTER\): 'soon' is not a duration"):
        load({"RING_AGAIN": "soon"})


def test_whoever_lists_the_settings_or_asks_the_doctor_is_told_of_old_names(alone: Command) -> None:
    listed = alone("settings", "--json", ACCOUNT_PROBE="95s")
    assert {row["name"]: row["value"] for row in listed.answer}["HOLD_RECHECK"] == "95s"
    assert listed.err.startswith("campaigns: ACCOUNT_PROBE is now called HOLD_RECHECK: ")
    said = alone("doctor", "--json", DATABASE_URL="postgresql://127.0.0.1:1/none", ACCOUNT_PROBE="95s",
                 BROKER_URL="redis://127.0.0.1:1/0")  # fmt: skip
    findings = [each for each in said.answer["findings"] if "HOLD_RECHECK" in each["says"]]
    assert [each["level"] for each in findings] == ["warn"]


def test_the_doctor_tells_every_wrong_setting_by_itself(alone: Command) -> None:
    said = alone("doctor", "--json", LEASE="31", PACE_MAX="0")
    assert [each["says"].partition(":")[0] for each in said.answer["findings"]] == ["LEASE", "PACE_MAX"]


# ── secrets ──


def test_a_secret_may_stand_in_a_file_and_the_file_goes_before_the_variable(tmp_path: Path) -> None:
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(f"{value}\n", encoding="utf-8")
    settings = load({**{f"{name}_FILE": str(tmp_path / name) for name in SECRETS}, "KAVENEGAR_API_KEY": "other"})
    assert revealed(settings.kavenegar_api_key) == SECRET
    assert revealed(settings.campaigns_broker_url) == SECRETS["BROKER_URL"]
    assert str(revealed(settings.database_url)).endswith(f"somebody:{SECRET}@db.example/sms")


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_a_secret_file_that_cannot_be_read_is_bad_input(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="KAVENEGAR_API_KEY_FILE"):
        load({"KAVENEGAR_API_KEY_FILE": str(path)})


def test_only_secrets_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1s")
    assert load({"LEASE_FILE": str(tmp_path / "x")}).lease == timedelta(seconds=120)


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "METRICS_BASIC_AUTH"])
def test_a_refusal_does_not_tell_a_secret(name: str) -> None:
    with pytest.raises(BadInput) as refusal:
        load({name: f"nonsense {SECRET}"})
    assert SECRET not in str(refusal.value)
    assert SECRET not in repr(refusal.value.__cause__)


def test_no_secret_stands_in_the_repr_of_the_settings() -> None:
    assert SECRET not in repr(load(SECRETS))


def test_the_list_of_settings_tells_each_with_its_meaning_and_no_secret() -> None:
    listed = list(rows(load(SECRETS), SECRETS))
    assert [row.name for row in listed] == [name.upper() for name in Settings.model_fields]
    assert all(row.meaning for row in listed)
    assert SECRET not in str(listed)
    assert {row.value for row in listed if row.name in SECRETS} == {"set"}


def test_the_list_of_settings_tells_what_was_chosen_beside_the_default() -> None:
    chosen = {"LEASE": "3m", "PACE_MAX": "7"}
    shown = {row.name: (row.value, row.default) for row in rows(load(chosen), chosen)}
    assert shown["LEASE"] == ("3m", "120s")
    assert shown["PACE_MAX"] == ("7", "20")
    assert shown["KAVENEGAR_API_KEY"][0] == "not set"


# ── times that must go together ──


@pytest.mark.parametrize(
    ("chosen", "named", "why"),
    [
        ({"UNKNOWN_GRACE": "0s"}, "UNKNOWN_GRACE", "not a duration above zero"),
        ({"UNKNOWN_GRACE": "1ms"}, "UNKNOWN_GRACE must be at least HTTP_DEADLINE", "sent twice"),
        ({"UNKNOWN_GRACE": "29s"}, "UNKNOWN_GRACE must be at least HTTP_DEADLINE", "sent twice"),
        ({"LOCALID_WINDOW": "90d"}, "LOCALID_WINDOW must be at most 12h", "sent again"),
        ({"LOCALID_WINDOW": "13h"}, "LOCALID_WINDOW must be at most 12h", "sent again"),
        ({"LOCALID_WINDOW": "1m"}, "LOCALID_WINDOW must be at least 10 times", "uncertain"),
        ({"LEASE": "30s"}, "LEASE must be at least HTTP_DEADLINE and UNKNOWN_GRACE together", "never leaves"),
        ({"LEASE": "119s"}, "LEASE must be at least HTTP_DEADLINE and UNKNOWN_GRACE together", "never leaves"),
        ({"HTTP_DEADLINE": "31s"}, "LEASE must be at least", "never leaves"),
        ({"HTTP_DEADLINE": "500ms"}, "HTTP_DEADLINE must be at least 1s", "unknown every time"),
        ({"STATUS_WINDOW": "49h"}, "STATUS_WINDOW must be at most 48h", "tells no status"),
        ({"STUCK_AFTER": "30s"}, "STUCK_AFTER must be longer than HTTP_DEADLINE", "end itself"),
    ],
)  # fmt: skip
def test_times_that_would_lose_or_double_messages_are_refused_with_the_reason(
    chosen: dict[str, str], named: str, why: str
) -> None:
    with pytest.raises(BadInput, match=named) as refused:
        load(chosen)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "chosen",
    [
        {"HTTP_DEADLINE": "10s", "UNKNOWN_GRACE": "10s", "LEASE": "20s", "LOCALID_WINDOW": "5m", "STUCK_AFTER": "11s"},
        {"LOCALID_WINDOW": "12h", "STATUS_WINDOW": "48h"},
        {"HTTP_DEADLINE": "60s", "UNKNOWN_GRACE": "5m", "LEASE": "6m", "STUCK_AFTER": "2m"},
    ],
)
def test_times_that_just_go_together_are_taken(chosen: dict[str, str]) -> None:
    settings = load(chosen)
    assert settings.lease >= settings.http_deadline + settings.unknown_grace
