"""First tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "category",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("levels", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
        sa.UniqueConstraint("levels", name=op.f("uq_category_levels")),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.UniqueConstraint("name", name=op.f("uq_channel_name")),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("customer_id", name=op.f("uq_customer_customer_id")),
    )
    op.create_table(
        "event_type",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_type")),
        sa.UniqueConstraint("name", name=op.f("uq_event_type_name")),
    )
    op.create_table(
        "product",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("product_id", name=op.f("uq_product_product_id")),
    )
    op.create_table(
        "segment_policy",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_segment_policy")),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("name", name=op.f("uq_source_name")),
    )
    op.create_table(
        "training_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("story", sa.JSON(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'completed', 'failed')", name=op.f("ck_training_run_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_run")),
    )
    op.create_table(
        "customer_attribute",
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("name", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("learnt_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.CheckConstraint("kind IN ('number', 'category', 'date')", name=op.f("ck_customer_attribute_kind")),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name=op.f("fk_customer_attribute_customer_key")),
        sa.PrimaryKeyConstraint("customer_key", "name", "learnt_at", name=op.f("pk_customer_attribute")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("event_type_id", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("has_message_id", sa.Boolean(), nullable=False),
        sa.Column("identity", sa.LargeBinary(length=16), nullable=False),
        sa.Column("order_id", sa.String(), nullable=True),
        sa.Column("order_key", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("channel_id", sa.Integer(), nullable=True),
        sa.Column("properties", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_event_channel_id")),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name=op.f("fk_event_customer_key")),
        sa.ForeignKeyConstraint(["event_type_id"], ["event_type.id"], name=op.f("fk_event_event_type_id")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_event_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("identity", name=op.f("uq_event_identity")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_event_customer_key_occurred_at"), ["customer_key", "occurred_at"], unique=False
        )

    op.create_table(
        "model_version",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("bundle_hash", sa.String(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("training_run_id", sa.Integer(), nullable=True),
        sa.Column("test_metrics", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["training_run_id"], ["training_run.id"], name=op.f("fk_model_version_training_run_id")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_model_version")),
    )
    op.create_table(
        "rejected_row",
        sa.Column("file_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_rejected_row_source_id")),
        sa.PrimaryKeyConstraint("file_hash", "line", name=op.f("pk_rejected_row")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "model_alias",
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("alias IN ('champion', 'challenger')", name=op.f("ck_model_alias_alias")),
        sa.ForeignKeyConstraint(["version"], ["model_version.version"], name=op.f("fk_model_alias_version")),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_model_alias")),
    )
    op.create_table(
        "model_promotion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("replaced_version", sa.Integer(), nullable=True),
        sa.Column("promoted_at", sa.BigInteger(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("rolled_back_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["replaced_version"], ["model_version.version"], name=op.f("fk_model_promotion_replaced_version")
        ),
        sa.ForeignKeyConstraint(["version"], ["model_version.version"], name=op.f("fk_model_promotion_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_promotion")),
    )
    op.create_table(
        "order_line",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("identity", sa.LargeBinary(length=16), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("product_key", sa.Integer(), nullable=True),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("quantity", sa.Double(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("discount", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_order_line_category_id")),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_order_line_event_id")),
        sa.ForeignKeyConstraint(["product_key"], ["product.id"], name=op.f("fk_order_line_product_key")),
        sa.PrimaryKeyConstraint("event_id", "identity", name=op.f("pk_order_line")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scoring_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("as_of", sa.BigInteger(), nullable=True),
        sa.Column("model_version", sa.Integer(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=True),
        sa.Column("n_customers", sa.Integer(), nullable=True),
        sa.Column("aggregates", sa.JSON(), nullable=True),
        sa.Column("memberships_recorded", sa.Boolean(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'completed', 'failed')", name=op.f("ck_scoring_run_status")
        ),
        sa.ForeignKeyConstraint(
            ["model_version"], ["model_version.version"], name=op.f("fk_scoring_run_model_version")
        ),
        sa.ForeignKeyConstraint(
            ["policy_version"], ["segment_policy.version"], name=op.f("fk_scoring_run_policy_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scoring_run")),
    )
    op.create_table(
        "segment_cutoffs",
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("cutoffs", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version"], ["model_version.version"], name=op.f("fk_segment_cutoffs_model_version")
        ),
        sa.ForeignKeyConstraint(
            ["policy_version"], ["segment_policy.version"], name=op.f("fk_segment_cutoffs_policy_version")
        ),
        sa.PrimaryKeyConstraint("model_version", "policy_version", name=op.f("pk_segment_cutoffs")),
    )
    op.create_table(
        "published_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scoring_run_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_published_run_one_row")),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name=op.f("fk_published_run_scoring_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_published_run")),
    )
    op.create_table(
        "score",
        sa.Column("scoring_run_id", sa.Integer(), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("segments", sa.String(), nullable=False),
        sa.Column("eligible", sa.Boolean(), nullable=False),
        sa.Column("frequency", sa.Integer(), nullable=True),
        sa.Column("recency", sa.Integer(), nullable=True),
        sa.Column("T", sa.Integer(), nullable=True),
        sa.Column("monetary_value", sa.Double(), nullable=True),
        sa.Column("days_since_last_purchase", sa.Integer(), nullable=True),
        sa.Column("p_alive", sa.Double(), nullable=True),
        sa.Column("expected_purchases", sa.Double(), nullable=True),
        sa.Column("expected_average_value", sa.Double(), nullable=True),
        sa.Column("clv", sa.Double(), nullable=True),
        sa.Column("churn_probability", sa.Double(), nullable=True),
        sa.Column("value_at_risk", sa.Double(), nullable=True),
        sa.Column("upsell_propensity", sa.Double(), nullable=True),
        sa.Column("raw_margin", sa.Double(), nullable=True),
        sa.Column("base_value", sa.Double(), nullable=True),
        sa.Column("reasons", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name=op.f("fk_score_customer_key")),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name=op.f("fk_score_scoring_run_id")),
        sa.PrimaryKeyConstraint("scoring_run_id", "customer_key", name=op.f("pk_score")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_listing",
        sa.Column("scoring_run_id", sa.Integer(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("rank_value", sa.Double(), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name=op.f("fk_segment_listing_customer_key")),
        sa.ForeignKeyConstraint(["scoring_run_id"], ["scoring_run.id"], name=op.f("fk_segment_listing_scoring_run_id")),
        sa.PrimaryKeyConstraint(
            "scoring_run_id", "segment", "rank_value", "customer_key", name=op.f("pk_segment_listing")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_membership",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_key", sa.Integer(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("entered_run_id", sa.Integer(), nullable=False),
        sa.Column("left_at", sa.BigInteger(), nullable=True),
        sa.Column("left_run_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["customer_key"], ["customer.id"], name=op.f("fk_segment_membership_customer_key")),
        sa.ForeignKeyConstraint(
            ["entered_run_id"], ["scoring_run.id"], name=op.f("fk_segment_membership_entered_run_id")
        ),
        sa.ForeignKeyConstraint(["left_run_id"], ["scoring_run.id"], name=op.f("fk_segment_membership_left_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment_membership")),
    )
    with op.batch_alter_table("segment_membership", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_segment_membership_customer_key_segment_entered_run_id"),
            ["customer_key", "segment", "entered_run_id"],
            unique=True,
        )


def downgrade() -> None:
    with op.batch_alter_table("segment_membership", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_segment_membership_customer_key_segment_entered_run_id"))

    op.drop_table("segment_membership")
    op.drop_table("segment_listing")
    op.drop_table("score")
    op.drop_table("published_run")
    op.drop_table("segment_cutoffs")
    op.drop_table("scoring_run")
    op.drop_table("order_line")
    op.drop_table("model_promotion")
    op.drop_table("model_alias")
    op.drop_table("rejected_row")
    op.drop_table("model_version")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_event_customer_key_occurred_at"))

    op.drop_table("event")
    op.drop_table("customer_attribute")
    op.drop_table("training_run")
    op.drop_table("source")
    op.drop_table("segment_policy")
    op.drop_table("product")
    op.drop_table("event_type")
    op.drop_table("customer")
    op.drop_table("channel")
    op.drop_table("category")
