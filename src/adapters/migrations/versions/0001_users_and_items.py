"""Users and items.

Revision: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _big_integer() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", _big_integer(), sa.Identity(), nullable=False),
        sa.Column("username", _text(), nullable=False),
        sa.Column("username_key", _text(), nullable=False),
        sa.Column("email", _text(), nullable=False),
        sa.Column("email_key", _text(), nullable=False),
        sa.Column("role", _text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", _big_integer(), nullable=False),
        sa.Column("password_hash", _text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username_key", name=op.f("uq_users_username_key")),
        sa.UniqueConstraint("email_key", name=op.f("uq_users_email_key")),
        sa.CheckConstraint("length(username) BETWEEN 3 AND 64", name=op.f("ck_users_username_length")),
        sa.CheckConstraint("length(email) BETWEEN 3 AND 254", name=op.f("ck_users_email_length")),
        sa.CheckConstraint("role IN ('member', 'admin')", name=op.f("ck_users_role_known")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_users_version_positive")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "items",
        sa.Column("id", _big_integer(), sa.Identity(), nullable=False),
        sa.Column("owner_id", _big_integer(), nullable=False),
        sa.Column("name", _text(), nullable=False),
        sa.Column("description", _text()),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", _big_integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_items_owner_id")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name=op.f("ck_items_name_length")),
        sa.CheckConstraint(
            "description IS NULL OR length(description) <= 10000", name=op.f("ck_items_description_length")
        ),
        sa.CheckConstraint("quantity BETWEEN 0 AND 2147483647", name=op.f("ck_items_quantity_range")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_items_version_positive")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_items_owner_id_id"), "items", ["owner_id", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_items_owner_id_id"), table_name="items")
    op.drop_table("items")
    op.drop_table("users")
