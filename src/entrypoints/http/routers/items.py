"""`/items`"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ....domain.actors import Actor
from ....domain.errors import ItemNotFound
from ....domain.items import ItemId
from ....service_layer import items
from ....service_layer.limited_transfers import transfer_within_limits
from ....service_layer.retry import run
from ....service_layer.unit_of_work import UnitOfWork
from ..answers import JsonAnswer, item_answer, item_json, owned_item_json, transfer_json
from ..authentication import CurrentActor
from ..dependencies import CurrentLimits, CurrentUnitOfWork
from ..documentation import answers, problems
from ..fields import TextId
from ..pages import Cursor, Limit, decode_cursor, page_answer
from ..schemas import ItemCreate, ItemOut, ItemPage, ItemPatch, TransferOut, TransferRequest
from ..strict_route import StrictRoute

router = APIRouter(prefix="/items", tags=["items"], route_class=StrictRoute)

Expand = Annotated[Literal["owner"] | None, Query(description="Show the owner too")]


@router.post(
    "",
    status_code=201,
    operation_id="create_item",
    summary="Create an item",
    responses=answers(ItemOut, "The new item", status=201, headers=("Location", "ETag"))
    | problems("forbidden", writes=True, body=True),
)
async def create(body: ItemCreate, uow: CurrentUnitOfWork, actor: CurrentActor) -> Response:
    return item_answer(await run(uow, items.create_item, actor, **body.given()), created=True)


@router.get(
    "",
    operation_id="list_items",
    summary="List items",
    responses=answers(ItemPage, "Items, the newest first", headers=("Link",))
    | problems("invalid_cursor", "user_not_found"),
)
async def list_all(
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
    rows = await item_rows(uow, actor, owner_id=owner_id, before=before, limit=limit + 1, expand=expand)
    return page_answer(request, rows, limit, filters)


async def item_rows(
    uow: UnitOfWork, actor: Actor, *, owner_id: int | None, before: int | None, limit: int, expand: str | None
) -> list[dict[str, Any]]:
    """One statement, with owners or without."""
    page: dict[str, Any] = {"owner_id": owner_id, "before": before, "limit": limit}
    if expand == "owner":
        return [owned_item_json(each) for each in await run(uow, items.list_items_with_owner, actor, **page)]
    return [item_json(each) for each in await run(uow, items.list_items, actor, **page)]


@router.get(
    "/{item_id}",
    operation_id="get_item",
    summary="Show an item",
    responses=answers(ItemOut, "The item; an expanded one has no ETag: it shows two resources", headers=("ETag",))
    | problems("item_not_found"),
)
async def get(item_id: TextId, uow: CurrentUnitOfWork, actor: CurrentActor, expand: Expand = None) -> Response:
    if expand == "owner":
        return JsonAnswer(owned_item_json(await run(uow, items.get_item_with_owner, actor, item_id=ItemId(item_id))))
    return item_answer(await run(uow, items.get_item, actor, item_id=ItemId(item_id)))


@router.patch(
    "/{item_id}",
    operation_id="update_item",
    summary="Change an item",
    responses=answers(ItemOut, "The item afterwards", headers=("ETag",))
    | problems("item_not_found", writes=True, body=True),
)
async def update(item_id: TextId, body: ItemPatch, uow: CurrentUnitOfWork, actor: CurrentActor) -> Response:
    """A merge patch (RFC 7396): absent members stay, null clears what can be empty, `attributes` merge."""
    return item_answer(await run(uow, items.update_item, actor, item_id=ItemId(item_id), **body.given()))


@router.delete(
    "/{item_id}",
    status_code=204,
    operation_id="delete_item",
    summary="Delete an item",
    response_description="The item is gone",
    responses=problems("item_not_found", writes=True),
)
async def delete(item_id: TextId, uow: CurrentUnitOfWork, actor: CurrentActor) -> Response:
    """A second time it is not found."""
    if not await run(uow, items.delete_item, actor, item_id=ItemId(item_id)):
        raise ItemNotFound(item_id)
    return Response(status_code=204)


@router.post(
    "/{item_id}/transfer",
    operation_id="transfer_item",
    summary="Hand an item over, or a part of it",
    responses=answers(TransferOut, "Both sides afterwards")
    | problems(
        "item_not_found",
        "unknown_recipient",
        "same_item",
        "insufficient_quantity",
        "quantity_overflow",
        "rate_limited",
        writes=True,
        body=True,
    ),
)
async def transfer(
    item_id: TextId, body: TransferRequest, uow: CurrentUnitOfWork, actor: CurrentActor, limits: CurrentLimits
) -> Response:
    """To a user all of it moves the item itself, less splits it; into an item the quantity is added there.

    Transfers to users who are not there are limited.
    """
    arguments = body.given() | {"to": body.recipient()}
    return JsonAnswer(
        transfer_json(await transfer_within_limits(uow, actor, limits=limits, item_id=ItemId(item_id), **arguments))
    )
