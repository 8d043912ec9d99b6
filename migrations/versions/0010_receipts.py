"""Numbers of what is written, and what was replaced, so that a score can be computed again from what it knew."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NUMBERED = ("event", "customer_attribute")


def upgrade() -> None:
    # On SQLite its one row is counted up; on PostgreSQL only the sequence of its key is used.
    number = op.create_table(
        "write_number",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_write_number"),
    )
    op.bulk_insert(number, [{"id": 0}])
    for table in _NUMBERED:
        op.add_column(table, sa.Column("sequence_number", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("order_line", sa.Column("sequence_number", sa.BigInteger(), nullable=True))
    op.add_column("customer", sa.Column("merged_number", sa.BigInteger(), nullable=True))
    op.create_table(
        "replaced_head",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("replaced_by", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=True),
        sa.Column("properties", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("event_id", "replaced_by", name="pk_replaced_head"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_replaced_head_event_id"),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name="fk_replaced_head_channel_id"),
        sqlite_with_rowid=False,
    )
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "replaced_attribute",
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("learnt_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("replaced_by", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence_number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("customer_key", "name", "learnt_at", "replaced_by", name="pk_replaced_attribute"),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name="fk_replaced_attribute_customer_key"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("replaced_attribute")
    op.drop_table("replaced_head")
    op.drop_column("customer", "merged_number")
    op.drop_column("order_line", "sequence_number")
    for table in reversed(_NUMBERED):
        op.drop_column(table, "sequence_number")
    op.drop_table("write_number")
