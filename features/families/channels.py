"""Through which channels the customer deals with the business: web, shop, app, telephone, or whatever is sent."""

from __future__ import annotations

from features.aggregate import Aggregate, Measure
from features.feature import Feature

__all__ = ["FEATURES"]

_ONE = "everything that the customer does comes through one channel"
_UNKNOWN = "it is not known which channels the customer uses"

FEATURES = (
    Feature(
        name="channels",
        unit="channels",
        driver="engagement",
        description="Different channels of everything that the customer did.",
        clause="the customer has used {value} so far",
        clause_at_zero=_UNKNOWN,
        clause_at_one=_ONE,
        clause_if_missing=_UNKNOWN,
        needs="channels",
        inputs=(Aggregate(Measure.CHANNELS),),
        minimum=0,
    ),
    Feature(
        name="channels_90d",
        unit="channels",
        driver="engagement",
        description="Different channels of what the customer did in the last 90 days.",
        clause="the customer used {value} in the last 90 days",
        clause_at_zero="nothing came through any channel in the last 90 days",
        clause_if_missing=_UNKNOWN,
        needs="channels",
        lively_above=0.5,
        inputs=(Aggregate(Measure.CHANNELS, 90),),
        minimum=0,
    ),
    Feature(
        name="favourite_channel_share",
        unit="share",
        driver="engagement",
        description="Share of what the customer did that came through the channel used most.",
        clause="of what the customer does, {value} comes through the favourite channel",
        clause_at_zero=_UNKNOWN,
        clause_at_one=_ONE,
        clause_if_missing=_UNKNOWN,
        needs="channels",
        inputs=(Aggregate(Measure.CHANNEL_TOP_SHARE),),
        minimum=0,
        maximum=1,
    ),
    Feature(
        name="channel_entropy",
        unit="nats",
        driver="engagement",
        description="Shannon entropy of the channels, in nats: 0 for one channel only, log n for n used alike.",
        clause="what the customer does is spread over channels as if over {value}",
        clause_at_zero=_ONE,
        clause_if_missing=_UNKNOWN,
        needs="channels",
        inputs=(Aggregate(Measure.CHANNEL_ENTROPY),),
        minimum=0,
        maximum=10.4,  # of as many channels as a log can tell apart
    ),
)
