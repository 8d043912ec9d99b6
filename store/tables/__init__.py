"""The tables, grouped by what they are about."""

from store.tables.access import ApiKey
from store.tables.base import Base, Instant
from store.tables.customers import Customer, CustomerAttribute, ErasedCustomer
from store.tables.drivers import DriverReport
from store.tables.events import (
    Category,
    Channel,
    Event,
    EventType,
    OrderLine,
    Product,
    RejectedRow,
    Source,
    SourceActivity,
)
from store.tables.registry import ModelAlias, ModelPromotion, ModelVersion, TrainingRun
from store.tables.scores import PublishedRun, Score, ScoringRun, SegmentListing
from store.tables.segments import SegmentCutoffs, SegmentMembership, SegmentPolicyVersion
from store.tables.targets import TargetSetVersion

__all__ = [
    "ApiKey",
    "Base",
    "Category",
    "Channel",
    "Customer",
    "CustomerAttribute",
    "DriverReport",
    "ErasedCustomer",
    "Event",
    "EventType",
    "Instant",
    "ModelAlias",
    "ModelPromotion",
    "ModelVersion",
    "OrderLine",
    "Product",
    "PublishedRun",
    "RejectedRow",
    "Score",
    "ScoringRun",
    "SegmentCutoffs",
    "SegmentListing",
    "SegmentMembership",
    "SegmentPolicyVersion",
    "Source",
    "SourceActivity",
    "TargetSetVersion",
    "TrainingRun",
]
