"""Campaigns, whom they were meant for, and contacts."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "campaign",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("segment", sa.String(), nullable=True),
        sa.Column("outcome_event", sa.String(), nullable=True),
        sa.Column("outcome_days", sa.Integer(), nullable=False),
        sa.Column("held_out_arm", sa.String(), nullable=False),
        sa.Column("held_out_share", sa.Float(), nullable=True),
        sa.Column("most_customers", sa.Integer(), nullable=True),
        sa.Column("assigned_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("is_assigned", sa.Boolean(), nullable=False),
        sa.Column("pruned_at", sa.BigInteger(), nullable=True),
        sa.Column("effect_due_at", sa.BigInteger(), nullable=True),
        sa.Column("effect", sa.JSON(), nullable=True),
        sa.Column("effect_as_of", sa.BigInteger(), nullable=True),
        sa.Column("adoption", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_campaign"),
        sa.UniqueConstraint("name", name="uq_campaign_name"),
    )
    op.create_table(
        "campaign_assignment",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("assigned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "customer_key", name="pk_campaign_assignment"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_campaign_assignment_campaign_id"),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name="fk_campaign_assignment_customer_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_campaign_assignment_customer_key", "campaign_assignment", ["customer_key"])
    op.create_table(
        "contact",
        sa.Column("identity", sa.LargeBinary(16), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("contacted_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("identity", name="pk_contact"),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name="fk_contact_customer_key"),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_contact_campaign_id"),
        sa.CheckConstraint("cost >= 0", name="ck_contact_cost"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_contact_customer_key_contacted_at", "contact", ["customer_key", "contacted_at"])
    op.create_index("ix_contact_campaign_id_customer_key", "contact", ["campaign_id", "customer_key"])
    op.create_index("ix_contact_contacted_at_customer_key", "contact", ["contacted_at", "customer_key"])
    salt = op.create_table(
        "hold_out_salt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hold_out_salt"),
        sa.CheckConstraint("id = 1", name="ck_hold_out_salt_one_row"),
    )
    op.bulk_insert(salt, [{"id": 1, "salt": secrets.token_bytes(32)}])


def downgrade() -> None:
    for table in ("hold_out_salt", "contact", "campaign_assignment", "campaign"):
        op.drop_table(table)
