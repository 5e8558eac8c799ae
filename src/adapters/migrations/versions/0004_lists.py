"""What lists are searched and sorted by.

Revision: 0004
Revises: 0003
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BATCH = 1_000  # rows whose texts are in memory at once

_ITEM_INDEXES = [["owner_id", field, "id"] for field in ("name", "quantity", "created_at", "updated_at")]
_USER_INDEXES = [[field, "id"] for field in ("username", "created_at")]


def upgrade() -> None:
    # With a default, because SQLite could otherwise add it only by copying the table, and would then give ids again
    # that have been deleted.
    op.add_column(
        "items",
        sa.Column(
            "search_text",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            server_default=sa.text("''"),
        ),
    )
    _fill_search_text(op.get_bind())
    for columns in _ITEM_INDEXES:
        op.create_index(op.f(f"ix_items_{'_'.join(columns)}"), "items", columns)
    for columns in _USER_INDEXES:
        op.create_index(op.f(f"ix_users_{'_'.join(columns)}"), "users", columns)


def downgrade() -> None:
    for columns in _USER_INDEXES:
        op.drop_index(op.f(f"ix_users_{'_'.join(columns)}"), "users")
    for columns in _ITEM_INDEXES:
        op.drop_index(op.f(f"ix_items_{'_'.join(columns)}"), "items")
    op.drop_column("items", "search_text")


def _fill_search_text(connection: sa.Connection) -> None:
    some = sa.text("SELECT id, name, description FROM items WHERE id > :after ORDER BY id LIMIT :batch")
    fill = sa.text("UPDATE items SET search_text = :search_text WHERE id = :id")
    after = 0
    while rows := connection.execute(some, {"after": after, "batch": _BATCH}).all():
        connection.execute(
            fill,
            [
                {"id": item_id, "search_text": f"{_fold(name)}\n{_fold(description or '')}"}
                for item_id, name, description in rows
            ],
        )
        after = rows[-1].id


def _fold(text: str) -> str:
    """As the domain did when this was written: a migration does the same for ever."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
