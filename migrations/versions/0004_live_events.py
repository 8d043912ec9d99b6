"""Keys, merged and erased customers, and what each source sends."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("beginning", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name="fk_api_key_source_id"),
        sa.UniqueConstraint("secret_hash", name="uq_api_key_secret_hash"),
    )
    op.create_table(
        "source_activity",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("already_there", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("last_received_at", sa.BigInteger(), nullable=False),
        sa.Column("last_occurred_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source_id", "hour", name="pk_source_activity"),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name="fk_source_activity_source_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erased_customer",
        sa.Column("id_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name="pk_erased_customer"),
        sqlite_with_rowid=False,
    )
    op.add_column("customer", sa.Column("merged_into", sa.Integer(), nullable=True))
    op.add_column("customer", sa.Column("erased_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_customer_merged_into", "customer", ["merged_into"])
    op.add_column("model_version", sa.Column("erased_customers", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("model_version", "erased_customers")
    op.drop_index("ix_customer_merged_into", "customer")
    op.drop_column("customer", "erased_at")
    op.drop_column("customer", "merged_into")
    for table in ("erased_customer", "source_activity", "api_key"):
        op.drop_table(table)
