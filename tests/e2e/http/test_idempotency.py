"""The header Idempotency-Key: a request that is repeated has one effect, and gets one answer."""

import base64
import hashlib
import itertools
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from steward.domain.actors import Actor
from steward.domain.errors import OutcomeUnknown
from steward.domain.users import UserId
from steward.service_layer import users

from tests.support.http import PASSWORD, Api, problem_of, serving

_numbers = itertools.count()
JSON = {"Content-Type": "application/json"}
REPLAYED = "Idempotent-Replayed"


def keyed(key: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": key or f"key-{next(_numbers)}"}


def told(answer: httpx2.Response) -> tuple[Any, ...]:
    """What the first answer and a repetition have in common."""
    return answer.status_code, answer.content, *(answer.headers.get(name) for name in ("Location", "ETag"))


async def given(api: Api) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """By operation: method, path and body of a request that takes a key."""
    ada, bob = await api.user(), await api.user()
    box, lid = await api.item(ada["id"], quantity=3), await api.item(ada["id"])
    name = f"new-{ada['id']}"
    return {
        "register_user": ("POST", "/users", {"username": name, "email": f"{name}@example.org", "password": PASSWORD}),
        "update_user": ("PATCH", f"/users/{ada['id']}", {"email": f"{name}@example.com"}),
        "create_item": ("POST", "/items", {"name": "Box"}),
        "update_item": ("PATCH", f"/items/{lid['id']}", {"name": "Case"}),
        "transfer_item": ("POST", f"/items/{box['id']}/transfer", {"to": bob["username"], "quantity": 1}),
        "batch": ("POST", "/items/batch", {"operations": [{"op": "create", "item": {"name": "Box"}}]}),
    }


OPERATIONS = ["register_user", "update_user", "create_item", "update_item", "transfer_item", "batch"]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_repetition_gets_the_first_answer(api: Api, operation: str) -> None:
    method, path, body = (await given(api))[operation]
    headers = keyed()
    first = await api.client.request(method, path, json=body, headers=headers)
    again = await api.client.request(method, path, json=body, headers=headers)
    assert first.is_success, first.text
    assert told(again) == told(first)
    assert again.headers["Content-Type"] == first.headers["Content-Type"] == "application/json"
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")
    assert first.headers["X-Request-ID"] != again.headers["X-Request-ID"]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_another_request_with_the_same_key_is_refused(api: Api, operation: str) -> None:
    method, path, body = (await given(api))[operation]
    headers = keyed()
    assert (await api.client.request(method, path, json=body, headers=headers)).is_success
    other = {**body, "operations": body["operations"] * 2} if operation == "batch" else {**body, **_other(body)}
    refused = await api.client.request(method, path, json=other, headers=headers)
    assert problem_of(refused) == (422, "idempotency_key_reused")


def _other(body: dict[str, Any]) -> dict[str, Any]:
    return {"quantity": 2} if "to" in body else {"email": "other@example.org"} if "email" in body else {"name": "Lid"}


async def test_all_that_makes_a_request_is_part_of_it(api: Api) -> None:
    box, lid = [await api.item((await api.user())["id"]) for _ in range(2)]
    path, body, headers = f"/items/{box['id']}", b'{"name": "Case"}', {**keyed(), **JSON}

    async def send(method: str = "PATCH", path: str = path, body: bytes = body, **more: str) -> httpx2.Response:
        given = headers | {name.replace("_", "-"): value for name, value in more.items()}
        return await api.client.request(method, path, content=body, headers=given)

    first = await send()
    assert first.status_code == 200
    others: list[Any] = [
        {"path": f"/items/{lid['id']}"},
        {"body": b'{"name":"Case"}'},
        {"Content_Type": "application/merge-patch+json"},
        {"If_Match": f'"{box["id"]}-1"'},
        {"method": "POST", "path": "/items"},
    ]
    for other in others:
        assert problem_of(await send(**other)) == (422, "idempotency_key_reused")
    sames: list[Any] = [{"path": f"{path}/"}, {"X_Request_ID": "another"}, {"User_Agent": "another"}]
    for same in sames:
        assert (await send(**same)).headers[REPLAYED] == "true"


async def test_a_repeated_change_is_answered_before_its_precondition_is_looked_at(api: Api) -> None:
    box = await api.item((await api.user())["id"])
    headers = {**keyed(), "If-Match": f'"{box["id"]}-1"'}
    first = await api.client.patch(f"/items/{box['id']}", json={"name": "Case"}, headers=headers)
    again = await api.client.patch(f"/items/{box['id']}", json={"name": "Case"}, headers=headers)
    assert (first.status_code, told(again)) == (200, told(first))
    late = await api.client.patch(f"/items/{box['id']}", json={"name": "Case"}, headers={**headers, **keyed()})
    assert problem_of(late) == (412, "version_mismatch")


async def test_only_success_is_remembered(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    box = await api.item(ada["id"])
    headers, path = keyed(), f"/items/{box['id']}/transfer"
    for body, expected in (
        ({"to": bob["username"], "quantity": 0}, (422, "invalid_request")),
        ({"to": bob["username"], "quantity": 2}, (409, "insufficient_quantity")),
        ({"to": ada["username"]}, (422, "unknown_recipient")),
    ):
        assert problem_of(await api.client.post(path, json=body, headers=headers)) == expected
    done = await api.client.post(path, json={"to": bob["username"]}, headers=headers)
    assert (done.status_code, REPLAYED in done.headers) == (200, False)


async def test_callers_are_told_apart_and_authenticated_first(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    headers, body = keyed(), {"name": "Box"}
    as_ada, as_bob = await api.bearer(ada["id"]), await api.bearer(bob["id"])
    hers = await api.client.post("/items", json=body, headers={**headers, **as_ada})
    his = await api.client.post("/items", json=body, headers={**headers, **as_bob})
    assert (hers.json()["owner_id"], his.json()["owner_id"]) == (ada["id"], bob["id"])
    # Another session of hers is her, too.
    again = await api.client.post("/items", json=body, headers={**headers, **await api.bearer(ada["id"])})
    assert told(again) == told(hers)
    await api.client.patch(f"/users/{ada['id']}", json={"is_active": False})
    refused = await api.client.post("/items", json=body, headers={**headers, **as_ada})
    assert problem_of(refused) == (401, "token_revoked")
    assert problem_of(await api.anonymous.post("/items", json=body, headers=headers)) == (401, "not_authenticated")


async def test_what_takes_no_key_ignores_it(api: Api) -> None:
    ada = await api.user()
    form = {"grant_type": "password", "username": ada["username"], "password": PASSWORD}
    headers = keyed("not valid, and not looked at")
    tokens = [await api.anonymous.post("/auth/token", data=form, headers=headers) for _ in range(2)]
    assert len({each.json()["access_token"] for each in tokens}) == 2
    box = await api.item(ada["id"])
    gone = [await api.client.delete(f"/items/{box['id']}", headers=headers) for _ in range(2)]
    assert [each.status_code for each in gone] == [204, 404]
    assert (await api.client.get("/users/me", headers=headers)).status_code == 200


async def test_a_sign_up_by_a_stranger_is_repeated_but_never_shown_to_another(api: Api) -> None:
    headers = keyed()
    ada, bob = [
        {"username": f"{name}-{next(_numbers)}", "email": f"{name}{next(_numbers)}@example.org", "password": PASSWORD}
        for name in ("ada", "bob")
    ]
    first = await api.anonymous.post("/users", json=ada, headers=headers)
    again = await api.anonymous.post("/users", json=ada, headers=headers)
    other = await api.anonymous.post("/users", json=bob, headers=headers)
    assert (first.status_code, told(again)) == (201, told(first))
    assert (other.status_code, REPLAYED in other.headers) == (201, False)
    wrong = await api.anonymous.post("/users", json={**ada, "password": "guessed it 9"}, headers=headers)
    assert problem_of(wrong) == (409, "username_taken")


async def test_a_repetition_is_no_attempt(url_of_module: str) -> None:
    """Neither limited, nor counted, nor is a password hashed for it."""
    limits: dict[str, Any] = {"rate_limits": True, "rate_limit_sign_up": "1/1h", "rate_limit_recipient": "1/1h"}
    async with serving(url_of_module, **limits) as api:
        headers = keyed()
        name = f"once-{next(_numbers)}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        first = await api.anonymous.post("/users", json=body, headers=headers)
        again = await api.anonymous.post("/users", json=body, headers=headers)
        assert (first.status_code, told(again)) == (201, told(first))
        assert (await api.anonymous.post("/users", json=body, headers=keyed())).status_code == 429
        as_her, bob = await api.bearer(first.json()["id"]), await api.user()
        box = await api.item(first.json()["id"])
        path, to_bob = f"/items/{box['id']}/transfer", {"to": bob["username"]}
        done = await api.client.post(path, json=to_bob, headers={**headers, **as_her})
        lid = await api.item(first.json()["id"])
        nobody = await api.client.post(f"/items/{lid['id']}/transfer", json={"to": "nobody"}, headers=as_her)
        assert (done.status_code, nobody.status_code) == (200, 422)
        assert (await api.client.post(path, json=to_bob, headers={**keyed(), **as_her})).status_code == 429
        again = await api.client.post(path, json=to_bob, headers={**headers, **as_her})
        assert told(again) == told(done)


async def test_nothing_secret_is_kept(api: Api) -> None:
    name, secret = f"secret-{next(_numbers)}", "rose petals 42 and more"
    body = {"username": name, "email": f"{name}@example.org", "password": secret}
    headers = keyed("a key that others might guess".replace(" ", "-"))
    (await api.anonymous.post("/users", json=body, headers=headers)).raise_for_status()
    async with api.database.reader() as session:
        rows = (await session.execute(text("SELECT key, fingerprint, answer FROM idempotency_keys"))).all()
    kept = b"".join(bytes(value) for row in rows for value in row)
    assert name.encode() in kept
    assert secret.encode() not in kept
    assert headers["Idempotency-Key"].encode() not in kept


async def test_deleting_a_user_deletes_the_keys(api: Api) -> None:
    ada = await api.user()
    as_ada = await api.bearer(ada["id"])
    await api.client.post("/items", json={"name": "Box"}, headers={**keyed(), **as_ada})
    assert await _keys_of(api, ada["id"]) == 1
    assert (await api.client.delete("/users/me?items=delete", headers=as_ada)).status_code == 204
    assert await _keys_of(api, ada["id"]) == 0


async def test_a_sign_up_is_forgotten_with_the_account_that_came_of_it(api: Api) -> None:
    headers, name = keyed(), f"gone-{next(_numbers)}"
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    first = await api.anonymous.post("/users", json=body, headers=headers)
    assert await _keys_of(api, first.json()["id"]) == 1
    mine = await api.bearer(first.json()["id"])
    assert (await api.client.delete("/users/me", headers=mine)).status_code == 204
    again = await api.anonymous.post("/users", json=body, headers=headers)
    assert (again.status_code, REPLAYED in again.headers) == (201, False)
    assert again.json()["id"] > first.json()["id"]


async def _keys_of(api: Api, user_id: int) -> int:
    async with api.database.reader() as session:
        found = await session.scalar(
            text("SELECT count(*) FROM idempotency_keys WHERE user_id = :user_id"), {"user_id": user_id}
        )
    return int(found or 0)


@pytest.mark.parametrize("with_key", [True, False])
async def test_an_unknown_outcome_tells_whether_to_repeat(
    edge: Api, with_key: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a key makes a repetition safe; with one the server has tried already."""
    attempts: list[object] = []

    async def lost(*_: object, **__: object) -> None:
        attempts.append(None)
        raise OutcomeUnknown

    ada = await edge.user()
    as_ada = await edge.bearer(ada["id"])
    monkeypatch.setattr("steward.adapters.database.session_transaction.SessionTransaction.commit", lost)
    monkeypatch.setattr("steward.adapters.database.express.express_transaction.ExpressTransaction.commit", lost)
    headers = {**as_ada, **(keyed() if with_key else {})}
    answer = await edge.client.post("/items", json={"name": "Box"}, headers=headers)
    assert problem_of(answer) == (503, "outcome_unknown")
    assert answer.headers.get("Retry-After") == ("1" if with_key else None)
    assert "Repeat the request with the same Idempotency-Key, or read first" in answer.json()["detail"]
    assert len(attempts) == (3 if with_key else 1)


async def test_a_user_who_goes_while_asking_is_not_signed_in(edge: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await edge.user()
    as_ada = await edge.bearer(ada["id"])
    delete = edge.database.unit_of_work()
    begin = "steward.service_layer.idempotency.run"

    async def meanwhile(uow: Any, use_case: Any, actor: Any, **arguments: Any) -> Any:
        monkeypatch.undo()
        await users.delete_user(delete, Actor.system(), user_id=UserId(ada["id"]))
        return await use_case(uow, actor, **arguments)

    monkeypatch.setattr(begin, meanwhile)
    refused = await edge.client.post("/items", json={"name": "Box"}, headers={**as_ada, **keyed()})
    assert problem_of(refused) == (401, "token_revoked")


def digest_of(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


async def test_an_import_is_known_by_the_digest_of_its_body(api: Api) -> None:
    as_ada = await api.bearer((await api.user())["id"])
    body, other = b'{"name": "Box"}\n{"name": "Lid"}\n', b'{"name": "Box"}\n'
    headers = {**keyed(), **as_ada, "Content-Type": "application/x-ndjson"}

    async def send(content: bytes) -> httpx2.Response:
        sent = {**headers, "Content-Digest": digest_of(content)}
        return await api.client.post("/items/import", content=content, headers=sent)

    first, again = await send(body), await send(body)
    assert (first.status_code, first.json(), told(again)) == (200, {"created": 2}, told(first))
    assert again.headers[REPLAYED] == "true"
    assert problem_of(await send(other)) == (422, "idempotency_key_reused")
    assert len((await api.client.get("/items", headers=as_ada)).json()["data"]) == 2


async def test_without_its_digest_a_key_is_no_protection_and_refused(api: Api) -> None:
    as_ada = await api.bearer((await api.user())["id"])
    headers = {**keyed(), **as_ada, "Content-Type": "application/x-ndjson"}
    refused = await api.client.post("/items/import", content=b'{"name": "Box"}\n', headers=headers)
    assert problem_of(refused) == (422, "invalid_request")
    assert refused.json()["errors"][0]["header"] == "Content-Digest"
    assert (await api.client.get("/items", headers=as_ada)).json()["data"] == []
