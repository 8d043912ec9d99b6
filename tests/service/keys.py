"""Keys for tests: one of each scope."""

from __future__ import annotations

from store.api_keys import SCOPES, SEND_EVENTS, create_key, create_source
from store.engine import Database
from tests.service.shop import NOW


def make_keys(database: Database) -> dict[str, str]:
    """Make a key of each scope, that of events for the source `web`; returns the secrets by scope."""
    with database.write() as session:
        create_source(session, "web")
        return {
            scope: create_key(session, scope, source="web" if scope == SEND_EVENTS else None, now=NOW)[0]
            for scope in SCOPES
        }
