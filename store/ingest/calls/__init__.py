"""From the bytes of a request to what its calls tell: canonical rows, what was learnt of customers, who is who.

The HTTP tracking API of Segment, which RudderStack shares, and the batches of PostHog. No database, no clock, no web.
"""

from store.ingest.calls.body import UnreadableBodyError, read_body, write_key_in
from store.ingest.calls.posthog import read_posthog
from store.ingest.calls.segment import read_batch, read_call
from store.ingest.calls.told import Calls, Learnt, Merge

__all__ = [
    "Calls",
    "Learnt",
    "Merge",
    "UnreadableBodyError",
    "read_batch",
    "read_body",
    "read_call",
    "read_posthog",
    "write_key_in",
]
