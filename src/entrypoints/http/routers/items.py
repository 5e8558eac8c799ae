"""`/items`"""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ....domain.errors import ItemNotFound
from ....domain.items import ItemId
from ....service_layer import items
from ....service_layer.limited_recipients import limited_recipients
from ....service_layer.retry import run
from ...entity_json import owned_item_json
from ..answers import JsonAnswer, created_item, item_answer, transfer_answer
from ..dependencies import CurrentLimits, CurrentUnitOfWork, ReadingUnitOfWork
from ..openapi.documentation import answers, not_modified, problems, takes
from ..requests.authentication import CurrentActor
from ..requests.conditions import expected_version, unless_unchanged
from ..requests.fields import TextId
from ..requests.idempotency import CurrentExecution
from ..routing.strict_route import StrictRoute
from ..schemas import ItemCreate, ItemOut, ItemPatch, TransferOut, TransferRequest

router = APIRouter(prefix="/items", tags=["items"], route_class=StrictRoute)

Expand = Annotated[Literal["owner"] | None, Query(description="Show the owner too")]


@router.post(
    "",
    status_code=201,
    operation_id="create_item",
    summary="Create an item",
    responses=answers(ItemOut, "The new item", status=201, headers=("Location", "ETag", "Idempotent-Replayed"))
    | problems("forbidden", writes=True, body=True, repeatable=True),
    openapi_extra=takes(idempotency_key=True),
)
async def create(body: ItemCreate, execute: CurrentExecution) -> Response:
    return await execute(items.create_item, answer=created_item, **body.given())


@router.get(
    "/{item_id}",
    operation_id="get_item",
    summary="Show an item",
    responses=answers(ItemOut, "The item; an expanded one has no ETag: it shows two resources", headers=("ETag",))
    | not_modified()
    | problems("item_not_found", "version_mismatch"),
    openapi_extra=takes(if_match=True, if_none_match=True),
)
async def get(
    item_id: TextId, request: Request, uow: ReadingUnitOfWork, actor: CurrentActor, expand: Expand = None
) -> Response:
    if expand == "owner":
        owned = await run(uow, items.get_item_with_owner, actor, item_id=ItemId(item_id))
        return unless_unchanged(request, JsonAnswer(owned_item_json(owned)))
    return unless_unchanged(request, item_answer(await run(uow, items.get_item, actor, item_id=ItemId(item_id))))


@router.patch(
    "/{item_id}",
    operation_id="update_item",
    summary="Change an item",
    responses=answers(ItemOut, "The item afterwards", headers=("ETag", "Idempotent-Replayed"))
    | problems("item_not_found", writes=True, body=True, conditional=True, repeatable=True),
    openapi_extra=takes(if_match=True, if_none_match=True, idempotency_key=True),
)
async def update(item_id: TextId, body: ItemPatch, request: Request, execute: CurrentExecution) -> Response:
    """A merge patch (RFC 7396): absent members stay, null clears what can be empty, `attributes` merge."""
    version = expected_version(request, item_id)
    return await execute(
        items.update_item, answer=item_answer, item_id=ItemId(item_id), **body.given(), version=version
    )


@router.delete(
    "/{item_id}",
    status_code=204,
    operation_id="delete_item",
    summary="Delete an item",
    response_description="The item is gone",
    responses=problems("item_not_found", writes=True, conditional=True),
    openapi_extra=takes(if_match=True, if_none_match=True),
)
async def delete(item_id: TextId, request: Request, uow: CurrentUnitOfWork, actor: CurrentActor) -> Response:
    """A second time it is not found."""
    version = expected_version(request, item_id)
    if not await run(uow, items.delete_item, actor, item_id=ItemId(item_id), version=version):
        raise ItemNotFound(item_id)
    return Response(status_code=204)


@router.post(
    "/{item_id}/transfer",
    operation_id="transfer_item",
    summary="Hand an item over, or a part of it",
    responses=answers(TransferOut, "Both sides afterwards", headers=("Idempotent-Replayed",))
    | problems(
        "item_not_found",
        "unknown_recipient",
        "same_item",
        "insufficient_quantity",
        "quantity_overflow",
        "rate_limited",
        writes=True,
        body=True,
        conditional=True,
        repeatable=True,
    ),
    openapi_extra=takes(if_match=True, if_none_match=True, idempotency_key=True),
)
async def transfer(
    item_id: TextId,
    body: TransferRequest,
    request: Request,
    uow: CurrentUnitOfWork,
    execute: CurrentExecution,
    actor: CurrentActor,
    limits: CurrentLimits,
) -> Response:
    """To a user all of it moves the item itself, less splits it; into an item the quantity is added there.

    Transfers to users who are not there are limited.
    """
    version, to = expected_version(request, item_id), body.recipient()
    if (replay := await execute.replay()) is not None:
        return replay
    async with limited_recipients(uow, actor, [to], limits=limits):
        return await execute(
            items.transfer_item,
            answer=transfer_answer,
            **{**body.given(), "to": to},
            item_id=ItemId(item_id),
            version=version,
        )
