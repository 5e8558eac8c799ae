"""Every operation of the OpenAPI document succeeds, on SQLite and on PostgreSQL, and what it has done is seen after it.

The client holds each answer to the document: its status, its header fields, and its body.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from tests.support.http import PASSWORD, Api, problem_of

from .operations import EVERY, LINES, Headers, Scene, scene_on
from .signing_in import me, sign_in, tokens_of

SEEN: dict[str, Callable[[Scene, httpx2.Response], Awaitable[None]]] = {}  # by operation


def seen_of(seen: Callable[[Scene, httpx2.Response], Awaitable[None]]) -> None:
    SEEN[seen.__name__] = seen


async def get(scene: Scene, path: str, *, by: Headers | None = None) -> Any:
    """By an admin, unless somebody else asks."""
    return (await scene.api.client.get(path, headers=by)).raise_for_status().json()


async def refusal(scene: Scene, path: str, *, by: Headers | None = None) -> tuple[int, str]:
    return problem_of(await scene.api.client.get(path, headers=by))


async def test_every_operation_of_the_document_is_called_here(edge: Api) -> None:
    documented = {operation["operationId"] for _, _, operation in edge.document.operations()}
    assert set(EVERY) == (await scene_on(edge)).calls().keys() == SEEN.keys() == documented


@pytest.mark.parametrize("operation", EVERY)
async def test_an_operation_succeeds_and_what_it_has_done_is_seen(api: Api, operation: str) -> None:
    scene = await scene_on(api)
    answer = await scene.send(operation)
    assert answer.is_success, answer.text
    await SEEN[operation](scene, answer)


@seen_of
async def issue_token(scene: Scene, answer: httpx2.Response) -> None:
    access, _ = tokens_of(answer)
    assert (await me(scene.api.anonymous, access)).json()["id"] == scene.ada["id"]


@seen_of
async def log_out(scene: Scene, answer: httpx2.Response) -> None:
    assert await refusal(scene, "/users/me", by=scene.as_ada) == (401, "token_revoked")


@seen_of
async def list_sessions(scene: Scene, answer: httpx2.Response) -> None:
    (session,) = answer.json()["data"]
    assert (session["id"], session["current"]) == (scene.session["id"], True)


@seen_of
async def end_session(scene: Scene, answer: httpx2.Response) -> None:
    assert await refusal(scene, "/users/me", by=scene.as_ada) == (401, "token_revoked")


@seen_of
async def register_user(scene: Scene, answer: httpx2.Response) -> None:
    made = await get(scene, answer.headers["Location"])
    assert made == answer.json()
    tokens_of(await sign_in(scene.api.anonymous, made["username"], PASSWORD))


@seen_of
async def list_users(scene: Scene, answer: httpx2.Response) -> None:
    assert scene.ada in answer.json()["data"]


@seen_of
async def get_user(scene: Scene, answer: httpx2.Response) -> None:
    assert answer.json() == scene.ada


@seen_of
async def update_user(scene: Scene, answer: httpx2.Response) -> None:
    left = await get(scene, f"/users/{scene.ada['id']}")
    assert left == answer.json()
    assert left["email"] == f"other-{scene.ada['id']}@example.org"


@seen_of
async def change_password(scene: Scene, answer: httpx2.Response) -> None:
    name = scene.ada["username"]
    assert (await sign_in(scene.api.anonymous, name, PASSWORD)).status_code == 400
    tokens_of(await sign_in(scene.api.anonymous, name, "swordfish 9"))


@seen_of
async def delete_user(scene: Scene, answer: httpx2.Response) -> None:
    assert await refusal(scene, f"/users/{scene.ada['id']}") == (404, "user_not_found")
    assert await refusal(scene, f"/items/{scene.box['id']}") == (404, "item_not_found")


@seen_of
async def list_items_of_user(scene: Scene, answer: httpx2.Response) -> None:
    assert answer.json()["data"] == [scene.box]


@seen_of
async def create_item(scene: Scene, answer: httpx2.Response) -> None:
    made = await get(scene, answer.headers["Location"])
    assert made == answer.json()
    assert (made["owner_id"], made["name"]) == (scene.ada["id"], "Lid")


@seen_of
async def list_items(scene: Scene, answer: httpx2.Response) -> None:
    assert scene.box in answer.json()["data"]


@seen_of
async def get_item(scene: Scene, answer: httpx2.Response) -> None:
    assert answer.json() == scene.box


@seen_of
async def update_item(scene: Scene, answer: httpx2.Response) -> None:
    left = await get(scene, f"/items/{scene.box['id']}")
    assert left == answer.json()
    assert (left["name"], left["version"]) == ("Case", 2)


@seen_of
async def delete_item(scene: Scene, answer: httpx2.Response) -> None:
    assert await refusal(scene, f"/items/{scene.box['id']}") == (404, "item_not_found")


@seen_of
async def transfer_item(scene: Scene, answer: httpx2.Response) -> None:
    left = await get(scene, f"/items/{scene.box['id']}")
    assert left == answer.json()["received"]
    assert (left["owner_id"], left["quantity"]) == (scene.bob["id"], scene.box["quantity"])


@seen_of
async def run_batch(scene: Scene, answer: httpx2.Response) -> None:
    assert len(answer.json()["results"]) == 1
    assert await refusal(scene, f"/items/{scene.box['id']}") == (404, "item_not_found")


@seen_of
async def export_items(scene: Scene, answer: httpx2.Response) -> None:
    assert [json.loads(line) for line in answer.text.splitlines()] == [scene.box]


@seen_of
async def import_items(scene: Scene, answer: httpx2.Response) -> None:
    assert answer.json() == {"created": LINES.count(b"\n")}
    page = await get(scene, "/items?sort=id", by=scene.as_ada)
    assert [item["name"] for item in page["data"]] == [scene.box["name"], "Lid"]


@seen_of
async def get_liveness(scene: Scene, answer: httpx2.Response) -> None:
    assert answer.json() == {"status": "ok"}


@seen_of
async def get_readiness(scene: Scene, answer: httpx2.Response) -> None:
    assert answer.json() == {"status": "ok"}


@seen_of
async def get_metrics(scene: Scene, answer: httpx2.Response) -> None:
    assert "steward_http_requests_total{" in answer.text


@seen_of
async def explain_problem(scene: Scene, answer: httpx2.Response) -> None:
    assert "<code>conflict</code>" in answer.text
