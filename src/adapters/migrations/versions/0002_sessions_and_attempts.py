"""Sessions with their tokens, and counters of attempts.

Revision: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _big_integer() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", _big_integer(), sa.Identity(), nullable=False),
        sa.Column("user_id", _big_integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("user_agent", _text()),
        sa.Column("address", _text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sessions_user_id_id"), "sessions", ["user_id", "id"])
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"])
    op.create_table(
        "tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", _big_integer(), nullable=False),
        sa.Column("kind", _text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_tokens")),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_tokens_session_id"), ondelete="CASCADE"),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_tokens_hash_length")),
        sa.CheckConstraint("kind IN ('access', 'refresh')", name=op.f("ck_tokens_kind_known")),
    )
    op.create_index(op.f("ix_tokens_session_id"), "tokens", ["session_id"])
    op.create_table(
        "attempt_counters",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("count", _big_integer(), nullable=False),
        sa.Column("resets_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempt_counters")),
        sa.CheckConstraint("length(key) = 32", name=op.f("ck_attempt_counters_key_length")),
        sa.CheckConstraint("count >= 0", name=op.f("ck_attempt_counters_count_not_negative")),
    )
    op.create_index(op.f("ix_attempt_counters_resets_at"), "attempt_counters", ["resets_at"])


def downgrade() -> None:
    op.drop_table("attempt_counters")
    op.drop_table("tokens")
    op.drop_table("sessions")
