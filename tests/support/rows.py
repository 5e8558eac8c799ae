"""Rows as they are in the tables, for what passes the domain by."""

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 22, 1, 18, 0, 123456, tzinfo=UTC)

A_USER: dict[str, Any] = {
    "username": "ada",
    "username_key": "ada",
    "email": "ada@example.org",
    "email_key": "ada@example.org",
    "role": "member",
    "is_active": True,
    "created_at": NOW,
    "updated_at": NOW,
    "version": 1,
}
AN_ITEM: dict[str, Any] = {
    "owner_id": 1,
    "name": "Box",
    "quantity": 1,
    "attributes": {},
    "created_at": NOW,
    "updated_at": NOW,
    "version": 1,
}
A_SESSION: dict[str, Any] = {
    "user_id": 1,
    "created_at": NOW,
    "refreshed_at": NOW,
    "expires_at": NOW,
    "generation": 1,
}
A_TOKEN: dict[str, Any] = {"hash": b"t" * 32, "session_id": 1, "kind": "access", "generation": 1, "expires_at": NOW}
A_COUNTER: dict[str, Any] = {"key": b"k" * 32, "count": 1, "resets_at": NOW}
A_KEY: dict[str, Any] = {"key": b"k" * 32, "fingerprint": b"f" * 32, "expires_at": NOW}
