"""The settings of one deployment, from environment variables or the file `regulars.env` in the working directory.

Each is a field below; its variable is the field's name in capitals behind `REGULARS_`. `docs/operations.md` lists them,
and a test holds the two together.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from store.exceptions import SettingsError

__all__ = ["ENV_FILE", "Settings", "load_settings"]

ENV_FILE = "regulars.env"

_CURRENCY = r"^[A-Z]{3}$"
_LARGEST_RATE = 1e9
# What stands for the password in a URL, which no message may show.
_PASSWORD = re.compile(r"(//[^/@:]*:).*(@)")
_EXPECTED_AS_OF = "an instant in ISO 8601, such as 1998-07-01 or 1998-07-01T00:00:00Z, or now"
_EXPECTED_RATES = 'JSON of currency codes and what a unit is worth, above 0, such as {"EUR": 1.08}'


class Settings(BaseSettings):
    """Everything that differs from one deployment to the next."""

    model_config = SettingsConfigDict(env_prefix="REGULARS_", env_file=ENV_FILE, extra="ignore", frozen=True)

    database_url: str = Field(
        "sqlite:///var/regulars.db", description="Where everything is stored: an `sqlite:///` or `postgresql://` URL."
    )
    bundle_dir: Path = Field(Path("var/bundles"), description="Directory that holds one folder per trained bundle.")
    secret_file: Path = Field(
        Path("var/secret.key"),
        description="File of the key under which erased ids are hashed, made at first use. Back it up; tell nobody.",
    )
    scoring_processes: int = Field(
        2, ge=1, le=64, description="Processes that score all customers side by side; the result is the same."
    )
    currency: str = Field("USD", pattern=_CURRENCY, description="The currency of the business, as ISO 4217 code.")
    currency_rates: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=dict,
        description='Value of one unit of another currency, as JSON (`{"EUR": 1.08}`); without a rate such rows are '
        "rejected.",
    )
    timezone: str = Field("UTC", description="Days begin at midnight of this zone (IANA name).")
    as_of: datetime | None = Field(
        None,
        description="The instant that scores speak of (ISO 8601, in the time zone above if it names none); empty means "
        "now. Fix it for historic data.",
    )
    margin: float = Field(1.0, gt=0, le=1, description="Share of an order's value that is margin; clv counts margin.")
    yearly_discount_rate: float = Field(
        0.1, ge=0, le=10, description="Yearly discount rate of future margin in clv (.1 is 10 %)."
    )
    clv_horizon_days: int = Field(365, ge=1, le=7300, description="Days ahead that clv counts.")
    adopt_save_rate: bool = Field(
        True,
        description="Whether a save rate that a campaign has measured well enough replaces the one in the segment "
        "policy by itself; if not, an administrator decides.",
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days after which workers delete what has happened; empty keeps all. Counted from now, whatever "
        "`REGULARS_AS_OF` says.",
    )
    run_retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days after which workers delete the scores and lists of scoring runs, but for the published one; "
        "empty: when all else goes. Longer than the longest horizon, so that they can be compared with what came true.",
    )
    receipt_days: int = Field(
        400, ge=1, le=36_500, description="Days for which a score can be computed again by its receipt."
    )
    batch_processes: int = Field(
        2,
        ge=0,
        le=64,
        description="Processes that score large batches beside each process that serves, begun when the first one is "
        "asked for; 0: none.",
    )
    host: str = Field("127.0.0.1", description="Address to serve on; without any key only loopback such as this.")
    port: int = Field(8000, ge=1, le=65535, description="Port to serve on.")
    open: bool = Field(
        False,
        description="Whether to serve without any key, to this machine alone. Once a key is made it means nothing.",
    )
    requests_per_second_per_key: float = Field(
        1000.0,
        gt=0,
        le=1e6,
        description="How often one key may ask each process that serves, over some two seconds; more is answered 429.",
    )
    most_bytes_a_call: int = Field(
        4_000_000, ge=1_000, le=100_000_000, description="Bytes of one live event, unpacked; more is refused."
    )
    most_bytes_a_batch: int = Field(
        6_000_000, ge=1_000, le=100_000_000, description="Bytes of a batch of live events, unpacked; more is refused."
    )
    most_calls_a_batch: int = Field(2_500, ge=1, le=100_000, description="Live events in one batch; more are refused.")
    most_waiting_calls: int = Field(
        20_000,
        ge=1,
        le=1_000_000,
        description="Live events that may wait to be stored, one of over 8 kB counting as several; beyond that the "
        "answer is 503.",
    )
    log_format: str = Field("console", pattern="^(console|json)$", description="`console` for people, `json` for logs.")
    worker_poll_seconds: float = Field(
        1.0, gt=0, le=60, description="How often a worker looks for queued training and scoring runs."
    )

    sync_token: SecretStr | None = Field(None, description="What `regulars sync` sends to an address as bearer token.")
    webhook_allow_private: bool = Field(
        False,
        description="Whether webhooks may go to private and local addresses too, such as another service of the same "
        "network; else to the public internet only.",
    )

    @field_validator("database_url")
    @classmethod
    def _known_engine(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("expected a URL that begins with sqlite:/// or postgresql://")
        return url

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("expected an IANA time zone such as Europe/Berlin") from error
        return name

    @field_validator("as_of", mode="before")
    @classmethod
    def _iso_or_now(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value in ("", "now"):
            return None
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"expected {_EXPECTED_AS_OF}") from error

    @field_validator("as_of")
    @classmethod
    def _in_utc(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            # Like the dates of an ingested file; where the zone is wrong, that is what is complained of.
            value = value.replace(tzinfo=ZoneInfo(info.data.get("timezone", "UTC")))
        try:
            return value.astimezone(UTC)
        except OverflowError as error:
            raise ValueError(f"expected {_EXPECTED_AS_OF}") from error

    @field_validator("currency_rates", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "{}")
        except ValueError as error:
            raise ValueError(f"expected {_EXPECTED_RATES}") from error

    @field_validator("currency_rates")
    @classmethod
    def _positive_rates(cls, rates: dict[str, float]) -> dict[str, float]:
        if any(not re.fullmatch(_CURRENCY, code) or not 0 < rate < _LARGEST_RATE for code, rate in rates.items()):
            raise ValueError(f"expected {_EXPECTED_RATES}")
        return rates


def load_settings(**overrides: object) -> Settings:
    """Read the settings; raise `SettingsError` naming each variable that can't be used.

    Parameters
    ----------
    **overrides
        Values that take precedence over environment and file.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = []
        for item in error.errors():
            variable, *place = (str(part) for part in item["loc"])
            where = "".join(f"[{part}]" for part in place)
            got = _PASSWORD.sub(r"\1***\2", repr(item["input"]))
            expected = item["msg"].removeprefix("Value error, ")
            problems.append(f"REGULARS_{variable.upper()}{where}: {expected} (got {got})")
        raise SettingsError("; ".join(problems)) from error
