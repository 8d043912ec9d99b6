"""What can go wrong in the store.

StoreError
├── SettingsError        a setting that can't be used
├── SchemaError          the database has no tables yet, or another version of them
├── UnknownCustomerError no such customer
├── UnknownModelError    no such model version, or nobody holds that alias
├── UnknownPolicyError   no such version of the segment policy
├── PromotionRefusedError the challenger is worse than the champion
├── CursorError          a list cursor that was not made by this service
├── IngestError          a file that can't be read at all
├── DatabaseBusyError    others have the database, and it could not be written to in time
├── RunLostError         another process has taken the run, and goes on with it
├── UnknownWebhookError  no such endpoint of webhooks, or no such delivery of it
├── WebhookTargetError   webhooks may not be sent there
├── WebhookStateError    the endpoint is disabled, the delivery is on its way, or there are as many as may be
└── QueueFullError       more waits to be stored than may
"""

__all__ = [
    "CursorError",
    "DatabaseBusyError",
    "IngestError",
    "PromotionRefusedError",
    "QueueFullError",
    "RunLostError",
    "SchemaError",
    "SettingsError",
    "StoreError",
    "UnknownCustomerError",
    "UnknownModelError",
    "UnknownPolicyError",
    "UnknownWebhookError",
    "WebhookStateError",
    "WebhookTargetError",
]


class StoreError(Exception):
    """Base of everything the store raises on purpose; its text is fit for a person."""


class SettingsError(StoreError):
    """A setting that can't be used."""


class SchemaError(StoreError):
    """The database has no tables yet, or another version of them."""


class UnknownCustomerError(StoreError):
    """No such customer."""


class UnknownModelError(StoreError):
    """No such model version, or nobody holds that alias."""


class UnknownPolicyError(StoreError):
    """No such version of the segment policy."""


class PromotionRefusedError(StoreError):
    """The challenger is worse than the champion."""


class CursorError(StoreError):
    """A list cursor that was not made by this service."""


class IngestError(StoreError):
    """A file that can't be read at all, or not to its end."""


class DatabaseBusyError(StoreError):
    """Others have the database, and it could not be written to in time; nothing was."""


class RunLostError(StoreError):
    """Another process has taken the run, as it does when there is no sign of life for long, and goes on with it."""


class QueueFullError(StoreError):
    """More waits to be stored than may; it can be sent again in a moment."""


class UnknownWebhookError(StoreError):
    """No such endpoint of webhooks, or no such delivery of it."""


class WebhookTargetError(StoreError):
    """Webhooks may not be sent there."""


class WebhookStateError(StoreError):
    """The endpoint is disabled, the delivery is on its way, or there are as many endpoints as may be."""
