"""Every problem that the OpenAPI document names for an operation is produced here, or said to be out of reach."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import IdempotencyKeyInUse
from steward.domain.login_sessions import Lifetimes
from steward.domain.users import UserId
from steward.service_layer import users
from steward.service_layer.tokens import Tokens
from steward.testing import given_session

from tests.support.http import Api, problem_of, serving

from .breaking import OF_ANY_STATEMENT, OF_WRITING
from .operations import (
    BY_SOMEBODY,
    CHANGING,
    CONDITIONAL,
    EVERY,
    NOBODY,
    READING,
    REPEATABLE,
    WITH_BODY,
    WITH_FORM,
    WRITING,
    Call,
    Scene,
    scene_on,
)

# What one request does wrong: the operation, the code, and the request out of the scene.
Wrong = Callable[[Scene], Call]


def _batch(*operations: dict[str, Any], by: dict[str, str] | None = None) -> Call:
    return Call("POST", "/items/batch", {"operations": operations}, by=by)


OWN_PROBLEMS: dict[tuple[str, str], Wrong] = {
    ("issue_token", "invalid_credentials"): lambda s: Call(
        "POST", "/auth/token", form={"grant_type": "password", "username": s.ada["username"], "password": "wrong"}),
    ("issue_token", "unsupported_grant_type"): lambda s: Call(
        "POST", "/auth/token", form={"grant_type": "client_credentials"}),
    ("end_session", "session_not_found"): lambda s: Call("DELETE", "/auth/sessions/4711", by=s.as_ada),
    ("register_user", "username_taken"): lambda s: Call(
        "POST", "/users", {"username": s.ada["username"], "email": "x@example.org", "password": "swordfish 8"}),
    ("register_user", "email_taken"): lambda s: Call(
        "POST", "/users", {"username": "somebody.else", "email": s.ada["email"], "password": "swordfish 8"}),
    ("list_users", "invalid_cursor"): lambda s: Call("GET", "/users?cursor=x"),
    ("list_users", "forbidden"): lambda s: Call("GET", "/users", by=s.as_ada),
    ("get_user", "user_not_found"): lambda s: Call("GET", f"/users/{s.bob['id']}", by=s.as_ada),
    ("update_user", "user_not_found"): lambda s: Call("PATCH", f"/users/{s.bob['id']}", {}, by=s.as_ada),
    ("update_user", "forbidden"): lambda s: Call("PATCH", "/users/me", {"role": "admin"}, by=s.as_ada),
    ("update_user", "username_taken"): lambda s: Call(
        "PATCH", f"/users/{s.ada['id']}", {"username": s.bob["username"], "email": s.bob["email"]}),
    ("update_user", "email_taken"): lambda s: Call("PATCH", f"/users/{s.ada['id']}", {"email": s.bob["email"]}),
    ("update_user", "last_admin"): lambda s: Call("PATCH", "/users/me", {"role": "member"}),
    ("delete_user", "user_not_found"): lambda s: Call("DELETE", f"/users/{s.bob['id']}", by=s.as_ada),
    ("delete_user", "user_owns_items"): lambda s: Call("DELETE", f"/users/{s.ada['id']}"),
    ("delete_user", "unknown_recipient"): lambda s: Call("DELETE", f"/users/{s.ada['id']}?items=transfer&to=4711"),
    ("delete_user", "last_admin"): lambda s: Call("DELETE", "/users/me"),
    ("list_items_of_user", "invalid_cursor"): lambda s: Call("GET", f"/users/{s.ada['id']}/items?cursor=x"),
    ("list_items_of_user", "user_not_found"): lambda s: Call("GET", "/users/4711/items"),
    ("create_item", "forbidden"): lambda s: Call(
        "POST", "/items", {"owner_id": s.bob["id"], "name": "Lid"}, by=s.as_ada),
    ("list_items", "invalid_cursor"): lambda s: Call("GET", "/items?cursor=x"),
    ("list_items", "user_not_found"): lambda s: Call("GET", f"/items?owner_id={s.bob['id']}", by=s.as_ada),
    ("get_item", "item_not_found"): lambda s: Call("GET", "/items/4711"),
    ("update_item", "item_not_found"): lambda s: Call("PATCH", "/items/4711", {}),
    ("delete_item", "item_not_found"): lambda s: Call("DELETE", "/items/4711"),
    ("import_items", "unsupported_media_type"): lambda s: Call("POST", "/items/import", {"name": "Lid"}),
    ("import_items", "body_too_large"): lambda s: Call(
        "POST", "/items/import", lines=b"", headers={"Content-Length": str(2**40)}),
    ("transfer_item", "item_not_found"): lambda s: Call("POST", "/items/4711/transfer", {"to": s.bob["username"]}),
    ("transfer_item", "unknown_recipient"): lambda s: Call(
        "POST", f"/items/{s.box['id']}/transfer", {"to": s.ada["username"]}),
    ("transfer_item", "same_item"): lambda s: Call(
        "POST", f"/items/{s.box['id']}/transfer", {"to": {"item_id": s.box["id"]}}),
    ("transfer_item", "insufficient_quantity"): lambda s: Call(
        "POST", f"/items/{s.box['id']}/transfer", {"to": s.bob["username"], "quantity": 4}),
    ("run_batch", "forbidden"): lambda s: _batch(
        {"op": "create", "item": {"name": "Lid", "owner_id": s.bob["id"]}}, by=s.as_ada),
    ("run_batch", "item_not_found"): lambda s: _batch({"op": "delete", "id": 4711}),
    ("run_batch", "version_mismatch"): lambda s: _batch({"op": "delete", "id": s.box["id"], "version": 2}),
    ("run_batch", "unknown_recipient"): lambda s: _batch(
        {"op": "transfer", "id": s.box["id"], "to": s.ada["username"]}),
    ("run_batch", "same_item"): lambda s: _batch(
        {"op": "transfer", "id": s.box["id"], "to": {"item_id": s.box["id"]}}),
    ("run_batch", "insufficient_quantity"): lambda s: _batch(
        {"op": "transfer", "id": s.box["id"], "to": s.bob["username"], "quantity": 4}),
    ("explain_problem", "route_not_found"): lambda s: Call("GET", "/problems/nope"),
}  # fmt: skip

# Of what counts as an attempt one is allowed: the second is refused.
ONE_AN_HOUR: dict[str, Any] = {f"rate_limit_{name}": "1/h" for name in ("sign_in", "sign_up", "password", "recipient")}
ATTEMPTS: dict[str, Wrong] = {
    "issue_token": OWN_PROBLEMS["issue_token", "invalid_credentials"],
    "register_user": lambda s: OWN_PROBLEMS["register_user", "username_taken"](s)._replace(by=NOBODY),
    "change_password": lambda s: Call(
        "PUT", "/users/me/password", {"current_password": "wrong", "new_password": "swordfish 9"}, by=s.as_ada),
    "transfer_item": lambda s: Call("POST", f"/items/{s.box['id']}/transfer", {"to": "nobody"}, by=s.as_ada),
    "run_batch": lambda s: _batch({"op": "transfer", "id": s.box["id"], "to": "nobody"}, by=s.as_ada),
    "delete_user": lambda s: Call("DELETE", f"/users/me?items=transfer&to={2**62}", by=s.as_ada),
}  # fmt: skip

AFTER_COMMIT = ("outcome_unknown", "failed_after_commit")  # test_failing_database.py, test_failing_after_commit.py
KEYS = ("malformed_idempotency_key", "idempotency_key_reused", "idempotency_key_in_use")

NOT_AUTHENTICATED = {"not_authenticated", "token_expired", "token_revoked"}

JSON, FORM = {"Content-Type": "application/json"}, {"Content-Type": "application/x-www-form-urlencoded"}
BAD_BODIES = [
    (b"{", JSON, (400, "malformed_json")),
    (b" " * 100_001, JSON, (413, "body_too_large")),
    (b"{}", {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
]
BAD_FORMS = [
    (b"username=%", FORM, (400, "malformed_form")),
    (b" " * 100_001, FORM, (413, "body_too_large")),
    (b"{}", JSON, (415, "unsupported_media_type")),
]

ELSEWHERE = {
    ("transfer_item", "quantity_overflow"): "a test of its own below",
    ("register_user", "registration_closed"): "likewise",
    ("run_batch", "quantity_overflow"): "test_batch.py",
    ("run_batch", "precondition_required"): "likewise",
    ("change_password", "user_not_found"): "somebody deletes the user between two statements",
    ("get_readiness", "shutting_down"): "a server process that is ending: test_a_server_process.py",
    ("import_items", "request_timeout"): "a client that stands still: test_import_spooling.py",
    ("export_items", "bad_request"): "by HTTP/1.0: test_exports.py",
    ("get_liveness", "internal_error"): "there is nothing in it that could fail",
    ("explain_problem", "internal_error"): "likewise",
    ("get_metrics", "internal_error"): "likewise",
    ("get_metrics", "route_not_found"): "where the settings switch it off: test_metrics.py",
}


async def test_every_documented_problem_is_produced_or_said_to_be_out_of_reach(edge: Api) -> None:
    produced = {
        *OWN_PROBLEMS,
        *((operation, "rate_limited") for operation in ATTEMPTS),
        *((operation, code) for operation in BY_SOMEBODY for code in NOT_AUTHENTICATED),
        *((operation, "invalid_request") for operation in EVERY),
        *((operation, code) for operation in WITH_BODY for _, _, (_, code) in BAD_BODIES),
        *((operation, code) for operation in WITH_FORM for _, _, (_, code) in BAD_FORMS),
        *((operation, "request_timeout") for operation in [*WITH_BODY, *WITH_FORM]),
        *((operation, "version_mismatch") for operation in CONDITIONAL),
        *((operation, "precondition_required") for operation in CHANGING),
        *((operation, code) for operation in REPEATABLE for code in KEYS),
        *((operation, code) for operation in [*WRITING, *READING] for code in OF_ANY_STATEMENT.values()),
        *((operation, code) for operation in WRITING for code in [*OF_WRITING.values(), *AFTER_COMMIT]),
    }
    assert produced | ELSEWHERE.keys() == edge.document.codes()
    assert not produced & ELSEWHERE.keys()


@pytest.mark.parametrize(("operation", "code"), OWN_PROBLEMS)
async def test_an_operation_has_problems_of_its_own(api: Api, operation: str, code: str) -> None:
    scene = await scene_on(api)
    call = OWN_PROBLEMS[operation, code](scene)
    assert problem_of(await scene.send_call(call))[1] == code
    sought = api.document.operation(call.method, call.path.partition("?")[0])
    assert sought is not None
    assert sought["operationId"] == operation


@pytest.mark.parametrize("operation", BY_SOMEBODY)
async def test_who_asks_has_to_be_somebody(api: Api, operation: str) -> None:
    scene = await scene_on(api)
    ada = await users.get_user(api.database.unit_of_work(), Actor.system(), user_id=UserId(scene.ada["id"]))
    _, expired = await given_session(api.database, user=ada, lifetimes=Lifetimes(access=timedelta(0)))
    tokens = {"not_authenticated": "rubbish", "token_expired": expired.access, "token_revoked": Tokens.draw().access}
    assert tokens.keys() == NOT_AUTHENTICATED
    for code, token in tokens.items():
        call = scene.calls()[operation]._replace(by={"Authorization": f"Bearer {token}"})
        assert problem_of(await scene.send_call(call)) == (401, code)


@pytest.mark.parametrize("operation", CONDITIONAL)
async def test_a_version_that_is_not_there_is_a_mismatch(api: Api, operation: str) -> None:
    scene = await scene_on(api)
    call = scene.calls()[operation]._replace(headers={"If-Match": '"another"'})
    assert problem_of(await scene.send_call(call)) == (412, "version_mismatch")


@pytest.mark.parametrize("operation", CHANGING)
async def test_a_version_may_have_to_be_named(sqlite_url: str, operation: str) -> None:
    async with serving(sqlite_url, require_if_match=True) as api:
        assert problem_of(await (await scene_on(api)).send(operation)) == (428, "precondition_required")


@pytest.mark.parametrize("operation", REPEATABLE)
async def test_a_key_is_well_formed_for_one_request_and_not_in_use(
    api: Api, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await scene_on(api)
    call = scene.calls()[operation]
    assert problem_of(await scene.send_call(call._replace(headers={"Idempotency-Key": ""}))) == (400, KEYS[0])
    used = {"Idempotency-Key": f"{operation} of {scene.ada['id']}".replace(" ", "-")}
    assert (await scene.send_call(call._replace(headers=used))).is_success
    other = await scene.send_call(call._replace(headers={**used, "If-Match": "*"}))
    assert problem_of(other) == (422, KEYS[1])

    async def in_use(*_: object, **__: object) -> None:
        raise IdempotencyKeyInUse

    monkeypatch.setattr("steward.service_layer.idempotency.LONGEST_WAIT", 0)
    monkeypatch.setattr("steward.adapters.database.repositories.idempotency_keys.DatabaseIdempotencyKeys.claim", in_use)
    scene = await scene_on(api)
    late = scene.calls()[operation]._replace(headers={"Idempotency-Key": "somebodys"})
    assert problem_of(await scene.send_call(late)) == (409, KEYS[2])


@pytest.mark.parametrize("operation", ATTEMPTS)
async def test_attempts_beyond_a_limit_are_refused(sqlite_url: str, operation: str) -> None:
    async with serving(sqlite_url, rate_limits=True, **ONE_AN_HOUR) as api:
        scene = await scene_on(api)
        answers = [await scene.send_call(ATTEMPTS[operation](scene)) for _ in range(2)]
        assert answers[0].status_code in {400, 409, 422}
        assert problem_of(answers[1]) == (429, "rate_limited")


async def test_where_registration_is_closed_only_an_admin_adds_users(sqlite_url: str) -> None:
    async with serving(sqlite_url, registration="closed") as api:
        body = {"username": "ada", "email": "ada@example.org", "password": "swordfish 8"}
        assert problem_of(await api.anonymous.post("/users", json=body)) == (403, "registration_closed")
        assert (await api.client.post("/users", json=body)).status_code == 201


async def test_an_item_holds_no_more_than_fits(api: Api) -> None:
    ada = await api.user()
    giver, taker = await api.item(ada["id"], quantity=1), await api.item(ada["id"], quantity=2**31 - 1)
    answer = await api.client.post(f"/items/{giver['id']}/transfer", json={"to": {"item_id": taker["id"]}})
    assert problem_of(answer) == (409, "quantity_overflow")
    assert (await api.client.get(f"/items/{giver['id']}")).json() == giver


@pytest.mark.parametrize("operation", EVERY)
async def test_every_operation_refuses_what_it_does_not_know(edge: Api, operation: str) -> None:
    scene = await scene_on(edge)
    call = scene.calls()[operation]
    unknown = f"{call.path}{'&' if '?' in call.path else '?'}nonsense=1"
    assert problem_of(await scene.send_call(call._replace(path=unknown))) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("operation", "content", "headers", "problem"),
    [(operation, *bad) for operation in WITH_BODY for bad in BAD_BODIES]
    + [(operation, *bad) for operation in WITH_FORM for bad in BAD_FORMS],
)
async def test_every_operation_that_takes_a_body_refuses_bad_ones(
    edge: Api, operation: str, content: bytes, headers: dict[str, str], problem: tuple[int, str]
) -> None:
    call = (await scene_on(edge)).calls()[operation]
    answer = await edge.client.request(call.method, call.path, content=content, headers={**headers, **(call.by or {})})
    assert problem_of(answer) == problem


@pytest.mark.parametrize("operation", [*WITH_BODY, *WITH_FORM])
async def test_every_operation_that_takes_a_body_waits_no_longer_for_it_than_it_may(operation: str) -> None:
    async def never_whole() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with serving("sqlite+aiosqlite:///:memory:", body_timeout=0.05) as api:
        call = (await scene_on(api)).calls()[operation]
        headers = {**(FORM if operation in WITH_FORM else JSON), **(call.by or {})}
        answer = await api.client.request(call.method, call.path, content=never_whole(), headers=headers)
        assert problem_of(answer) == (408, "request_timeout")
        assert answer.headers["Connection"] == "close"
