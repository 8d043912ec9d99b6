"""The tables, grouped by what they are about."""

from store.tables.access import ApiKey
from store.tables.base import Base, Instant
from store.tables.campaigns import Campaign, CampaignAssignment, Contact, HoldOutSalt
from store.tables.customers import Customer, CustomerAttribute, ErasedCustomer, ReplacedAttribute
from store.tables.drivers import DriverReport
from store.tables.events import (
    Category,
    Channel,
    Event,
    EventType,
    OrderLine,
    Product,
    RejectedRow,
    ReplacedHead,
    Source,
    SourceActivity,
    WriteNumber,
)
from store.tables.quality import DriftReport, QualityReport, SupersededScore
from store.tables.registry import ModelAlias, ModelPromotion, ModelVersion, TrainingRun
from store.tables.scores import PublishedRun, RescoreRequest, Score, ScoringPart, ScoringRun, SegmentListing
from store.tables.segments import SegmentCutoffs, SegmentMembership, SegmentPolicyVersion
from store.tables.syncs import SyncedMember, SyncPoint
from store.tables.targets import TargetSetVersion
from store.tables.webhooks import OutboxEvent, ToldScore, WebhookDelivery, WebhookEndpoint

__all__ = [
    "ApiKey",
    "Base",
    "Campaign",
    "CampaignAssignment",
    "Category",
    "Channel",
    "Contact",
    "Customer",
    "CustomerAttribute",
    "DriftReport",
    "DriverReport",
    "ErasedCustomer",
    "Event",
    "EventType",
    "HoldOutSalt",
    "Instant",
    "ModelAlias",
    "ModelPromotion",
    "ModelVersion",
    "OrderLine",
    "OutboxEvent",
    "Product",
    "PublishedRun",
    "QualityReport",
    "RejectedRow",
    "ReplacedAttribute",
    "ReplacedHead",
    "RescoreRequest",
    "Score",
    "ScoringPart",
    "ScoringRun",
    "SegmentCutoffs",
    "SegmentListing",
    "SegmentMembership",
    "SegmentPolicyVersion",
    "Source",
    "SourceActivity",
    "SupersededScore",
    "SyncPoint",
    "SyncedMember",
    "TargetSetVersion",
    "ToldScore",
    "TrainingRun",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WriteNumber",
]
