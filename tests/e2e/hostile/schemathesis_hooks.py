"""Loaded by Schemathesis: who signs in, and what is checked beside its own checks."""

import asyncio
import atexit
import json
import os
import secrets
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import schemathesis
from steward.adapters.database.database import Database
from steward.domain.users import Role, User
from steward.testing import given_item, given_session, given_user

from tests.support.http import Contract
from tests.support.openapi import Document

from .schemathesis_names import COUNTS, DATABASE_URL, ROLE

Case = schemathesis.Case[Any]
answers: Counter[int] = Counter()
atexit.register(lambda: Path(os.environ[COUNTS]).write_text(json.dumps(answers)))


class Caller:
    """Whoever the requests come from, until a request succeeds in locking it out: then somebody new of the same role.

    Straight from the database, because among the generated requests are those that delete whoever could sign in.
    """

    def __init__(self) -> None:
        self.role = Role(os.environ[ROLE])
        self.renew()

    def renew(self) -> None:
        self.user, self.token = asyncio.run(self._sign_in())

    async def _sign_in(self) -> tuple[User, str]:
        async with Database(os.environ[DATABASE_URL]) as database:
            user = await given_user(database, username=f"caller-{secrets.token_hex(8)}", role=self.role)
            await given_item(database, owner=user, quantity=5)
            _, tokens = await given_session(database, user=user)
            return user, tokens.access

    def is_locked_out_by(self, response: schemathesis.Response) -> bool:
        request = response.request
        if response.status_code == 401:
            return request.headers.get("Authorization") == f"Bearer {self.token}"
        if request.method == "PATCH" and response.status_code == 200:
            answer = response.json()
            return "role" in answer and answer["id"] == self.user.id and answer["role"] != self.role
        return False


@cache
def caller() -> Caller:
    return Caller()


@schemathesis.auth(refresh_interval=None)
class Bearer:
    def get(self, case: Case, context: schemathesis.AuthContext) -> str:
        return caller().token

    def set(self, case: Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.serializer("application/x-ndjson", "text/csv")
def as_it_stands(context: schemathesis.SerializationContext, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: Case, response: schemathesis.Response) -> None:
    answers[response.status_code] += 1
    if caller().is_locked_out_by(response):
        caller().renew()


@schemathesis.check
def the_contract(context: schemathesis.CheckContext, response: schemathesis.Response, case: Case) -> None:
    """What our own clients check: ids, headers, problems, no internals, and the document read strictly."""
    headers = [(name, value) for name, values in response.headers.items() for value in values]
    request = httpx2.Request(
        response.request.method or "", response.request.url or "", headers=_signed_in(response.request.headers)
    )
    _contract(case).check(
        httpx2.Response(response.status_code, headers=headers, content=response.content, request=request)
    )


def _contract(case: Case) -> Contract:
    return Contract(Document(case.operation.schema.raw_schema))


def _signed_in(headers: Mapping[str, Any]) -> dict[str, str]:
    """Of a request's headers what the contract asks for: others need not be text."""
    return {"Authorization": "something"} if "Authorization" in headers else {}
