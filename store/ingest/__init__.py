"""The one way in: files (and later requests) become canonical rows, which are identified, compared and stored.

Files of labels are read, and nothing of them is stored.
"""

from store.ingest.customers import ingest_customers
from store.ingest.events import ingest_events
from store.ingest.labels import Labels, read_labels
from store.ingest.lookup import Join
from store.ingest.mapping import EventMapping
from store.ingest.rejections import Rejection
from store.ingest.report import IngestReport
from store.ingest.table_file import FileFormat

__all__ = [
    "EventMapping",
    "FileFormat",
    "IngestReport",
    "Join",
    "Labels",
    "Rejection",
    "ingest_customers",
    "ingest_events",
    "read_labels",
]
