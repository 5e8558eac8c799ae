"""Users and items.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _big_integer() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(length: int | None = None) -> sa.types.TypeEngine[str]:
    plain = sa.String(length) if length else sa.Text()
    return plain.with_variant(sa.String(length, collation="C") if length else sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", _big_integer(), sa.Identity(), nullable=False),
        sa.Column("username", _text(64), nullable=False),
        sa.Column("username_key", _text(), nullable=False),
        sa.Column("email", _text(254), nullable=False),
        sa.Column("email_key", _text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", _big_integer(), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username_key", name="uq_users_username_key"),
        sa.UniqueConstraint("email_key", name="uq_users_email_key"),
        sa.CheckConstraint("length(username) BETWEEN 3 AND 64", name="ck_users_username_length"),
        sa.CheckConstraint("length(email) BETWEEN 3 AND 254", name="ck_users_email_length"),
        sa.CheckConstraint("role IN ('member', 'admin')", name="ck_users_role_known"),
        sa.CheckConstraint("version >= 1", name="ck_users_version_positive"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "items",
        sa.Column("id", _big_integer(), sa.Identity(), nullable=False),
        sa.Column("owner_id", _big_integer(), nullable=False),
        sa.Column("name", _text(200), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", _big_integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_items_owner_id"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name="ck_items_name_length"),
        sa.CheckConstraint("description IS NULL OR length(description) <= 10000", name="ck_items_description_length"),
        sa.CheckConstraint("quantity BETWEEN 0 AND 2147483647", name="ck_items_quantity_range"),
        sa.CheckConstraint("version >= 1", name="ck_items_version_positive"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_items_owner_id_id", "items", ["owner_id", "id"])


def downgrade() -> None:
    op.drop_table("items")
    op.drop_table("users")
