"""`/users`"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ....domain.actors import Actor
from ....domain.errors import InvalidValue, UserNotFound
from ....domain.users import UserId
from ....service_layer import users
from ....service_layer.limited_recipients import limited_recipients
from ....service_layer.retry import run
from ..answers import created_user, user_answer
from ..dependencies import CurrentAccounts, CurrentLimits, CurrentUnitOfWork, ReadingUnitOfWork
from ..openapi.documentation import answers, not_modified, problems, takes
from ..requests.authentication import CurrentActor, CurrentActorOrAnonymous
from ..requests.client_info import client_of
from ..requests.conditions import expected_version, unless_unchanged
from ..requests.fields import TextId, UserIdOrMe
from ..requests.idempotency import CurrentExecution, CurrentExecutionOrAnonymous
from ..routing.strict_route import StrictRoute
from ..schemas import PasswordChange, UserCreate, UserOut, UserPatch

router = APIRouter(prefix="/users", tags=["users"], route_class=StrictRoute)


@router.post(
    "",
    status_code=201,
    operation_id="register_user",
    summary="Sign up",
    responses=answers(UserOut, "The new user", status=201, headers=("Location", "ETag", "Idempotent-Replayed"))
    | problems(
        "username_taken",
        "email_taken",
        "registration_closed",
        "rate_limited",
        writes=True,
        body=True,
        repeatable=True,
    ),
    openapi_extra=takes(idempotency_key=True),
)
async def register(
    body: UserCreate,
    request: Request,
    uow: CurrentUnitOfWork,
    execute: CurrentExecutionOrAnonymous,
    actor: CurrentActorOrAnonymous,
    accounts: CurrentAccounts,
) -> Response:
    """Usernames and e-mail addresses are unique, whatever their case. If both are taken, the name is reported.

    Where registration is closed, admins alone add users.
    """
    if (replay := await execute.replay()) is not None:
        return replay
    new = await accounts.prepare_sign_up(uow, actor, **body.given(), client=client_of(request))
    return await execute(users.register_user, answer=created_user, owner_of=lambda user: user.id, **new)


@router.get(
    "/{user_id}",
    operation_id="get_user",
    summary="Show a user",
    responses=answers(UserOut, "The user", headers=("ETag",))
    | not_modified()
    | problems("user_not_found", "version_mismatch"),
    openapi_extra=takes(if_match=True, if_none_match=True),
)
async def get(user_id: UserIdOrMe, request: Request, uow: ReadingUnitOfWork, actor: CurrentActor) -> Response:
    user = await run(uow, users.get_user, actor, user_id=named_user(user_id, actor))
    return unless_unchanged(request, user_answer(user))


@router.patch(
    "/{user_id}",
    operation_id="update_user",
    summary="Change a user",
    responses=answers(UserOut, "The user afterwards", headers=("ETag", "Idempotent-Replayed"))
    | problems(
        "user_not_found",
        "forbidden",
        "username_taken",
        "email_taken",
        "last_admin",
        writes=True,
        body=True,
        conditional=True,
        repeatable=True,
    ),
    openapi_extra=takes(if_match=True, if_none_match=True, idempotency_key=True),
)
async def update(
    user_id: UserIdOrMe, body: UserPatch, request: Request, execute: CurrentExecution, actor: CurrentActor
) -> Response:
    """A merge patch (RFC 7396): absent members stay as they are. One that changes nothing keeps the version."""
    target = named_user(user_id, actor)
    version = expected_version(request, target)
    return await execute(users.update_user, answer=user_answer, user_id=target, **body.given(), version=version)


@router.put(
    "/me/password",
    status_code=204,
    operation_id="change_password",
    summary="Change your password",
    response_description="Every other session of yours has ended",
    responses=problems("user_not_found", "rate_limited", writes=True, body=True),
)
async def change_password(
    body: PasswordChange, uow: CurrentUnitOfWork, actor: CurrentActor, accounts: CurrentAccounts
) -> Response:
    await accounts.change_password(uow, actor, **body.given())
    return Response(status_code=204)


@router.delete(
    "/{user_id}",
    status_code=204,
    operation_id="delete_user",
    summary="Delete a user",
    response_description="The user is gone",
    responses=problems(
        "user_not_found",
        "user_owns_items",
        "unknown_recipient",
        "last_admin",
        "rate_limited",
        writes=True,
        conditional=True,
    ),
    openapi_extra=takes(if_match=True, if_none_match=True),
)
async def delete(
    user_id: UserIdOrMe,
    request: Request,
    uow: CurrentUnitOfWork,
    actor: CurrentActor,
    limits: CurrentLimits,
    items: Annotated[Literal["delete", "transfer"] | None, Query(description="What becomes of the items")] = None,
    to: Annotated[TextId | None, Query(description="With `items=transfer`: the user who gets them")] = None,
) -> Response:
    """A user who owns items is deleted only if the caller says what becomes of them."""
    target = named_user(user_id, actor)
    version, recipients = expected_version(request, target), [] if to is None else [UserId(to)]
    fate = _fate(items, to)
    async with limited_recipients(uow, actor, recipients, limits=limits):
        if not await run(uow, users.delete_user, actor, user_id=target, version=version, **fate):
            raise UserNotFound(target)
    return Response(status_code=204)


def _fate(items: str | None, to: int | None) -> dict[str, Any]:
    if items == "transfer" and to is None:
        raise InvalidValue("to", "missing", "Say who gets the items")
    if items != "transfer" and to is not None:
        raise InvalidValue("to", "contradiction", "`to` goes with `items=transfer`")
    return {"delete_items": items == "delete", "transfer_items_to": to}


def named_user(user_id: int | None, actor: Actor) -> UserId:
    """`me` is the actor. Raises `UserNotFound` for the system, which is no user."""
    if user_id is not None:
        return UserId(user_id)
    if actor.user_id is None:
        raise UserNotFound("me")
    return actor.user_id
