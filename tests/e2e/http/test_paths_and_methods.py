"""Paths, methods, ids and parameters as clients write them."""

import pytest

from tests.support.http import Api, faults_of, problem_of


@pytest.mark.parametrize(
    "path", ["/users", "/items", "/livez", "/readyz", "/docs", "/openapi.json", "/users/{id}/items"]
)
async def test_a_path_is_the_same_with_a_slash_at_its_end(edge: Api, path: str) -> None:
    path = path.format(id=(await edge.user())["id"])
    plain, slashed = await edge.client.get(path), await edge.client.get(f"{path}/")
    assert plain.status_code == slashed.status_code == 200
    assert plain.content == slashed.content


async def test_writing_works_with_a_slash_at_the_end(edge: Api) -> None:
    ada = await edge.user()
    made = await edge.client.post("/items/", json={"owner_id": ada["id"], "name": "Box"})
    path = f"{made.headers['Location']}/"
    assert (await edge.client.patch(path, json={"quantity": 2})).json()["quantity"] == 2
    assert (await edge.client.delete(path)).status_code == 204


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/nope",
            "/USERS",
            "/users//",
            "/users//items",
            "/users/1/nope",
            "/users%2F1",
            "/users%2f1",
            "/users%0A",
            "/livez%0a/",
        ),
        *("/docs/assets", "/docs/assets/..%2Findex.html", "/problems", "/problems/nope", "/problems/user_not_found"),
    ],
)
async def test_what_is_not_there_is_not_found(edge: Api, path: str) -> None:
    answer = await edge.client.get(path)
    assert problem_of(answer) == (404, "route_not_found")


@pytest.mark.parametrize("path", ["//", "//users", "//evil.example/users"])
async def test_two_slashes_at_the_start_are_not_one_and_name_no_host(edge: Api, path: str) -> None:
    answer = await edge.client.get(f"http://steward.test{path}")
    assert problem_of(answer) == (404, "route_not_found")
    assert answer.json()["instance"] == f"/.{path}"


async def test_percent_encoded_letters_are_letters(edge: Api) -> None:
    ada = await edge.user()
    assert (await edge.client.get("/%75sers/" + "".join(f"%3{digit}" for digit in str(ada["id"])))).json() == ada


@pytest.mark.parametrize(
    "written",
    [
        *(
            "0",
            "-1",
            "+1",
            "%2B1",
            "007",
            "1_0",
            "%201",
            "1%20",
            "1.0",
            "1e3",
            "0x1",
            "١",
            "%00",
            "%FF",
            "1%2F",
            "1%0A",
            "1;2",
        ),
        *("ME", "null", "9223372036854775808", "9" * 40, "9" * 5000),
    ],
)
async def test_an_id_is_written_in_one_way_and_inside_its_range(edge: Api, written: str) -> None:
    assert faults_of(await edge.client.get(f"/users/{written}")) == [("user_id", "id")]
    assert faults_of(await edge.client.delete(f"/items/{written}")) == [("item_id", "id")]


async def test_the_largest_id_is_just_not_there(edge: Api) -> None:
    assert problem_of(await edge.client.get(f"/items/{2**63 - 1}")) == (404, "item_not_found")


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("owner=1", [("owner", "unknown_parameter")]),
        ("limit=1&limit=1", [("limit", "repeated_parameter")]),
        ("limit=1&limit=x", [("limit", "repeated_parameter"), ("limit", "int_parsing")]),
        ("limit=0", [("limit", "greater_than_equal")]),
        ("limit=201", [("limit", "less_than_equal")]),
        ("limit=-0", [("limit", "int_parsing")]),
        ("limit=", [("limit", "int_parsing")]),
        ("limit=%2B5", [("limit", "int_parsing")]),
        ("limit=1_0", [("limit", "int_parsing")]),
        ("limit=05", [("limit", "int_parsing")]),
        ("limit=5.0", [("limit", "int_parsing")]),
        ("limit=%205", [("limit", "int_parsing")]),
        ("limit=" + "9" * 5000, [("limit", "int_parsing")]),
        ("owner_id=1_0&expand=Owner", [("owner_id", "id"), ("expand", "literal_error")]),
        ("owner_id=9223372036854775808", [("owner_id", "id")]),
        ("=1", [("", "unknown_parameter")]),
        ("a%00%FF=1", [("a\0\ufffd", "unknown_parameter")]),
        ("Limit=1", [("Limit", "unknown_parameter")]),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_parameter_that_cannot_be_honoured_is_named(
    edge: Api, query: str, faults: list[tuple[str, str]]
) -> None:
    assert faults_of(await edge.client.get(f"/items?{query}")) == faults


async def test_head_is_get_without_the_body(edge: Api) -> None:
    ada = await edge.user()
    for path in ("/users", f"/users/{ada['id']}", "/items", "/livez", "/users/4711", "/nope", "/docs"):
        got, head = await edge.client.get(path), await edge.client.head(path)
        assert (got.status_code, head.content) == (head.status_code, b"")
        for name in ("Content-Type", "ETag"):
            assert got.headers.get(name) == head.headers.get(name)
        assert head.headers["Content-Length"] == str(len(got.content))


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/users", "GET, HEAD, OPTIONS, POST"),
        ("/users/", "GET, HEAD, OPTIONS, POST"),
        ("/users/1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/users/me", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/users/1/items", "GET, HEAD, OPTIONS"),
        ("/items", "GET, HEAD, OPTIONS, POST"),
        ("/items/1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/items/1/transfer", "OPTIONS, POST"),
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/problems/conflict", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/docs/assets/swagger-ui.css", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_path_says_which_methods_it_has(edge: Api, path: str, allow: str) -> None:
    for method in ("PUT", "TRACE", "CONNECT", "QUERY", "X-PURGE"):
        answer = await edge.client.request(method, path)
        assert problem_of(answer) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == allow
    asked = await edge.client.options(path)
    assert (asked.status_code, asked.headers["Allow"]) == (204, allow)
    assert asked.headers.get("Accept-Patch") == (
        "application/json, application/merge-patch+json" if "PATCH" in allow else None
    )


async def test_head_is_not_allowed_where_get_is_not(edge: Api) -> None:
    assert (await edge.client.head("/items/1/transfer")).status_code == 405


async def test_a_path_that_is_not_there_has_no_options(edge: Api) -> None:
    assert problem_of(await edge.client.options("/nope")) == (404, "route_not_found")


async def test_a_cut_off_range_is_no_reason_for_another_kind_of_error(edge: Api) -> None:
    for unit in ("bytes=99999999-", "bytes=x", "lines=1"):
        assert (await edge.client.get("/docs/assets/swagger-ui.css", headers={"Range": unit})).status_code == 200
