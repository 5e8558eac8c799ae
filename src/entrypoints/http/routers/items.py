"""`/items`"""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from ....domain.errors import ItemNotFound
from ....domain.items import ItemId
from ....service_layer import items
from ....service_layer.limited_transfers import transfer_within_limits
from ....service_layer.retry import run
from ..answers import JsonAnswer, item_answer, owned_item_json, transfer_json
from ..authentication import CurrentActor
from ..dependencies import CurrentLimits, CurrentUnitOfWork
from ..documentation import answers, problems
from ..fields import TextId
from ..schemas import ItemCreate, ItemOut, ItemPatch, TransferOut, TransferRequest
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
