"""Who is asking: the bearer token of a request (RFC 6750) becomes an actor.

An endpoint takes `CurrentActor` or `CurrentActorOrAnonymous`, on any route. A `StrictRoute` checks the token's syntax
before it reads the body, and looks the token up before it parses the body.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Annotated, Any, get_args

from fastapi import Depends
from fastapi.params import Depends as Dependency
from starlette.requests import Request

from ....domain.actors import Actor
from ....domain.errors import NotAuthenticated
from ....domain.login_sessions import TokenHash
from ....service_layer.login_sessions import actor_behind, check_access_token
from ....service_layer.unit_of_work import UnitOfWork
from ..dependencies import CurrentUnitOfWork
from ..request_context import context_of
from .headers import header_lines

SCHEME = "OAuth2"  # its name in the OpenAPI document


class SignIn(Enum):
    """Whether a route wants its caller to have signed in."""

    REQUIRED = auto()
    OPTIONAL = auto()


async def get_actor(request: Request, uow: CurrentUnitOfWork) -> Actor:
    """Return the actor whose access token the request has. Raises `NotAuthenticated` without one."""
    return await identify(request, uow, SignIn.REQUIRED)


async def get_actor_or_anonymous(request: Request, uow: CurrentUnitOfWork) -> Actor:
    """Return the actor whose access token the request has, or the anonymous one if it has no token."""
    return await identify(request, uow, SignIn.OPTIONAL)


CurrentActor = Annotated[Actor, Depends(get_actor)]
CurrentActorOrAnonymous = Annotated[Actor, Depends(get_actor_or_anonymous)]

_WANTED: dict[Any, SignIn] = {get_actor: SignIn.REQUIRED, get_actor_or_anonymous: SignIn.OPTIONAL}


def security_of(wanted: SignIn) -> list[dict[str, list[str]]]:
    """Return what the OpenAPI document says of an operation that wants this."""
    either: list[dict[str, list[str]]] = [{}] if wanted is SignIn.OPTIONAL else []
    return [*either, {SCHEME: []}]


Overrides = Mapping[Callable[..., Any], Callable[..., Any]]


def sign_in_wanted(
    endpoint: Callable[..., Any], dependencies: Iterable[Dependency] = (), overrides: Overrides | None = None
) -> SignIn | None:
    """Find out whether a route wants its caller to have signed in.

    Args:
        endpoint: the function of the route, whose dependencies are followed.
        dependencies: further ones of the route.
        overrides: what is called instead of a dependency (`app.dependency_overrides`).

    Returns:
        None for a route that does not ask who is calling, neither itself nor through what it depends on.
    """
    parameters = inspect.signature(endpoint, eval_str=True).parameters.values()
    marks = [mark for parameter in parameters for mark in (*get_args(parameter.annotation)[1:], parameter.default)]
    for mark in (*marks, *dependencies):
        if isinstance(mark, Dependency) and mark.dependency is not None:
            called = (overrides or {}).get(mark.dependency, mark.dependency)
            wanted = _WANTED.get(called) or sign_in_wanted(called, overrides=overrides)
            if wanted is not None:
                return wanted
    return None


async def identify(request: Request, uow: UnitOfWork, wanted: SignIn) -> Actor:
    """Look the access token up, once for each request, and note the actor in the context of the request.

    The lookup joins a block in which `uow` is reading, or reads in a block of its own, which has ended on return.

    Raises:
        NotAuthenticated: the token is missing, although one is wanted, or it is good for nothing.
    """
    context = context_of(request.scope)
    if context.actor is None or (wanted is SignIn.REQUIRED and context.actor.user_id is None):
        token = access_token_of(request, wanted)
        if token is None:
            context.actor = Actor.anonymous()
        else:
            async with uow.reading():
                context.actor = await actor_behind(uow, token)
    return context.actor


def access_token_of(request: Request, wanted: SignIn) -> TokenHash | None:
    """Check the syntax of the access token; the database is not asked.

    Returns:
        Its hash, or None if nothing is sent, and nothing has to be.

    Raises:
        NotAuthenticated: a token is wanted and not sent, or what is sent cannot be an access token.
    """
    context = context_of(request.scope)
    if context.token is None:
        given = header_lines(request.scope, b"authorization")
        if not given:
            if wanted is SignIn.REQUIRED:
                raise NotAuthenticated
            return None
        scheme, _, token = given[0].partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer":
            raise NotAuthenticated("Send one access token: `Authorization: Bearer …`")
        context.token = check_access_token(token.strip(" "))
    return context.token
