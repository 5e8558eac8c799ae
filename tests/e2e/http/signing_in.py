"""Signing in over HTTP, as tests do it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
from dependency_injector import providers
from steward.domain.users import Role, User
from steward.testing import FastHasher, given_user

from tests.support.http import Api, Contract

PASSWORD = "swordfish 8"
FORM = "application/x-www-form-urlencoded"


@contextmanager
def hashing_with(api: Api, hasher: FastHasher) -> Iterator[FastHasher]:
    """Let the application of `api` hash with this one, and tests see how often it does."""
    with api.container.hasher.override(providers.Object(hasher)):
        api.container.accounts.reset()
        yield hasher
    api.container.accounts.reset()


async def given_account(api: Api, username: str, *, role: Role = Role.MEMBER, is_active: bool = True) -> User:
    """Their password is `PASSWORD`, their e-mail address at `example.org`."""
    password_hash = await api.container.hasher().hash(PASSWORD)
    return await given_user(
        api.database, username=username, role=role, is_active=is_active, password_hash=password_hash
    )


@asynccontextmanager
async def calling_from(api: Api, address: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of `api` with an address of its own."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=api.app, raise_app_exceptions=False, client=(address, 1)),
        base_url="http://steward.test",
        event_hooks={"response": [Contract(api.document).acheck]},
    ) as client:
        yield client


async def sign_in(
    client: httpx2.AsyncClient, username: str, password: str = PASSWORD, **headers: str
) -> httpx2.Response:
    form = {"grant_type": "password", "username": username, "password": password}
    return await client.post("/auth/token", data=form, headers={**headers})


async def refresh(client: httpx2.AsyncClient, refresh_token: str) -> httpx2.Response:
    return await client.post("/auth/token", data={"grant_type": "refresh_token", "refresh_token": refresh_token})


async def me(client: httpx2.AsyncClient, access_token: str) -> httpx2.Response:
    return await client.get("/users/me", headers=bearer(access_token))


def bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}


def tokens_of(response: httpx2.Response) -> tuple[str, str]:
    """Access and refresh token."""
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body["access_token"], body["refresh_token"]


def oauth_error_of(response: httpx2.Response) -> tuple[int, str, str]:
    """Status, Steward's code, and OAuth's."""
    problem = response.json()
    return response.status_code, problem["code"], problem["error"]


WRONG = (400, "invalid_credentials", "invalid_grant")
INVALID = (422, "invalid_request", "invalid_request")
MALFORMED = (400, "malformed_form", "invalid_request")
LIMITED = (429, "rate_limited", "temporarily_unavailable")
