"""Targets and driver reports."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "driver_report",
        sa.Column("scoring_run_id", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name=op.f("fk_driver_report_scoring_run_id")),
        sa.PrimaryKeyConstraint("scoring_run_id", "target", "segment", name=op.f("pk_driver_report")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "target_set",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_target_set")),
    )
    op.add_column("score", sa.Column("propensities", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("score", "propensities")
    op.drop_table("target_set")
    op.drop_table("driver_report")
