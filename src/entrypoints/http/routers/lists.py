"""The lists: `/users`, `/items` and `/users/{user_id}/items`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ....domain.actors import Actor
from ....domain.users import UserId
from ....service_layer import lists, users
from ....service_layer.retry import run
from ....service_layer.unit_of_work import UnitOfWork
from ..answers import item_json, owned_item_json, user_json
from ..authentication import CurrentActor
from ..dependencies import CurrentUnitOfWork
from ..documentation import answers, problems
from ..fields import TextId, UserIdOrMe
from ..pages import Cursor, Limit, decode_cursor, page_answer
from ..schemas import ItemPage, UserPage
from ..strict_route import StrictRoute
from .items import Expand
from .users import named_user

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/users",
    tags=["users"],
    operation_id="list_users",
    summary="List users",
    responses=answers(UserPage, "Users, the newest first", headers=("Link",)) | problems("invalid_cursor", "forbidden"),
)
async def list_users(
    request: Request, uow: CurrentUnitOfWork, actor: CurrentActor, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    before = decode_cursor(cursor, {"list": "users"})
    found = await run(uow, lists.list_users, actor, before=None if before is None else UserId(before), limit=limit + 1)
    return page_answer(request, [user_json(user) for user in found], limit, {"list": "users"})


@router.get(
    "/items",
    tags=["items"],
    operation_id="list_items",
    summary="List items",
    responses=answers(ItemPage, "Items, the newest first", headers=("Link",))
    | problems("invalid_cursor", "user_not_found"),
)
async def list_items(
    request: Request,
    uow: CurrentUnitOfWork,
    actor: CurrentActor,
    owner_id: Annotated[TextId | None, Query(description="Of one owner alone")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    expand: Expand = None,
) -> Response:
    filters = {"list": "items", "owner_id": owner_id}
    before = decode_cursor(cursor, filters)
    rows = await _item_rows(uow, actor, owner_id=owner_id, before=before, limit=limit + 1, expand=expand)
    return page_answer(request, rows, limit, filters)


async def _item_rows(
    uow: UnitOfWork, actor: Actor, *, owner_id: int | None, before: int | None, limit: int, expand: str | None
) -> list[dict[str, Any]]:
    """One statement, with owners or without."""
    page: dict[str, Any] = {"owner_id": owner_id, "before": before, "limit": limit}
    if expand == "owner":
        return [owned_item_json(each) for each in await run(uow, lists.list_items_with_owner, actor, **page)]
    return [item_json(each) for each in await run(uow, lists.list_items, actor, **page)]


@router.get(
    "/users/{user_id}/items",
    tags=["items"],
    operation_id="list_items_of_user",
    summary="List a user's items",
    responses=answers(ItemPage, "The user's items, the newest first", headers=("Link",))
    | problems("invalid_cursor", "user_not_found"),
)
async def list_items_of_user(
    user_id: UserIdOrMe,
    request: Request,
    uow: CurrentUnitOfWork,
    actor: CurrentActor,
    limit: Limit = 50,
    cursor: Cursor = None,
    expand: Expand = None,
) -> Response:
    owner_id = named_user(user_id, actor)
    filters = {"list": "items", "owner_id": owner_id}
    before = decode_cursor(cursor, filters)
    rows = await _item_rows(uow, actor, owner_id=owner_id, before=before, limit=limit + 1, expand=expand)
    if not rows:  # of someone without items, or of nobody?
        await run(uow, users.get_user, actor, user_id=owner_id)
    return page_answer(request, rows, limit, filters)
