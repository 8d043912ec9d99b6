"""What a webhook can be asked for: the same over HTTP and on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from store.exceptions import WebhookTargetError
from store.outbox import KINDS, SCORE_CHANGED, EventKind
from store.webhook_urls import LONGEST_URL, is_public, literal_address, split_url

__all__ = [
    "TEST_KIND",
    "THRESHOLD_COLUMNS",
    "ThresholdColumn",
    "WebhookRequest",
    "require_public",
]

# Sent to one endpoint when somebody asks for it; no endpoint lists it.
TEST_KIND = "webhook.test"

ThresholdColumn = Literal["churn_probability", "clv", "value_at_risk", "p_alive", "upsell_propensity"]

THRESHOLD_COLUMNS: Sequence[ThresholdColumn] = get_args(ThresholdColumn)
_LARGEST_CHANGE = 1e12


def _can_be_sent_to(url: str) -> str:
    split_url(url)
    return url


def _told_once(kinds: list[EventKind]) -> list[EventKind]:
    if len(set(kinds)) < len(kinds):
        raise ValueError("expected each kind of event once")
    return kinds


class WebhookRequest(BaseModel):
    """Where to send what changes, and which changes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "url": "https://crm.example.com/hooks/regulars",
                    "events": ["customer.segment_entered", "customer.segment_left"],
                    "thresholds": {},
                }
            ]
        },
    )

    url: Annotated[str, AfterValidator(_can_be_sent_to)] = Field(
        max_length=LONGEST_URL,
        description="`https://` or `http://`, without user name and fragment; a public address unless "
        "`REGULARS_WEBHOOK_ALLOW_PRIVATE` is set.",
    )
    events: Annotated[list[EventKind], AfterValidator(_told_once)] = Field(
        min_length=1,
        max_length=len(KINDS),
        description="Kinds of events to be told of, each once.",
        json_schema_extra={"uniqueItems": True},
    )
    thresholds: Mapping[ThresholdColumn, Annotated[float, Field(strict=True, gt=0, le=_LARGEST_CHANGE)]] = Field(
        default_factory=dict,
        description=f"With `{SCORE_CHANGED}`, and needed for it: by score, the change from which on it is told.",
    )

    @model_validator(mode="after")
    def _thresholds_where_they_count(self) -> WebhookRequest:
        if (SCORE_CHANGED in self.events) != bool(self.thresholds):
            raise ValueError(f"expected thresholds if events name {SCORE_CHANGED}, and only then")
        return self


def require_public(url: str) -> None:
    """Refuse a URL whose host is an address that is not public; a name is judged when it is resolved.

    Raises
    ------
    WebhookTargetError
    """
    host = split_url(url).host
    address = literal_address(host)
    is_local_name = host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    if is_local_name or (address is not None and not is_public(address)):
        raise WebhookTargetError(
            f"Expected a host on the public internet, got {host[:100]}, which is this machine, a private network or "
            "reserved. To send there, set REGULARS_WEBHOOK_ALLOW_PRIVATE=1."
        )
