"""`/items/export`"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from ....domain.actors import Actor
from ....domain.errors import TokenExpired
from ....service_layer.exports import export_items
from ....service_layer.login_sessions import actor_behind
from ....service_layer.unit_of_work import UnitOfWork
from ...item_files.formats import Format
from ..dependencies import CurrentUnitOfWork, container_of
from ..openapi.documentation import Responses, header_references, problems
from ..requests.authentication import CurrentActor, SignIn, access_token_of
from ..routing.exclusive_path import ExclusivePathRoute
from ..streaming import StreamedAnswer

_CONTENT_TYPES = {Format.NDJSON: "application/x-ndjson", Format.CSV: "text/csv; charset=utf-8; header=present"}


router = APIRouter(prefix="/items", tags=["items"], route_class=ExclusivePathRoute)

_LINES: dict[str, Any] = {"schema": {"type": "string"}}
_ANSWER: Responses = {
    200: {
        "description": "Every item, as `GET` shows it. One that breaks off without its last chunk is not whole",
        "content": {format.media_type: _LINES for format in Format},
        "headers": header_references("Content-Disposition"),
    }
}


@router.get(
    "/export",
    operation_id="export_items",
    summary="Export one's items",
    response_class=StreamingResponse,
    responses=_ANSWER | problems("bad_request"),
)
async def export(
    request: Request,
    uow: CurrentUnitOfWork,
    actor: CurrentActor,
    format: Annotated[
        Literal["ndjson", "csv"], Query(description="One JSON object a line, or CSV (RFC 4180)")
    ] = "ndjson",
) -> Response:
    """The caller's own, in the order of their ids, read a part at a time while the client takes them: an item that is
    there throughout comes exactly once, as it was when its part was read. `POST /items/import` takes what comes.

    In CSV a cell that begins with one of `= + - @ ' TAB CR` has an apostrophe before it, or a spreadsheet would take it
    for a formula; an empty cell is null, an apostrophe alone the empty text.
    """
    chosen = Format(format)
    # Not a `ReadingUnitOfWork`: its block would end before the first part is read.
    headers = {
        "Content-Type": _CONTENT_TYPES[chosen],
        "Content-Disposition": f'attachment; filename="items.{chosen}"',
    }
    timeout = container_of(request).settings().export_timeout
    return StreamedAnswer(_pieces(request, uow, actor, chosen), headers, timeout=timeout)


async def _pieces(request: Request, uow: UnitOfWork, actor: Actor, format: Format) -> AsyncGenerator[bytes, None]:
    token = access_token_of(request, SignIn.REQUIRED)
    assert token is not None
    head = format.head
    async with aclosing(export_items(uow, actor)) as chunks:
        async for chunk in chunks:
            # Who has been locked out in the meantime learns no more; who was let in may go on to the end.
            with suppress(TokenExpired):
                async with uow.reading():
                    await actor_behind(uow, token)
            for piece in format.write(chunk):
                yield head + piece
                head = b""
    if head:
        yield head
