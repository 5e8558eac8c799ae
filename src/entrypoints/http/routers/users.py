"""`/users`"""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ....domain.actors import Actor
from ....domain.errors import InvalidValue, UserNotFound
from ....domain.users import UserId
from ....service_layer import users
from ....service_layer.retry import run
from ..answers import user_answer, user_json
from ..dependencies import CurrentActor, CurrentHasher, CurrentUnitOfWork
from ..documentation import answers, problems
from ..fields import TextId, UserIdOrMe
from ..pages import Cursor, Limit, decode_cursor, page_answer
from ..schemas import ItemPage, UserCreate, UserOut, UserPage, UserPatch
from ..strict_route import StrictRoute
from .items import Expand, item_rows

router = APIRouter(prefix="/users", tags=["users"], route_class=StrictRoute)


@router.post(
    "",
    status_code=201,
    operation_id="register_user",
    responses=answers(UserOut, "The user", status=201, headers=("Location", "ETag"))
    | problems("username_taken", "email_taken", body=True),
)
async def register(body: UserCreate, uow: CurrentUnitOfWork, actor: CurrentActor, hasher: CurrentHasher) -> Response:
    # Before the transaction: hashing takes long on purpose.
    password_hash = await hasher.hash(body.password)
    user = await run(
        uow, users.register_user, actor, username=body.username, email=body.email, password_hash=password_hash
    )
    return user_answer(user, created=True)


@router.get(
    "",
    operation_id="list_users",
    responses=answers(UserPage, "Users, the newest first", headers=("Link",))
    | problems("invalid_cursor", "forbidden", reads=True),
)
async def list_all(
    request: Request, uow: CurrentUnitOfWork, actor: CurrentActor, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    before = decode_cursor(cursor, {"list": "users"})
    found = await run(uow, users.list_users, actor, before=None if before is None else UserId(before), limit=limit + 1)
    return page_answer(request, [user_json(user) for user in found], limit, {"list": "users"})


@router.get(
    "/{user_id}",
    operation_id="get_user",
    responses=answers(UserOut, "The user", headers=("ETag",)) | problems("user_not_found", reads=True),
)
async def get(user_id: UserIdOrMe, uow: CurrentUnitOfWork, actor: CurrentActor) -> Response:
    return user_answer(await run(uow, users.get_user, actor, user_id=_named(user_id, actor)))


@router.patch(
    "/{user_id}",
    operation_id="update_user",
    responses=answers(UserOut, "The user afterwards", headers=("ETag",))
    | problems("user_not_found", "forbidden", "username_taken", "email_taken", body=True),
)
async def update(user_id: UserIdOrMe, body: UserPatch, uow: CurrentUnitOfWork, actor: CurrentActor) -> Response:
    """Absent members stay as they are."""
    user = await run(uow, users.update_user, actor, user_id=_named(user_id, actor), **body.given())
    return user_answer(user)


@router.delete(
    "/{user_id}",
    status_code=204,
    operation_id="delete_user",
    responses=problems("user_not_found", "user_owns_items", "unknown_recipient"),
)
async def delete(
    user_id: UserIdOrMe,
    uow: CurrentUnitOfWork,
    actor: CurrentActor,
    items: Annotated[Literal["delete", "transfer"] | None, Query(description="What becomes of the items")] = None,
    to: Annotated[TextId | None, Query(description="The user who gets the items")] = None,
) -> Response:
    if items == "transfer" and to is None:
        raise InvalidValue("to", "missing", "Say who gets the items")
    if items != "transfer" and to is not None:
        raise InvalidValue("to", "contradiction", "`to` goes with `items=transfer`")
    target = _named(user_id, actor)
    deleted = await run(
        uow,
        users.delete_user,
        actor,
        user_id=target,
        delete_items=items == "delete",
        transfer_items_to=None if to is None else UserId(to),
    )
    if not deleted:
        raise UserNotFound(target)
    return Response(status_code=204)


@router.get(
    "/{user_id}/items",
    operation_id="list_items_of_user",
    responses=answers(ItemPage, "The user's items, the newest first", headers=("Link",))
    | problems("invalid_cursor", "user_not_found", reads=True),
)
async def list_items(
    user_id: UserIdOrMe,
    request: Request,
    uow: CurrentUnitOfWork,
    actor: CurrentActor,
    limit: Limit = 50,
    cursor: Cursor = None,
    expand: Expand = None,
) -> Response:
    owner_id = _named(user_id, actor)
    filters = {"list": "items", "owner_id": owner_id}
    before = decode_cursor(cursor, filters)
    rows = await item_rows(uow, actor, owner_id=owner_id, before=before, limit=limit + 1, expand=expand)
    if not rows:  # of someone without items, or of nobody?
        await run(uow, users.get_user, actor, user_id=owner_id)
    return page_answer(request, rows, limit, filters)


def _named(user_id: int | None, actor: Actor) -> UserId:
    """`me` is the actor. Raises `UserNotFound` for the system, which is no user."""
    if user_id is not None:
        return UserId(user_id)
    if actor.user_id is None:
        raise UserNotFound("me")
    return actor.user_id
