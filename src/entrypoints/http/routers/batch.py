"""`/items/batch`"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from ....domain.batch_operations import OperationResult
from ....domain.errors import OperationFailed
from ....service_layer.batch import recipients_of, run_batch
from ....service_layer.limited_recipients import limited_recipients
from ..answers import JsonAnswer
from ..batch_schemas import BatchOut, BatchRequest
from ..dependencies import CurrentLimits, CurrentUnitOfWork, container_of
from ..openapi.documentation import answers, problems, takes
from ..requests.authentication import CurrentActor
from ..requests.idempotency import CurrentExecution
from ..routing.exclusive_path import ExclusivePathRoute


class BatchRoute(ExclusivePathRoute):
    body_limit = "max_batch_body_size"
    time_limit = "batch_timeout"


router = APIRouter(prefix="/items", tags=["items"], route_class=BatchRoute)


@router.post(
    "/batch",
    operation_id="run_batch",
    summary="Create, change, delete and transfer many items, all or nothing",
    responses=answers(BatchOut, "What came of each operation", headers=("Idempotent-Replayed",))
    | problems(
        "forbidden",
        "item_not_found",
        "insufficient_quantity",
        "quantity_overflow",
        "version_mismatch",
        "precondition_required",
        "unknown_recipient",
        "same_item",
        "rate_limited",
        writes=True,
        body=True,
        repeatable=True,
    ),
    openapi_extra=takes(idempotency_key=True),
)
async def batch(
    body: BatchRequest,
    request: Request,
    uow: CurrentUnitOfWork,
    execute: CurrentExecution,
    actor: CurrentActor,
    limits: CurrentLimits,
) -> Response:
    """In one transaction, with the effects of the order given, at most 1,000.

    The first operation that fails ends the batch with its status and code, and `errors` points at it. What is wrong
    with the shape of operations is told of all together. Transfers to users who are not there are limited.
    """
    operations = body.as_operations()
    if (replay := await execute.replay()) is not None:
        return replay
    settings = container_of(request).settings()

    def answer(results: list[OperationResult]) -> Response:
        return JsonAnswer({"results": [_shown(each.op, of) for each, of in zip(body.operations, results, strict=True)]})

    try:
        async with limited_recipients(uow, actor, recipients_of(operations), limits=limits):
            return await execute(
                run_batch, answer=answer, operations=operations, must_name_versions=settings.require_if_match
            )
    except OperationFailed as failed:
        raise body.problem(failed) from failed


def _shown(op: str, result: OperationResult) -> dict[str, object]:
    shown: dict[str, object] = {"op": op, "id": result.item_id, "version": result.version}
    if result.received_id is not None:
        shown["received_id"] = result.received_id
    return shown
