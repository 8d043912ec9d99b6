"""Customers scored again live, and webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_RESCORED = sa.text("rescored_at IS NOT NULL")
_OPEN = sa.text("left_at IS NULL")
_PENDING = sa.text("status = 'pending'")


def upgrade() -> None:
    op.create_table(
        "rescore_request",
        sa.Column("customer_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("told_run_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("customer_key", name="pk_rescore_request"),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name="fk_rescore_request_customer_key"),
        sqlite_with_rowid=False,
    )
    op.add_column("score", sa.Column("rescored_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_score_rescored",
        "score",
        ["scoring_run_id", "customer_key"],
        sqlite_where=_RESCORED,
        postgresql_where=_RESCORED,
    )
    op.add_column("scoring_run", sa.Column("replaced_run_id", sa.Integer(), nullable=True))
    op.add_column("scoring_run", sa.Column("recorded_key", sa.Integer(), server_default="0", nullable=False))
    # By one run a customer may enter a segment, leave it and enter it again.
    op.drop_index("ix_segment_membership_customer_key_segment_entered_run_id", "segment_membership")
    op.create_index("ix_segment_membership_customer_key", "segment_membership", ["customer_key"])
    op.create_index(
        "ix_segment_membership_open",
        "segment_membership",
        ["customer_key", "segment"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("thresholds", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("previous_secret", sa.String(), nullable=True),
        sa.Column("previous_secret_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_why", sa.String(), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("rest_until", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoint"),
    )
    op.create_table(
        "outbox_event",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_event"),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name="fk_outbox_event_customer_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_event_customer_key", "outbox_event", ["customer_key"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("endpoint_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("last_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_delivery"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoint.id"], name="fk_webhook_delivery_endpoint_id"),
        sa.ForeignKeyConstraint(["event_id"], ["outbox_event.id"], name="fk_webhook_delivery_event_id"),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'dead')", name="ck_webhook_delivery_status"),
    )
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["next_attempt_at", "id"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
    op.create_index(
        "ix_webhook_delivery_pending",
        "webhook_delivery",
        ["endpoint_id", "customer_key", "id"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
    op.create_index("ix_webhook_delivery_endpoint_id_id", "webhook_delivery", ["endpoint_id", "id"])
    op.create_index("ix_webhook_delivery_event_id", "webhook_delivery", ["event_id"])


def downgrade() -> None:
    for table in ("webhook_delivery", "outbox_event", "webhook_endpoint"):
        op.drop_table(table)
    op.drop_index("ix_segment_membership_open", "segment_membership")
    op.drop_index("ix_segment_membership_customer_key", "segment_membership")
    # Of several stays by one run the last is kept: the schema before knows of one.
    op.execute(
        "DELETE FROM segment_membership WHERE EXISTS (SELECT 1 FROM segment_membership later "
        "WHERE later.customer_key = segment_membership.customer_key AND later.segment = segment_membership.segment "
        "AND later.entered_run_id = segment_membership.entered_run_id AND later.id > segment_membership.id)"
    )
    op.create_index(
        "ix_segment_membership_customer_key_segment_entered_run_id",
        "segment_membership",
        ["customer_key", "segment", "entered_run_id"],
        unique=True,
    )
    op.drop_column("scoring_run", "recorded_key")
    op.drop_column("scoring_run", "replaced_run_id")
    op.drop_index("ix_score_rescored", "score")
    op.drop_column("score", "rescored_at")
    op.drop_table("rescore_request")
