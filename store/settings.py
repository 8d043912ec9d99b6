"""The settings of one deployment, from environment variables or the file `regulars.env` in the working directory.

Each is a field below; its variable is the field's name in capitals behind `REGULARS_`. `docs/operations.md` lists them,
and a test holds the two together.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from store.exceptions import SettingsError

__all__ = ["ENV_FILE", "Settings", "load_settings"]

ENV_FILE = "regulars.env"


class Settings(BaseSettings):
    """Everything that differs from one deployment to the next."""

    model_config = SettingsConfigDict(env_prefix="REGULARS_", env_file=ENV_FILE, extra="ignore", frozen=True)

    database_url: str = Field(
        "sqlite:///var/regulars.db", description="Where everything is stored: an `sqlite:///` or `postgresql://` URL."
    )
    bundle_dir: Path = Field(Path("var/bundles"), description="Directory that holds one folder per trained bundle.")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="The currency of the business, as ISO 4217 code.")
    currency_rates: dict[str, float] = Field(
        default_factory=dict,
        description='Value of one unit of another currency, as JSON (`{"EUR": 1.08}`); without a rate such rows are '
        "rejected.",
    )
    timezone: str = Field("UTC", description="Days begin at midnight of this zone (IANA name).")
    as_of: datetime | None = Field(
        None, description="The instant that scores speak of (ISO 8601); empty means now. Fix it for historic data."
    )
    margin: float = Field(1.0, gt=0, le=1, description="Share of an order's value that is margin; clv counts margin.")
    yearly_discount_rate: float = Field(
        0.1, ge=0, le=10, description="Yearly discount rate of future margin in clv (.1 is 10 %)."
    )
    clv_horizon_days: int = Field(365, ge=1, le=7300, description="Days ahead that clv counts.")
    host: str = Field("127.0.0.1", description="Address to serve on. Only loopback: the service asks for no key.")
    port: int = Field(8000, ge=1, le=65535, description="Port to serve on.")
    log_format: str = Field("console", pattern="^(console|json)$", description="`console` for people, `json` for logs.")
    worker_poll_seconds: float = Field(
        1.0, gt=0, le=60, description="How often a worker looks for queued training and scoring runs."
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
    def _empty_is_now(cls, value: object) -> object:
        return None if value in ("", "now") else value

    @field_validator("as_of")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    @field_validator("currency_rates")
    @classmethod
    def _positive_rates(cls, rates: dict[str, float]) -> dict[str, float]:
        if wrong := [code for code, rate in rates.items() if not 0 < rate < 1e9]:
            raise ValueError(f"expected a rate above 0 for each currency; wrong: {', '.join(wrong)}")
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
            variable = "REGULARS_" + "_".join(str(part) for part in item["loc"]).upper()
            problems.append(f"{variable}: {item['msg'].removeprefix('Value error, ')} (got {item['input']!r})")
        raise SettingsError("; ".join(problems)) from error
