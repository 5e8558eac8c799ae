"""Who may do what: one table, which the tests hold and docs/security.md shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SIGNED_IN = ("owner", "other", "admin")
# Each was an admin's, who might do all this, if the token were still good for anything.
BAD_TOKENS = {
    "deactivated": "401 token_revoked",
    "deleted": "401 token_revoked",
    "expired": "401 token_expired",
    "logged out": "401 token_revoked",
    "forged": "401 token_revoked",
}

CLOSED = "while registration is closed"
PASSWORD = "marmalade skies 7"
_SIGN_UP = {"username": "newcomer", "email": "newcomer@example.org", "password": PASSWORD}
_NEW_PASSWORD = {"current_password": PASSWORD, "new_password": "tangerine trees 8"}


@dataclass(frozen=True, slots=True)
class Row:
    """One request, and what each caller is answered: a status, and a problem code where it is a refusal.

    In `call` and `sent`, `{owner}` is the owner's id, `{item}` and `{session}` are the owner's, and `{other}` and
    `{others_item}` the other user's. Text that is `sent` is lines of JSON. `operation` is the operation id, or the path
    of what the OpenAPI document leaves out. A token that is good for nothing is refused (`BAD_TOKENS`), unless the
    operation asks for none.
    """

    operation: str
    call: str
    anonymous: str
    owner: str
    other: str
    admin: str
    sent: Mapping[str, Any] | str | None = None
    note: str = ""
    asks_for_token: bool = True

    def expected(self, caller: str) -> str:
        if caller not in BAD_TOKENS:
            answer: str = getattr(self, caller)
            return answer
        return BAD_TOKENS[caller] if self.asks_for_token else self.anonymous

    @property
    def method(self) -> str:
        return self.call.partition(" ")[0]

    @property
    def name(self) -> str:
        return f"{self.call} {self.note}".strip()

    @property
    def by_form(self) -> bool:
        return self.operation == "issue_token"


def _public(operation: str, call: str, *, note: str = "", sent: Mapping[str, Any] | None = None) -> Row:
    return Row(operation, call, "200", "200", "200", "200", sent=sent, note=note, asks_for_token=False)


_401 = "401 not_authenticated"
_NO_USER = "404 user_not_found"
_NO_ITEM = "404 item_not_found"
_NO_SESSION = "404 session_not_found"
_NOT_FOR_YOU = "403 forbidden"
_CLOSED = "403 registration_closed"
_NOBODY = "422 unknown_recipient"

MATRIX = (
    # operation, call: anonymous, owner, other, admin
    _public(
        "issue_token",
        "POST /auth/token",
        note="with a password",
        sent={"grant_type": "password", "username": "owner", "password": PASSWORD},
    ),
    _public(
        "issue_token",
        "POST /auth/token",
        note="with a refresh token",
        sent={"grant_type": "refresh_token", "refresh_token": "{refresh_token}"},
    ),
    Row("log_out", "POST /auth/logout", _401, "204", "204", "204"),
    Row("list_sessions", "GET /auth/sessions", _401, "200", "200", "200"),
    Row("end_session", "DELETE /auth/sessions/{session}", _401, "204", _NO_SESSION, _NO_SESSION),
    Row("register_user", "POST /users", "201", "201", "201", "201", sent=_SIGN_UP),
    Row("register_user", "POST /users", _CLOSED, _CLOSED, _CLOSED, "201", sent=_SIGN_UP, note=CLOSED),
    Row("list_users", "GET /users", _401, _NOT_FOR_YOU, _NOT_FOR_YOU, "200"),
    Row("get_user", "GET /users/me", _401, "200", "200", "200"),
    Row("get_user", "GET /users/{owner}", _401, "200", _NO_USER, "200"),
    Row("update_user", "PATCH /users/me", _401, "200", "200", "200", sent={"email": "new@example.org"}),
    Row("update_user", "PATCH /users/{owner}", _401, "200", _NO_USER, "200", sent={"email": "new@example.org"}),
    Row(
        "update_user",
        "PATCH /users/me",
        _401,
        _NOT_FOR_YOU,
        _NOT_FOR_YOU,
        "200",
        sent={"role": "admin"},
        note="with `role`",
    ),
    Row(
        "update_user",
        "PATCH /users/{owner}",
        _401,
        _NOT_FOR_YOU,
        _NO_USER,
        "200",
        sent={"role": "admin"},
        note="with `role`",
    ),
    Row(
        "update_user",
        "PATCH /users/{owner}",
        _401,
        _NOT_FOR_YOU,
        _NO_USER,
        "200",
        sent={"is_active": False},
        note="with `is_active`",
    ),
    Row("change_password", "PUT /users/me/password", _401, "204", "204", "204", sent=_NEW_PASSWORD),
    Row("delete_user", "DELETE /users/me?items=delete", _401, "204", "204", "204"),
    Row("delete_user", "DELETE /users/{owner}?items=delete", _401, "204", _NO_USER, "204"),
    Row("delete_user", "DELETE /users/{owner}?items=transfer&to={other}", _401, "204", _NO_USER, "204"),
    Row("list_items_of_user", "GET /users/me/items", _401, "200", "200", "200"),
    Row("list_items_of_user", "GET /users/{owner}/items", _401, "200", _NO_USER, "200"),
    Row("list_items_of_user", "GET /users/{owner}/items?expand=owner", _401, "200", _NO_USER, "200"),
    Row("create_item", "POST /items", _401, "201", "201", "201", sent={"name": "Lid"}),
    Row(
        "create_item",
        "POST /items",
        _401,
        "201",
        _NOT_FOR_YOU,
        "201",
        sent={"name": "Lid", "owner_id": "{owner}"},
        note="with `owner_id`",
    ),
    Row("list_items", "GET /items", _401, "200", "200", "200"),
    Row("list_items", "GET /items?owner_id={owner}", _401, "200", _NO_USER, "200"),
    Row("list_items", "GET /items?owner_id={owner}&expand=owner", _401, "200", _NO_USER, "200"),
    Row("get_item", "GET /items/{item}", _401, "200", _NO_ITEM, "200"),
    Row("get_item", "GET /items/{item}?expand=owner", _401, "200", _NO_ITEM, "200"),
    Row("update_item", "PATCH /items/{item}", _401, "200", _NO_ITEM, "200", sent={"name": "Case"}),
    Row("delete_item", "DELETE /items/{item}", _401, "204", _NO_ITEM, "204"),
    Row(
        "transfer_item",
        "POST /items/{item}/transfer",
        _401,
        "200",
        _NO_ITEM,
        "200",
        sent={"to": {"user_id": "{other}"}},
        note="to a user",
    ),
    Row(
        "transfer_item",
        "POST /items/{item}/transfer",
        _401,
        _NOBODY,
        _NO_ITEM,
        "200",
        sent={"to": {"item_id": "{others_item}"}},
        note="into another's item",
    ),
    Row(
        "run_batch",
        "POST /items/batch",
        _401,
        "200",
        "200",
        "200",
        sent={"operations": [{"op": "create", "item": {"name": "Lid"}}]},
        note="that creates",
    ),
    Row(
        "run_batch",
        "POST /items/batch",
        _401,
        "200",
        _NOT_FOR_YOU,
        "200",
        sent={"operations": [{"op": "create", "item": {"name": "Lid", "owner_id": "{owner}"}}]},
        note="that creates with `owner_id`",
    ),
    Row(
        "run_batch",
        "POST /items/batch",
        _401,
        "200",
        _NO_ITEM,
        "200",
        sent={"operations": [{"op": "update", "id": "{item}", "changes": {"name": "Case"}}]},
        note="that changes",
    ),
    Row(
        "run_batch",
        "POST /items/batch",
        _401,
        "200",
        _NO_ITEM,
        "200",
        sent={"operations": [{"op": "delete", "id": "{item}"}]},
        note="that deletes",
    ),
    Row(
        "run_batch",
        "POST /items/batch",
        _401,
        "200",
        _NO_ITEM,
        "200",
        sent={"operations": [{"op": "transfer", "id": "{item}", "to": {"user_id": "{other}"}}]},
        note="that transfers to a user",
    ),
    Row(
        "run_batch",
        "POST /items/batch",
        _401,
        _NOBODY,
        _NO_ITEM,
        "200",
        sent={"operations": [{"op": "transfer", "id": "{item}", "to": {"item_id": "{others_item}"}}]},
        note="that transfers into another's item",
    ),
    Row("export_items", "GET /items/export", _401, "200", "200", "200"),
    Row("import_items", "POST /items/import", _401, "200", "200", "200", sent='{"name": "Lid"}'),
    _public("get_liveness", "GET /livez"),
    _public("get_readiness", "GET /readyz"),
    _public("get_metrics", "GET /metrics"),
    _public("explain_problem", "GET /problems/conflict"),
    _public("/openapi.json", "GET /openapi.json"),
    _public("/docs", "GET /docs"),
    _public("/docs/start.js", "GET /docs/start.js"),
    _public("/docs/assets/{name}", "GET /docs/assets/favicon.png"),
)


def markdown() -> Iterator[str]:
    """The table as docs/security.md has it."""
    yield "| call | anonymous | owner | other user | admin | bad token |"
    yield "|---|---|---|---|---|---|"
    for row in MATRIX:
        bad_token = "401" if row.asks_for_token else row.anonymous
        cells = (_in_words(answer) for answer in (row.anonymous, row.owner, row.other, row.admin, bad_token))
        yield f"| {f'`{row.call}` {row.note}'.strip()} | {' | '.join(cells)} |"


def _in_words(answer: str) -> str:
    status, _, code = answer.partition(" ")
    return f"{status} `{code}`" if code and code != "not_authenticated" else status
