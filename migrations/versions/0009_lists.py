"""Runs of which nothing is kept any more, and what targets outside have been sent of segments."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("scoring_run", sa.Column("is_pruned", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "sync_point",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("scoring_run_id", sa.Integer(), nullable=True),
        sa.Column("synced_at", sa.BigInteger(), nullable=True),
        sa.Column("erased", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sync_point"),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name="fk_sync_point_scoring_run_id"),
    )
    op.create_index("ix_sync_point_target_segment", "sync_point", ["target", "segment"], unique=True)
    op.create_table(
        "synced_member",
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("sync_point_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("churn_probability", sa.Float(), nullable=True),
        sa.Column("clv", sa.Float(), nullable=True),
        sa.Column("value_at_risk", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("customer_key", "sync_point_id", name="pk_synced_member"),
        sa.CheckConstraint("state IN ('held', 'telling', 'leaving')", name="ck_synced_member_state"),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name="fk_synced_member_customer_key"),
        sa.ForeignKeyConstraint(["sync_point_id"], ["sync_point.id"], name="fk_synced_member_sync_point_id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("synced_member")
    op.drop_table("sync_point")
    op.drop_column("scoring_run", "is_pruned")
