"""How entities look as JSON, in answers and in files, written out: a response model would validate again what is known
to be right."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from ..domain.items import Item, OwnedItem
from ..domain.login_sessions import LoginSession
from ..domain.users import User

# As short as it can be, in the order given; far quicker than `json.dumps`, and, with times, than pydantic's. Raises
# `ValueError` for unpaired surrogates.
json_bytes: Callable[[object], bytes] = msgspec.json.Encoder().encode


def json_text(value: object) -> str:
    return json_bytes(value).decode()


def time_text(at: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds, so that texts sort as times do."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def user_json(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "role": user.role.value,
        "is_active": user.is_active,
        "created_at": time_text(user.created_at),
        "updated_at": time_text(user.updated_at),
        "version": user.version,
    }


def item_json(item: Item) -> dict[str, Any]:
    """For `json_bytes`, which writes a time as `time_text` does, and far more quickly; but one without microseconds,
    without them."""
    created_at, updated_at = item.created_at, item.updated_at
    return {
        "id": item.id,
        "owner_id": item.owner_id,
        "name": item.name,
        "description": item.description,
        "quantity": item.quantity,
        "attributes": item.attributes,
        "created_at": created_at if created_at.microsecond else time_text(created_at),
        "updated_at": updated_at if updated_at.microsecond else time_text(updated_at),
        "version": item.version,
    }


def owned_item_json(owned: OwnedItem) -> dict[str, Any]:
    return {**item_json(owned.item), "owner": {"id": owned.owner.id, "username": owned.owner.username}}


def session_json(session: LoginSession, *, current: bool) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": time_text(session.created_at),
        "refreshed_at": time_text(session.refreshed_at),
        "expires_at": time_text(session.expires_at),
        "user_agent": session.user_agent,
        "address": session.address,
        "current": current,
    }
