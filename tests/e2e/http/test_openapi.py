"""The OpenAPI document and the page that shows it."""

import re
from typing import Any

import pytest

from tests.support.http import Api

# What the contract defines, and nothing else: a parameter of a provider must not become one of the API.
PARAMETERS = {
    "issue_token": set(),
    "log_out": set(),
    "list_sessions": set(),
    "end_session": {"session_id"},
    "register_user": set(),
    "list_users": {"limit", "cursor"},
    "get_user": {"user_id"},
    "update_user": {"user_id"},
    "change_password": set(),
    "delete_user": {"user_id", "items", "to"},
    "list_items_of_user": {"user_id", "limit", "cursor", "expand"},
    "create_item": set(),
    "list_items": {"owner_id", "limit", "cursor", "expand"},
    "get_item": {"item_id", "expand"},
    "update_item": {"item_id"},
    "delete_item": {"item_id"},
    "transfer_item": {"item_id"},
    "get_liveness": set(),
    "get_readiness": set(),
    "explain_problem": {"slug"},
}


async def test_the_document_is_served_and_is_openapi_3_1(edge: Api) -> None:
    answer = await edge.client.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == edge.document.document
    assert answer.json()["openapi"] == "3.1.0"


async def test_the_parameters_are_those_of_the_contract(edge: Api) -> None:
    found = {
        operation["operationId"]: {parameter["name"] for parameter in operation.get("parameters", ())}
        for _, _, operation in edge.document.operations()
    }
    assert found == PARAMETERS


async def test_every_parameter_has_a_plain_schema(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for parameter in operation.get("parameters", ()):
            assert "null" not in str(parameter["schema"])
            assert parameter["in"] == "path" or parameter["description"]
    assert _parameter(edge, "list_items", "limit")["schema"] == {
        "title": "Limit",
        "description": "How many at the most",
        "type": "integer",
        "minimum": 1,
        "maximum": 200,
        "default": 50,
    }


def _parameter(edge: Api, operation_id: str, name: str) -> dict[str, Any]:
    (operation,) = [each for _, _, each in edge.document.operations() if each["operationId"] == operation_id]
    (parameter,) = [each for each in operation["parameters"] if each["name"] == name]
    return dict(parameter)


async def test_every_operation_is_told_in_words(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        assert operation["summary"]
        assert operation["tags"]
        for response in operation["responses"].values():
            assert response["description"] not in ("", "Successful Response")


async def test_every_problem_stands_under_its_media_type_with_its_codes(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                (kind,) = response["content"]
                assert kind == "application/problem+json"
                schema = response["content"][kind]["schema"]
                assert schema["$ref"] == "#/components/schemas/ProblemOut"
                for code in schema["properties"]["code"]["enum"]:
                    assert f"`{code}`" in response["description"]


async def test_the_frameworks_own_errors_are_not_in_the_document(edge: Api) -> None:
    assert "HTTPValidationError" not in str(edge.document.document)


async def test_every_code_has_a_page_that_explains_it(edge: Api) -> None:
    for code in {code for _, code in edge.document.codes()} | {"method_not_allowed"}:
        answer = await edge.client.get(f"/problems/{code.replace('_', '-')}")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert f"<code>{code}</code>" in answer.text


async def test_every_body_is_json_but_for_a_patch_by_two_names_and_the_form_of_sign_in(edge: Api) -> None:
    for method, path, operation in edge.document.operations():
        if "requestBody" not in operation:
            continue
        if path == "/auth/token":
            expected = {"application/x-www-form-urlencoded"}
        elif method == "PATCH":
            expected = {"application/json", "application/merge-patch+json"}
        else:
            expected = {"application/json"}
        assert operation["requestBody"]["content"].keys() == expected


async def test_the_authorize_button_finds_the_form_of_sign_in(edge: Api) -> None:
    schemes = edge.document.document["components"]["securitySchemes"]
    assert schemes["OAuth2"]["flows"] == {
        "password": {"tokenUrl": "/auth/token", "refreshUrl": "/auth/token", "scopes": {}}
    }


async def test_the_document_says_where_one_has_to_be_signed_in(edge: Api) -> None:
    asked = {
        operation["operationId"]: operation["security"]
        for _, _, operation in edge.document.operations()
        if "security" in operation
    }
    assert PARAMETERS.keys() - asked.keys() == {"issue_token", "get_liveness", "get_readiness", "explain_problem"}
    assert asked.pop("register_user") == [{}, {"OAuth2": []}]
    assert all(each == [{"OAuth2": []}] for each in asked.values())


async def test_problems_and_tokens_are_documented_with_their_headers(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for status, names in (("401", {"WWW-Authenticate"}), ("429", {"Retry-After", "RateLimit", "RateLimit-Policy"})):
            response = operation["responses"].get(status, {"headers": names})
            assert set(response["headers"]) == names
    token = edge.document.operation("POST", "/auth/token")
    assert token is not None
    assert set(token["responses"]["200"]["headers"]) == {"Cache-Control"}


async def test_numbers_have_their_exact_bounds(edge: Api) -> None:
    schemas = edge.document.document["components"]["schemas"]
    assert schemas["ItemCreate"]["properties"]["owner_id"]["maximum"] == 2**63 - 1
    assert schemas["ItemCreate"]["properties"]["quantity"]["maximum"] == 2**31 - 1


@pytest.mark.parametrize(
    ("schema", "method", "path"),
    [
        ("UserCreate", "POST", "/users"),
        ("UserPatch", "PATCH", "/users/{user}"),
        ("ItemCreate", "POST", "/items"),
        ("ItemPatch", "PATCH", "/items/{item}"),
        ("TransferRequest", "POST", "/items/{item}/transfer"),
    ],
)
async def test_the_examples_work(edge: Api, schema: str, method: str, path: str) -> None:
    owner = await edge.user()
    await edge.client.post("/users", json={"username": "bob", "email": "b@example.org", "password": "swordfish 8"})
    item = await edge.item(owner["id"], quantity=3)
    (example,) = edge.document.document["components"]["schemas"][schema]["examples"]
    assert not edge.document.faults(example, edge.document.document["components"]["schemas"][schema])
    answer = await edge.client.request(method, path.format(user=owner["id"], item=item["id"]), json=example)
    assert answer.is_success, answer.text


async def test_the_documentation_comes_from_this_server_alone(edge: Api) -> None:
    page = await edge.client.get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "http" not in page.text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) == 4
    for address in addresses:
        asset = await edge.client.get(address)
        assert asset.status_code == 200
        assert asset.content
        assert "text/html" not in asset.headers["Content-Type"]
    start = (await edge.client.get("/docs/start.js")).text
    assert re.findall(r'url: "([^"]+)"', start) == ["/openapi.json"]
    assert "validatorUrl: null" in start


async def test_the_policy_of_the_documentation_forbids_other_hosts_and_scripts_in_the_page(edge: Api) -> None:
    page = await edge.client.get("/docs")
    policy = dict(each.split(" ", 1) for each in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert re.search(r"<script(?! src=)", page.text) is None
