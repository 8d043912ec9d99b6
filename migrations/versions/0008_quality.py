"""What became of the scores of a run."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NUMBERS = (
    "expected_purchases",
    "expected_purchases_low",
    "expected_purchases_high",
    "expected_average_value",
    "clv",
    "churn_probability",
    "value_at_risk",
)


def upgrade() -> None:
    op.create_table(
        "drift_report",
        sa.Column("scoring_run_id", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("scoring_run_id", "target", name="pk_drift_report"),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name="fk_drift_report_scoring_run_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quality_report",
        sa.Column("scoring_run_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("computed_at", sa.BigInteger(), nullable=False),
        sa.Column("known_until", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("scoring_run_id", "kind", "name", name="pk_quality_report"),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name="fk_quality_report_scoring_run_id"),
        sa.CheckConstraint("kind IN ('target', 'forecast')", name="ck_quality_report_kind"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "superseded_score",
        sa.Column("scoring_run_id", sa.Integer(), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("segments", sa.String(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=True) for name in _NUMBERS),
        sa.Column("propensities", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("scoring_run_id", "customer_key", name="pk_superseded_score"),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name="fk_superseded_score_scoring_run_id"),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name="fk_superseded_score_customer_key"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("superseded_score", "quality_report", "drift_report"):
        op.drop_table(table)
