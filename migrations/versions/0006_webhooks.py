"""Deliveries of webhooks are found by their endpoint."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PENDING = sa.text("status = 'pending'")


def upgrade() -> None:
    _due(["endpoint_id", "next_attempt_at", "id"])
    op.drop_index("ix_webhook_delivery_endpoint_id_id", "webhook_delivery")
    op.create_index("ix_webhook_delivery_listed", "webhook_delivery", ["endpoint_id", "status", "id"])


def downgrade() -> None:
    op.drop_index("ix_webhook_delivery_listed", "webhook_delivery")
    op.create_index("ix_webhook_delivery_endpoint_id_id", "webhook_delivery", ["endpoint_id", "id"])
    _due(["next_attempt_at", "id"])


def _due(columns: list[str]) -> None:
    op.drop_index("ix_webhook_delivery_due", "webhook_delivery")
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        columns,
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
