"""Who is asking: the bearer token of a request (RFC 6750) becomes an actor.

What the database says of it holds for this request alone. A request that reads does so in the same checkout, right
after; one that writes begins its transaction afterwards.
"""

import inspect
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Annotated, Any, TypeVar, get_args

from fastapi import Depends
from fastapi.params import Depends as Dependency
from starlette.requests import Request

from ....domain.actors import Actor
from ....domain.errors import NotAuthenticated
from ....domain.login_sessions import TokenHash
from ....service_layer.login_sessions import actor_behind, check_access_token
from ..dependencies import container_of
from .headers import header_lines

Result = TypeVar("Result")

SCHEME = "OAuth2"  # its name in the OpenAPI document


class SignIn(Enum):
    """Whether a route wants its caller to have signed in."""

    REQUIRED = auto()
    OPTIONAL = auto()


async def get_actor(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


async def get_actor_or_anonymous(request: Request) -> Actor:
    return await get_actor(request)


# A route says by the one of these that it takes what it wants; `StrictRoute` sees to it before anything else.
CurrentActor = Annotated[Actor, Depends(get_actor)]
CurrentActorOrAnonymous = Annotated[Actor, Depends(get_actor_or_anonymous)]

_WANTED: dict[Any, SignIn] = {get_actor: SignIn.REQUIRED, get_actor_or_anonymous: SignIn.OPTIONAL}


def sign_in_wanted(endpoint: Callable[..., Any]) -> SignIn | None:
    """None for a route that does not ask who is calling, neither itself nor through what it depends on."""
    for parameter in inspect.signature(endpoint, eval_str=True).parameters.values():
        for mark in get_args(parameter.annotation)[1:]:
            if isinstance(mark, Dependency) and mark.dependency is not None:
                wanted = _WANTED.get(mark.dependency) or sign_in_wanted(mark.dependency)
                if wanted is not None:
                    return wanted
    return None


def access_token_of(request: Request, wanted: SignIn) -> TokenHash | None:
    """Its hash, or None if nothing is sent, and nothing has to be. What is sent and cannot be an access token is
    refused, never taken for nothing. Raises `NotAuthenticated`; the database is not asked.
    """
    given = header_lines(request.scope, b"authorization")
    if not given:
        if wanted is SignIn.REQUIRED:
            raise NotAuthenticated
        return None
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer":
        raise NotAuthenticated("Send one access token: `Authorization: Bearer …`")
    return check_access_token(token.strip(" "))


async def identified(request: Request, token: TokenHash | None, then: Callable[[Request], Awaitable[Result]]) -> Result:
    """What `then` returns, while `request.state` holds the actor, nobody without a token, and the unit of work.

    For a GET it is inside a reading block that its use case joins, so that both are two statements on one connection;
    other requests begin a transaction afterwards. Raises `NotAuthenticated`.
    """
    container = container_of(request)
    state = request.state
    state.unit_of_work = uow = container.unit_of_work()
    if token is None:
        state.actor = Actor.anonymous()
    else:
        async with uow.reading():
            state.actor = await actor_behind(uow, token)
            if request.scope["method"] == "GET":
                return await then(request)
    return await then(request)
