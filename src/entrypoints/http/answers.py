"""How entities look on the wire, written out: a response model would validate again what is known to be right."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import Response

from ...domain.items import Item, OwnedItem, Transfer
from ...domain.sessions import Session
from ...domain.users import User


class JsonAnswer(Response):
    media_type = "application/json"

    def __init__(self, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        super().__init__(text, status, headers)


def user_answer(user: User) -> JsonAnswer:
    return JsonAnswer(user_json(user), headers=_validator(user))


def created_user(user: User) -> JsonAnswer:
    return JsonAnswer(user_json(user), 201, {"Location": f"/users/{user.id}", **_validator(user)})


def item_answer(item: Item) -> JsonAnswer:
    return JsonAnswer(item_json(item), headers=_validator(item))


def created_item(item: Item) -> JsonAnswer:
    return JsonAnswer(item_json(item), 201, {"Location": f"/items/{item.id}", **_validator(item)})


def _validator(entity: User | Item) -> dict[str, str]:
    """A strong one (RFC 9110 section 8.8.3): whatever changes an entity changes its version."""
    return {"ETag": f'"{entity.id}-{entity.version}"'}


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
    return {
        "id": item.id,
        "owner_id": item.owner_id,
        "name": item.name,
        "description": item.description,
        "quantity": item.quantity,
        "attributes": item.attributes,
        "created_at": time_text(item.created_at),
        "updated_at": time_text(item.updated_at),
        "version": item.version,
    }


def owned_item_json(owned: OwnedItem) -> dict[str, Any]:
    return {**item_json(owned.item), "owner": {"id": owned.owner.id, "username": owned.owner.username}}


def transfer_answer(transfer: Transfer) -> JsonAnswer:
    given = None if transfer.item is None else item_json(transfer.item)
    return JsonAnswer({"item": given, "received": item_json(transfer.received)})


def session_json(session: Session, *, current: bool) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": time_text(session.created_at),
        "refreshed_at": time_text(session.refreshed_at),
        "expires_at": time_text(session.expires_at),
        "user_agent": session.user_agent,
        "address": session.address,
        "current": current,
    }


def time_text(at: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds, so that texts sort as times do."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
