"""What a scoring run has done of its customers, so that a killed one goes on from there."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("scoring_run", sa.Column("read_since", sa.BigInteger(), nullable=True))
    op.create_table(
        "scoring_part",
        sa.Column("scoring_run_id", sa.Integer(), nullable=False),
        sa.Column("lowest_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("highest_key", sa.Integer(), nullable=False),
        sa.Column("terms", sa.String(), nullable=False),
        sa.Column("sums", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("scoring_run_id", "lowest_key", name="pk_scoring_part"),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name="fk_scoring_part_scoring_run_id"),
    )


def downgrade() -> None:
    op.drop_table("scoring_part")
    op.drop_column("scoring_run", "read_since")
