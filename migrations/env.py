"""Runs the migrations on the connection that `store.schema` hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from store.tables import Base, Instant


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    # A migration must mean the same for ever: it names the stored type, not ours that may change.
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_item=_render,
    render_as_batch=True,
)
context.run_migrations()
