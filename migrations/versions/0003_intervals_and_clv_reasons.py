"""Intervals of forecasts, reasons of clv, and chances of a purchase."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = {
    "expected_purchases_low": sa.Float,
    "expected_purchases_high": sa.Float,
    "clv_low": sa.Float,
    "clv_high": sa.Float,
    "clv_reasons": sa.String,
    "purchase_within_30d": sa.Float,
    "purchase_within_60d": sa.Float,
    "purchase_within_90d": sa.Float,
    "purchase_within_180d": sa.Float,
    "purchase_likely_in_days": sa.Integer,
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("score", sa.Column(name, kind(), nullable=True))


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.drop_column("score", name)
