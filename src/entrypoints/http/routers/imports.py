"""`/items/import`"""

from collections.abc import Callable, Coroutine
from typing import IO, Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from ....config import Settings
from ....service_layer.deadline import within
from ....service_layer.imports import import_items
from ...item_files.formats import BY_MEDIA_TYPE
from ...item_files.reading import ItemFile
from ..answers import JsonAnswer
from ..dependencies import container_of
from ..openapi.documentation import answers, problems, takes
from ..request_context import context_of
from ..requests.authentication import CurrentActor, SignIn, access_token_of, identify
from ..requests.content_digest import digest_required
from ..requests.idempotency import CurrentExecution
from ..requests.json_body import check_media_type
from ..requests.spooling import spooled
from ..requests.strict_request import StrictRequest
from ..routing.exclusive_path import ExclusivePathRoute
from ..schemas import ImportOut


class ImportRoute(ExclusivePathRoute):
    """Keeps the body in a file: of somebody who may send one, and in whose name it then acts if that still holds when
    all of it has come."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = APIRoute.get_route_handler(self)

        async def handle_spooled(given: Request) -> Response:
            settings: Settings = container_of(given).settings()
            request = StrictRequest(given, settings.max_import_size, settings.import_body_timeout)
            context = context_of(request.scope)
            access_token_of(request, SignIn.REQUIRED)
            check_media_type(request, tuple(BY_MEDIA_TYPE))
            if "idempotency-key" in request.headers and "content-digest" not in request.headers:
                raise digest_required()
            async with within(settings.request_timeout):
                actor = await identify(request, container_of(request).unit_of_work(), SignIn.REQUIRED)
            with request.app.state.import_places.taken_by(actor.user_id):
                async with spooled(
                    request,
                    limit=settings.max_import_size,
                    timeout=settings.import_body_timeout,
                    idle_timeout=settings.import_idle_timeout,
                ) as spool:
                    context.file, context.content = spool.file, spool.sha256 or b""
                    context.actor = None  # to be looked up again: it may have lost its rights meanwhile
                    return await self.answer(handle, request)

        return handle_spooled


router = APIRouter(prefix="/items", tags=["items"], route_class=ImportRoute)


async def get_file(request: Request) -> IO[bytes]:
    file = context_of(request.scope).file
    assert file is not None
    return file


@router.post(
    "/import",
    operation_id="import_items",
    summary="Import items",
    responses=answers(ImportOut, "How many there are more now", headers=("Idempotent-Replayed",))
    | problems("body_too_large", "unsupported_media_type", "request_timeout", writes=True, repeatable=True),
    openapi_extra=takes(idempotency_key=True, content_digest=True)
    | {
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": {"type": "string"}} for media_type in BY_MEDIA_TYPE},
        }
    },
)
async def import_(
    request: Request, body: Annotated[IO[bytes], Depends(get_file)], execute: CurrentExecution, actor: CurrentActor
) -> Response:
    """Each line is a new item of the caller's: `name`, and perhaps `description`, `quantity` and `attributes`. What
    else an exported item has is accepted and ignored. All or nothing: of what is wrong the first 100 faults are told,
    each with its `line`.

    NDJSON: one JSON object a line. CSV (RFC 4180): a header line, then the columns in any order; an empty cell is null,
    an apostrophe alone the empty text, and one that stands before one of `= + - @ ' TAB CR` is taken off. Blank lines
    are skipped. With `Content-Digest` (RFC 9530) a body that was damaged on its way is refused. An Idempotency-Key goes
    with it: the digest is what makes two imports the same.
    """
    container = container_of(request)
    settings = container.settings()
    assert actor.user_id is not None
    format = BY_MEDIA_TYPE[request.headers["content-type"].partition(";")[0].strip().lower()]
    file = ItemFile(body, format, actor.user_id, longest_line=settings.max_body_size)
    async with within(settings.import_timeout):  # what takes so long to read alone cannot be added in time
        await file.check()
    async with within(settings.import_timeout, statement=settings.statement_timeout):
        return await execute(import_items, answer=_answer, pieces=file.pieces)


def _answer(created: int) -> Response:
    return JsonAnswer({"created": created})
