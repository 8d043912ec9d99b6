"""Deliveries of webhooks are found by their endpoint; scores are compared with what each endpoint was told last."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PENDING = sa.text("status = 'pending'")
_NUMBERS = ("churn_probability", "clv", "value_at_risk", "upsell_propensity", "p_alive", "expected_purchases")


def upgrade() -> None:
    _due(["endpoint_id", "next_attempt_at", "id"])
    op.drop_index("ix_webhook_delivery_endpoint_id_id", "webhook_delivery")
    op.create_index("ix_webhook_delivery_listed", "webhook_delivery", ["endpoint_id", "status", "id"])
    op.create_table(
        "told_score",
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("endpoint_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=True) for name in _NUMBERS),
        sa.PrimaryKeyConstraint("customer_key", "endpoint_id", name="pk_told_score"),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name="fk_told_score_customer_key"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoint.id"], name="fk_told_score_endpoint_id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("told_score")
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
