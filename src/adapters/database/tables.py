"""The tables. CHECK constraints repeat the domain's invariants; unique constraints decide races.

A change here needs a migration; a test holds that both agree.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

from .column_types import UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _big_integer() -> TypeEngine[int]:
    # Only a column whose type reads INTEGER becomes SQLite's 64-bit rowid.
    return BigInteger().with_variant(Integer, "sqlite")


def _text() -> TypeEngine[str]:
    """Text that sorts by code point everywhere: PostgreSQL would sort by the locale of the machine.

    Its length is bounded by a CHECK, which has a name and is one and the same on every database; SQLite ignores the
    one in VARCHAR(n), and PostgreSQL does not say which column it was.
    """
    return Text().with_variant(Text(collation="C"), "postgresql")


users = Table(
    "users",
    metadata,
    Column("id", _big_integer(), Identity(), primary_key=True),
    Column("username", _text(), nullable=False),
    # What makes two names one and the same, folded by the domain: databases fold ASCII, or by their locale.
    # Its constraint is created before the one on email: PostgreSQL reports the oldest of several violated.
    Column("username_key", _text(), nullable=False),
    Column("email", _text(), nullable=False),
    Column("email_key", _text(), nullable=False),
    Column("role", _text(), nullable=False),
    Column("is_active", Boolean(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("updated_at", UtcDateTime(), nullable=False),
    Column("version", _big_integer(), nullable=False),
    Column("password_hash", _text()),
    UniqueConstraint("username_key"),
    UniqueConstraint("email_key"),
    Index(None, "username", "id"),
    Index(None, "created_at", "id"),
    CheckConstraint("length(username) BETWEEN 3 AND 64", name="username_length"),
    CheckConstraint("length(email) BETWEEN 3 AND 254", name="email_length"),
    CheckConstraint("role IN ('member', 'admin')", name="role_known"),
    CheckConstraint("version >= 1", name="version_positive"),
    sqlite_autoincrement=True,  # without it SQLite gives the highest id again after a delete
)

items = Table(
    "items",
    metadata,
    Column("id", _big_integer(), Identity(), primary_key=True),
    Column("owner_id", _big_integer(), ForeignKey("users.id"), nullable=False),
    Column("name", _text(), nullable=False),
    Column("description", _text()),
    Column("quantity", Integer(), nullable=False),
    # JSON, not JSONB: members come back in the order, and numbers with the digits, that they were sent with.
    Column("attributes", JSON(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("updated_at", UtcDateTime(), nullable=False),
    Column("version", _big_integer(), nullable=False),
    # Name and description, folded by the domain, where `q` is looked for. The default is for rows that are there before
    # the migration has filled them.
    Column("search_text", _text(), nullable=False, server_default=text("''")),
    # One for each field that the items of one owner can be sorted by.
    Index(None, "owner_id", "id"),
    Index(None, "owner_id", "name", "id"),
    Index(None, "owner_id", "quantity", "id"),
    Index(None, "owner_id", "created_at", "id"),
    Index(None, "owner_id", "updated_at", "id"),
    CheckConstraint("length(name) BETWEEN 1 AND 200", name="name_length"),
    CheckConstraint("description IS NULL OR length(description) <= 10000", name="description_length"),
    CheckConstraint("quantity BETWEEN 0 AND 2147483647", name="quantity_range"),
    CheckConstraint("version >= 1", name="version_positive"),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", _big_integer(), Identity(), primary_key=True),
    Column("user_id", _big_integer(), ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("refreshed_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("generation", Integer(), nullable=False),
    Column("user_agent", _text()),
    Column("address", _text()),
    Index(None, "user_id", "id"),
    Index(None, "expires_at"),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("hash", LargeBinary(), primary_key=True),
    Column("session_id", _big_integer(), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("kind", _text(), nullable=False),
    Column("generation", Integer(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Index(None, "session_id"),
    CheckConstraint("length(hash) = 32", name="hash_length"),
    CheckConstraint("kind IN ('access', 'refresh')", name="kind_known"),
)

attempt_counters = Table(
    "attempt_counters",
    metadata,
    Column("key", LargeBinary(), primary_key=True),
    Column("count", _big_integer(), nullable=False),
    Column("resets_at", UtcDateTime(), nullable=False),
    Index(None, "resets_at"),
    CheckConstraint("length(key) = 32", name="key_length"),
    CheckConstraint("count >= 0", name="count_not_negative"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", LargeBinary(), primary_key=True),
    Column("user_id", _big_integer(), ForeignKey("users.id", ondelete="CASCADE")),
    Column("fingerprint", LargeBinary(), nullable=False),
    # NULL while the unit that has claimed the key is under way: nobody else ever sees that.
    Column("answer", LargeBinary()),
    Column("expires_at", UtcDateTime(), nullable=False),
    Index(None, "user_id"),
    Index(None, "expires_at"),
    CheckConstraint("length(key) = 32", name="key_length"),
    CheckConstraint("length(fingerprint) = 32", name="fingerprint_length"),
)
