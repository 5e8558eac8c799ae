"""A request for each operation that would succeed, so that a test can make just one thing wrong with it."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx2

from tests.support.http import PASSWORD, Api

Headers = dict[str, str]
NOBODY: Headers = {}
NDJSON: Headers = {"Content-Type": "application/x-ndjson"}
LINES = b'{"name": "Lid"}\n'
# On an import an Idempotency-Key counts together with it.
DIGEST: Headers = {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(LINES).digest()).decode()}:"}

WITH_BODY = [
    "register_user",
    "update_user",
    "change_password",
    "create_item",
    "update_item",
    "transfer_item",
    "run_batch",
]
WITH_FORM = ["issue_token"]
WRITING = [*WITH_BODY, *WITH_FORM, "log_out", "end_session", "delete_user", "delete_item", "import_items"]
READING = [
    "list_sessions",
    "list_users",
    "get_user",
    "list_items_of_user",
    "list_items",
    "get_item",
    "export_items",
    "get_readiness",
]
WITHOUT_DATABASE = ["get_liveness", "get_metrics", "explain_problem"]
EVERY = [*WRITING, *READING, *WITHOUT_DATABASE]
# Those that look at If-Match, those that look at it before they change something, and those that take a key.
CHANGING = ["update_user", "delete_user", "update_item", "delete_item", "transfer_item"]
CONDITIONAL = [*CHANGING, "get_user", "get_item"]
REPEATABLE = [
    *("register_user", "create_item", "update_user", "update_item", "transfer_item", "run_batch", "import_items"),
]
# Who asks for these may be told that they are not who they say.
BY_SOMEBODY = [each for each in EVERY if each not in {"issue_token", "get_readiness", *WITHOUT_DATABASE}]


class Call(NamedTuple):
    """A request with a JSON body, a form or neither; `by` is what the caller is recognised by: an admin if None."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    by: Headers | None = None
    headers: Headers = NOBODY
    lines: bytes | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Two users, members both. Ada has an item, and has signed in: `as_ada` is what she sends."""

    api: Api
    ada: dict[str, Any]
    bob: dict[str, Any]
    box: dict[str, Any]
    as_ada: Headers = field(repr=False)
    session: dict[str, Any]

    def calls(self) -> dict[str, Call]:
        """By operation id. What is about the caller's own account is Ada's, so that the admin's stays as it is."""
        user, item, as_ada = f"/users/{self.ada['id']}", f"/items/{self.box['id']}", self.as_ada
        new_user = {
            "username": f"new-{self.ada['id']}",
            "email": f"new-{self.ada['id']}@example.org",
            "password": PASSWORD,
        }
        credentials = {"grant_type": "password", "username": self.ada["username"], "password": PASSWORD}
        new_password = {"current_password": PASSWORD, "new_password": "swordfish 9"}
        return {
            "issue_token": Call("POST", "/auth/token", form=credentials),
            "log_out": Call("POST", "/auth/logout", by=as_ada),
            "list_sessions": Call("GET", "/auth/sessions", by=as_ada),
            "end_session": Call("DELETE", f"/auth/sessions/{self.session['id']}", by=as_ada),
            "register_user": Call("POST", "/users", new_user),
            "list_users": Call("GET", "/users"),
            "get_user": Call("GET", user),
            "update_user": Call("PATCH", user, {"email": f"other-{self.ada['id']}@example.org"}),
            "change_password": Call("PUT", "/users/me/password", new_password, by=as_ada),
            "delete_user": Call("DELETE", f"{user}?items=delete"),
            "list_items_of_user": Call("GET", f"{user}/items"),
            "create_item": Call("POST", "/items", {"owner_id": self.ada["id"], "name": "Lid"}),
            "list_items": Call("GET", "/items"),
            "get_item": Call("GET", item),
            "update_item": Call("PATCH", item, {"name": "Case"}),
            "delete_item": Call("DELETE", item),
            "transfer_item": Call("POST", f"{item}/transfer", {"to": self.bob["username"]}),
            "run_batch": Call("POST", "/items/batch", {"operations": [{"op": "delete", "id": self.box["id"]}]}),
            "export_items": Call("GET", "/items/export", by=as_ada),
            "import_items": Call("POST", "/items/import", lines=LINES, by={**as_ada, **DIGEST}),
            "get_liveness": Call("GET", "/livez"),
            "get_readiness": Call("GET", "/readyz"),
            "get_metrics": Call("GET", "/metrics"),
            "explain_problem": Call("GET", "/problems/conflict"),
        }

    async def send(self, operation: str) -> httpx2.Response:
        return await self.send_call(self.calls()[operation])

    async def send_call(self, call: Call) -> httpx2.Response:
        client = self.api.client if call.by is None else self.api.anonymous
        headers = {**(call.by or {}), **(NDJSON if call.lines is not None else {}), **call.headers}
        return await client.request(
            call.method, call.path, json=call.body, data=call.form, content=call.lines, headers=headers
        )


async def scene_on(api: Api) -> Scene:
    ada = await api.user()
    as_ada = await api.bearer(ada["id"])
    (session,) = (await api.client.get("/auth/sessions", headers=as_ada)).json()["data"]
    return Scene(api, ada, await api.user(), await api.item(ada["id"], quantity=3), as_ada, session)
