"""Settings: what is read from where, and what a wrong one is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from store.exceptions import SettingsError
from store.settings import ENV_FILE, Settings, load_settings

BERLIN_MIDNIGHT = datetime(1998, 6, 30, 22, tzinfo=UTC)


def test_every_default_is_valid_as_if_it_had_been_given() -> None:
    defaults = load_settings()
    assert load_settings(**defaults.model_dump()) == defaults
    assert all(field.description for field in Settings.model_fields.values())


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 1


@pytest.mark.parametrize(
    ("field", "wrong", "expected"),
    [
        ("database_url", "mysql://host/db", "expected a URL that begins with sqlite:/// or postgresql://"),
        ("currency", "euro", "'^[A-Z]{3}$'"),
        ("currency_rates", "EUR=1.08", 'such as {"EUR": 1.08}'),
        ("currency_rates", "[1]", "valid dictionary"),
        ("currency_rates", '{"EUR": 0}', "above 0"),
        ("currency_rates", '{"EUR": NaN}', "above 0"),
        ("currency_rates", '{"eur": 1.08}', "currency codes"),
        ("timezone", "Berlin", "expected an IANA time zone such as Europe/Berlin"),
        ("timezone", "Europe", "expected an IANA time zone such as Europe/Berlin"),
        ("timezone", "../zone", "expected an IANA time zone such as Europe/Berlin"),
        ("timezone", "", "expected an IANA time zone such as Europe/Berlin"),
        ("as_of", "yesterday", "expected an instant in ISO 8601, such as 1998-07-01"),
        ("as_of", "1998", "expected an instant in ISO 8601, such as 1998-07-01"),
        ("as_of", "0001-01-01T00:00:00+12:00", "expected an instant in ISO 8601, such as 1998-07-01"),
        ("margin", "0", "greater than 0"),
        ("margin", "1.1", "less than or equal to 1"),
        ("margin", "half", "valid number"),
        ("yearly_discount_rate", "-0.1", "greater than or equal to 0"),
        ("clv_horizon_days", "0", "greater than or equal to 1"),
        ("clv_horizon_days", "1.5", "valid integer"),
        ("port", "65536", "less than or equal to 65535"),
        ("log_format", "xml", "'^(console|json)$'"),
        ("worker_poll_seconds", "0", "greater than 0"),
    ],
)
def test_a_wrong_value_is_told_with_its_variable_what_was_expected_and_what_came(
    monkeypatch: pytest.MonkeyPatch, field: str, wrong: str, expected: str
) -> None:
    variable = f"REGULARS_{field.upper()}"
    monkeypatch.setenv(variable, wrong)
    with pytest.raises(SettingsError, match=f"^{variable}: ") as raised:
        load_settings()
    assert expected in str(raised.value)
    assert "(got " in str(raised.value)
    # Of JSON that can be read, what was read is shown.
    assert wrong in str(raised.value) or field == "currency_rates"


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_PORT", "http")
    monkeypatch.setenv("REGULARS_CURRENCY", "$")
    with pytest.raises(SettingsError, match=r"REGULARS_CURRENCY: .*'\$'.*; REGULARS_PORT: .*'http'"):
        load_settings()


def test_a_wrong_rate_is_told_with_its_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_CURRENCY_RATES", '{"EUR": "much"}')
    with pytest.raises(SettingsError, match=r"^REGULARS_CURRENCY_RATES\[EUR\]: .*valid number.* \(got 'much'\)$"):
        load_settings()


def test_no_message_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_DATABASE_URL", "postgres://regulars:s3cr@t@host/db")
    with pytest.raises(SettingsError, match=r"got 'postgres://regulars:\*\*\*@host/db'") as raised:
        load_settings()
    assert "s3cr" not in str(raised.value)


def test_the_file_in_the_working_directory_is_read_and_the_environment_wins_over_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ENV_FILE).write_text(
        '# ours\nREGULARS_CURRENCY=EUR\nREGULARS_PORT=9000\nREGULARS_TIMEZONE="Asia/Tokyo"\n'
    )
    monkeypatch.setenv("REGULARS_PORT", "9001")
    settings = load_settings()
    assert (settings.currency, settings.port, settings.timezone) == ("EUR", 9001, "Asia/Tokyo")


def test_what_the_caller_gives_wins_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_PORT", "9001")
    assert load_settings(port=9002).port == 9002


def test_variables_of_others_are_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = load_settings()
    monkeypatch.setenv("REGULARS_SHOE_SIZE", "43")
    monkeypatch.setenv("PORT", "1")
    (tmp_path / ENV_FILE).write_text("REGULARS_HAT_SIZE=57\nOTHER=1\n")
    assert load_settings() == before


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", None),
        ("now", None),
        ("1998-07-01", datetime(1998, 7, 1, tzinfo=UTC)),
        ("1998-07-01T12:30:00", datetime(1998, 7, 1, 12, 30, tzinfo=UTC)),
        ("1998-07-01T00:00:00Z", datetime(1998, 7, 1, tzinfo=UTC)),
        ("1998-07-01T00:00:00+02:00", BERLIN_MIDNIGHT),
    ],
)
def test_as_of_is_now_or_an_instant_in_utc(monkeypatch: pytest.MonkeyPatch, given: str, read: datetime | None) -> None:
    monkeypatch.setenv("REGULARS_AS_OF", given)
    as_of = load_settings().as_of
    assert as_of == read
    assert as_of is None or as_of.tzinfo is UTC


def test_as_of_without_an_offset_is_in_the_time_zone_of_the_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("REGULARS_AS_OF", "1998-07-01")
    assert load_settings().as_of == BERLIN_MIDNIGHT
    assert load_settings(as_of=datetime(1998, 7, 1)).as_of == BERLIN_MIDNIGHT  # noqa: DTZ001
    assert load_settings(as_of=BERLIN_MIDNIGHT).as_of == BERLIN_MIDNIGHT


def test_beside_a_wrong_time_zone_only_that_is_complained_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_TIMEZONE", "Berlin")
    monkeypatch.setenv("REGULARS_AS_OF", "1998-07-01")
    with pytest.raises(SettingsError, match=r"^REGULARS_TIMEZONE: [^;]*$"):
        load_settings()


@pytest.mark.parametrize(
    ("given", "read"), [("", {}), ("{}", {}), ('{"EUR": 1.08, "GBP": 2}', {"EUR": 1.08, "GBP": 2.0})]
)
def test_rates_are_read_from_json(monkeypatch: pytest.MonkeyPatch, given: str, read: dict[str, float]) -> None:
    monkeypatch.setenv("REGULARS_CURRENCY_RATES", given)
    assert load_settings().currency_rates == read
