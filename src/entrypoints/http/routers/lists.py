"""The lists: `/users`, `/items` and `/users/{user_id}/items`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from ....domain.actors import Actor
from ....domain.pages import Page
from ....domain.users import UserId
from ....service_layer import lists, users
from ....service_layer.retry import run
from ....service_layer.unit_of_work import UnitOfWork
from ...entity_json import item_json, owned_item_json, user_json
from ..dependencies import ReadingUnitOfWork
from ..openapi.documentation import answers, problems
from ..requests.authentication import CurrentActor
from ..requests.fields import TextId, UserIdOrMe
from ..requests.filters import ItemSort, UserSort, WhichItems, WhichUsers
from ..requests.pages import CurrentPage, Json
from ..routing.strict_route import StrictRoute
from ..schemas import ItemPage, UserPage
from .items import Expand
from .users import named_user

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/users",
    tags=["users"],
    operation_id="list_users",
    summary="List users",
    responses=answers(UserPage, "A page of users", headers=("Link",)) | problems("invalid_cursor", "forbidden"),
)
async def list_users(
    uow: ReadingUnitOfWork, actor: CurrentActor, asked: CurrentPage, which: WhichUsers, sort: UserSort = "-id"
) -> Response:
    made_for = {"list": "users", "sort": sort, **which}
    page = await run(uow, lists.list_users, actor, sort=sort, **which, **asked.arguments(made_for))
    return asked.answer(page, [user_json(user) for user in page], made_for)


@router.get(
    "/items",
    tags=["items"],
    operation_id="list_items",
    summary="List items",
    responses=answers(ItemPage, "A page of items", headers=("Link",)) | problems("invalid_cursor", "user_not_found"),
)
async def list_items(
    uow: ReadingUnitOfWork,
    actor: CurrentActor,
    asked: CurrentPage,
    which: WhichItems,
    owner_id: Annotated[TextId | None, Query(description="Of one owner alone")] = None,
    sort: ItemSort = "-id",
    expand: Expand = None,
) -> Response:
    """The caller's own; an admin's all."""
    made_for = _made_for(actor, which, owner_id, sort)
    page, rows = await _items(uow, actor, expand, owner_id=owner_id, sort=sort, **which, **asked.arguments(made_for))
    return asked.answer(page, rows, made_for)


@router.get(
    "/users/{user_id}/items",
    tags=["items"],
    operation_id="list_items_of_user",
    summary="List a user's items",
    responses=answers(ItemPage, "A page of the user's items", headers=("Link",))
    | problems("invalid_cursor", "user_not_found"),
)
async def list_items_of_user(
    user_id: UserIdOrMe,
    uow: ReadingUnitOfWork,
    actor: CurrentActor,
    asked: CurrentPage,
    which: WhichItems,
    sort: ItemSort = "-id",
    expand: Expand = None,
) -> Response:
    owner_id = named_user(user_id, actor)
    made_for = _made_for(actor, which, owner_id, sort)
    page, rows = await _items(uow, actor, expand, owner_id=owner_id, sort=sort, **which, **asked.arguments(made_for))
    if not rows:  # of someone without items, or of nobody?
        await run(uow, users.get_user, actor, user_id=owner_id)
    return asked.answer(page, rows, made_for)


def _made_for(actor: Actor, which: Json, owner_id: int | None, sort: str) -> Json:
    owner = lists.visible_owner(actor, None if owner_id is None else UserId(owner_id))
    return {"list": "items", "sort": sort, **which, "owner_id": owner}


async def _items(uow: UnitOfWork, actor: Actor, expand: str | None, **arguments: Any) -> tuple[Page[Any], list[Json]]:
    """A page, and how it looks on the wire. One statement, with owners or without."""
    if expand == "owner":
        owned = await run(uow, lists.list_items_with_owner, actor, **arguments)
        return owned, [owned_item_json(each) for each in owned]
    page = await run(uow, lists.list_items, actor, **arguments)
    return page, [item_json(item) for item in page]
