"""Answers that show entities: their JSON, their validators, and where a new one is."""

from collections.abc import Mapping

from starlette.responses import Response

from ...domain.items import Item, Transfer
from ...domain.users import User
from ..entity_json import item_json, json_bytes, user_json


class JsonAnswer(Response):
    media_type = "application/json"

    def __init__(self, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(json_bytes(content), status, headers)


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


def transfer_answer(transfer: Transfer) -> JsonAnswer:
    given = None if transfer.item is None else item_json(transfer.item)
    return JsonAnswer({"item": given, "received": item_json(transfer.received)})
