"""What clients can do with users."""

from datetime import UTC, datetime, timedelta

from tests.support.http import Api, faults_of, problem_of


async def test_who_signs_up_is_shown_without_the_password(api: Api) -> None:
    body = {"username": "Ada.Lovelace", "email": "Ada@Example.org", "password": "swordfish 8"}
    made = await api.anonymous.post("/users", json=body)
    user = made.json()
    assert made.status_code == 201
    assert made.headers["Location"] == f"/users/{user['id']}"
    assert made.headers["ETag"] == f'"{user["id"]}-1"'
    assert user == {
        "id": user["id"],
        "username": "Ada.Lovelace",
        "email": "Ada@Example.org",
        "role": "member",
        "is_active": True,
        "created_at": user["created_at"],
        "updated_at": user["created_at"],
        "version": 1,
    }
    shown = await api.client.get(made.headers["Location"])
    assert shown.json() == user
    assert shown.headers["ETag"] == made.headers["ETag"]


async def test_times_are_those_of_the_request_in_utc(api: Api) -> None:
    user = await api.user()
    age = datetime.now(UTC) - datetime.fromisoformat(user["created_at"])
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert user["created_at"].endswith("Z")


async def test_a_username_in_another_case_is_taken_and_reported_before_the_address(api: Api) -> None:
    ada = await api.user()
    body = {"username": ada["username"].upper(), "email": ada["email"].title(), "password": "swordfish 8"}
    assert problem_of(await api.client.post("/users", json=body)) == (409, "username_taken")
    body["username"] = "grace"
    assert problem_of(await api.client.post("/users", json=body)) == (409, "email_taken")


async def test_a_user_who_is_not_there_is_not_found_by_id(api: Api) -> None:
    answer = await api.client.get("/users/4711")
    assert problem_of(answer) == (404, "user_not_found")
    assert answer.json()["detail"] == "User id 4711 not found"


async def test_a_patch_changes_what_it_names_and_counts_the_version(api: Api) -> None:
    ada = await api.user()
    changed = await api.client.patch(f"/users/{ada['id']}", json={"email": "a@example.net", "role": "admin"})
    after = changed.json()
    assert after == ada | {
        "email": "a@example.net",
        "role": "admin",
        "updated_at": after["updated_at"],
        "version": 2,
    }
    assert after["updated_at"] > ada["updated_at"]
    assert changed.headers["ETag"] == f'"{ada["id"]}-2"'
    assert (await api.client.get(f"/users/{ada['id']}")).json() == after


async def test_a_patch_of_nothing_keeps_version_and_time(api: Api) -> None:
    ada = await api.user()
    path = f"/users/{ada['id']}"
    assert (await api.client.patch(path, json={})).json() == ada
    assert (await api.client.patch(path, json={"username": ada["username"], "is_active": True})).json() == ada


async def test_null_is_refused_where_nothing_can_be_empty(api: Api) -> None:
    ada = await api.user()
    everything = {"username": None, "email": None, "role": None, "is_active": None}
    answer = await api.client.patch(f"/users/{ada['id']}", json=everything)
    assert [where for where, _ in faults_of(answer)] == ["/username", "/email", "/role", "/is_active"]


async def test_a_deleted_user_is_gone(api: Api) -> None:
    ada = await api.user()
    path = f"/users/{ada['id']}"
    assert (await api.client.delete(path)).status_code == 204
    assert problem_of(await api.client.get(path)) == (404, "user_not_found")
    assert problem_of(await api.client.delete(path)) == (404, "user_not_found")


async def test_the_owner_of_items_is_deleted_only_with_a_word_about_them(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    box = await api.item(ada["id"])
    path = f"/users/{ada['id']}"
    assert problem_of(await api.client.delete(path)) == (409, "user_owns_items")
    handed_over = await api.client.delete(path, params={"items": "transfer", "to": bob["id"]})
    assert handed_over.status_code == 204
    assert (await api.client.get(f"/items/{box['id']}")).json()["owner_id"] == bob["id"]
    assert (await api.client.delete(f"/users/{bob['id']}", params={"items": "delete"})).status_code == 204
    assert problem_of(await api.client.get(f"/items/{box['id']}")) == (404, "item_not_found")


async def test_items_go_to_an_active_user_other_than_the_one_deleted(api: Api) -> None:
    ada, bob = await api.user(), await api.user()
    await api.item(ada["id"])
    await api.client.patch(f"/users/{bob['id']}", json={"is_active": False})
    for recipient in (ada["id"], bob["id"], 4711):
        refused = await api.client.delete(f"/users/{ada['id']}", params={"items": "transfer", "to": recipient})
        assert problem_of(refused) == (422, "unknown_recipient")
        assert refused.json()["errors"][0]["parameter"] == "to"


async def test_the_two_words_about_the_items_have_to_agree(edge: Api) -> None:
    assert faults_of(await edge.client.delete("/users/1?items=transfer")) == [("to", "missing")]
    assert faults_of(await edge.client.delete("/users/1?to=2")) == [("to", "contradiction")]
    assert faults_of(await edge.client.delete("/users/1?items=delete&to=2")) == [("to", "contradiction")]


async def test_the_items_of_nobody_are_not_found_and_those_of_a_user_without_any_are_an_empty_page(api: Api) -> None:
    ada = await api.user()
    empty = await api.client.get(f"/users/{ada['id']}/items")
    assert (empty.status_code, empty.json()) == (200, {"data": [], "next_cursor": None})
    assert problem_of(await api.client.get("/users/4711/items")) == (404, "user_not_found")


async def test_me_is_whoever_asks(api: Api) -> None:
    ada = await api.user()
    as_ada = await api.bearer(ada["id"])
    box = await api.item(ada["id"])
    assert (await api.client.get("/users/me", headers=as_ada)).json() == ada
    assert (await api.client.get("/users/me/items", headers=as_ada)).json()["data"] == [box]
    changed = await api.client.patch("/users/me", json={"email": "me@example.net"}, headers=as_ada)
    assert (changed.json()["id"], changed.json()["email"]) == (ada["id"], "me@example.net")
    assert (await api.client.delete("/users/me?items=delete", headers=as_ada)).status_code == 204
    assert problem_of(await api.client.get(f"/users/{ada['id']}")) == (404, "user_not_found")


async def test_the_last_admin_stays_one(edge: Api) -> None:
    for answer in (
        await edge.client.patch("/users/me", json={"role": "member"}),
        await edge.client.patch("/users/me", json={"is_active": False}),
        await edge.client.delete("/users/me"),
    ):
        assert problem_of(answer) == (409, "last_admin")
    me = (await edge.client.get("/users/me")).json()
    assert (me["role"], me["is_active"], me["version"]) == ("admin", True, 1)
