"""`/auth`: signing in, and what came of it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ....config import Settings
from ....domain.actors import Actor
from ....domain.errors import LoginSessionNotFound
from ....domain.login_sessions import LoginSessionId
from ....domain.text import check_characters
from ....service_layer import login_sessions
from ....service_layer.retry import run
from ....service_layer.tokens import Tokens
from ...entity_json import session_json
from ..answers import JsonAnswer
from ..dependencies import CurrentAccounts, CurrentUnitOfWork, ReadingUnitOfWork
from ..openapi.documentation import answers, problems
from ..problems.problem_responses import HttpProblem
from ..request_context import context_of
from ..requests.authentication import CurrentActor
from ..requests.client_info import client_of
from ..requests.fields import TextId
from ..requests.form_body import FORM, missing, read_form
from ..requests.strict_request import StrictRequest
from ..routing.strict_route import StrictRoute
from ..schemas import SessionList, TokenOut

_LONGEST_FORM = 64 * 1024  # bytes: to take apart a megabyte of percent signs would keep the server busy


class FormRoute(StrictRoute):
    async def read_body(self, request: StrictRequest, settings: Settings) -> None:
        limit = min(_LONGEST_FORM, settings.max_body_size)
        context_of(request.scope).form = await read_form(request, limit, timeout=settings.body_timeout)


router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictRoute)
form_router = APIRouter(route_class=FormRoute)

_FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "enum": ["password", "refresh_token"]},
        "username": {"type": "string", "description": "The username or the e-mail address"},
        "password": {"type": "string", "format": "password"},
        "refresh_token": {"type": "string"},
    },
}


@form_router.post(
    "/token",
    operation_id="issue_token",
    summary="Sign in, or refresh",
    responses=answers(TokenOut, "A new pair of tokens", headers=("Cache-Control",))
    | problems(
        "invalid_credentials",
        "unsupported_grant_type",
        "malformed_form",
        "request_timeout",
        "body_too_large",
        "unsupported_media_type",
        "rate_limited",
        writes=True,
    ),
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": _FORM_SCHEMA}}}},
)
async def issue_token(request: Request, uow: CurrentUnitOfWork, accounts: CurrentAccounts) -> Response:
    """RFC 6749: the grants `password` (section 4.3) and `refresh_token` (section 6); unknown fields are ignored.

    A refresh token is exchanged once. Its answer may get lost, so it may be sent again for a moment, as long as the one
    that came of it has not been used; any other reuse ends the session.
    """
    form = context_of(request.scope).form
    grant = form.get("grant_type")
    if grant == "password":
        username, password = _fields(form, "username", "password")
        tokens = await accounts.sign_in(
            uow, Actor.anonymous(), username=username, password=password, client=client_of(request)
        )
    elif grant == "refresh_token":
        (refresh_token,) = _fields(form, "refresh_token")
        tokens = await accounts.refresh(uow, Actor.anonymous(), refresh_token=refresh_token)
    elif grant is None:
        raise missing("grant_type")
    else:
        raise HttpProblem("unsupported_grant_type", "The grants are `password` and `refresh_token`")
    return _token_answer(tokens, int(accounts.lifetimes.access.total_seconds()))


router.include_router(form_router)


def _fields(form: Mapping[str, str], *names: str) -> list[str]:
    absent = [name for name in names if name not in form]
    if absent:
        raise missing(*absent)
    return [check_characters(name, form[name]) for name in names]


def _token_answer(tokens: Tokens, expires_in: int) -> Response:
    content = {
        "access_token": tokens.access,
        "token_type": "Bearer",
        "expires_in": expires_in,
        "refresh_token": tokens.refresh,
    }
    return JsonAnswer(content, headers={"Cache-Control": "no-store"})


@router.post(
    "/logout",
    status_code=204,
    operation_id="log_out",
    summary="End this session",
    response_description="Its tokens are worth nothing any more",
    responses=problems(writes=True),
)
async def log_out(uow: CurrentUnitOfWork, actor: CurrentActor) -> Response:
    assert actor.session_id is not None
    with suppress(LoginSessionNotFound):  # somebody else has ended it, after this request was let in
        await run(uow, login_sessions.end_login_session, actor, session_id=actor.session_id)
    return Response(status_code=204)


@router.get(
    "/sessions",
    operation_id="list_sessions",
    summary="List your sessions",
    responses=answers(SessionList, "Those that have not expired, the newest first") | problems(),
)
async def list_all(uow: ReadingUnitOfWork, actor: CurrentActor) -> Response:
    found = await run(uow, login_sessions.list_login_sessions, actor)
    return JsonAnswer({"data": [session_json(session, current=session.id == actor.session_id) for session in found]})


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    operation_id="end_session",
    summary="End one of your sessions",
    response_description="Its tokens are worth nothing any more",
    responses=problems("session_not_found", writes=True),
)
async def end(session_id: TextId, uow: CurrentUnitOfWork, actor: CurrentActor) -> Response:
    await run(uow, login_sessions.end_login_session, actor, session_id=LoginSessionId(session_id))
    return Response(status_code=204)
