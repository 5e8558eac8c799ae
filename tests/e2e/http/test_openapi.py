"""What the OpenAPI document says, held against the contract."""

import re
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.http import Api

_PAGE = {"limit", "cursor", "count", "sort"}
_WHICH_ITEMS = {"name", "q", "min_quantity", "max_quantity", "created_after", "created_before"}
# What the contract defines, and nothing else: a parameter of a provider must not become one of the API.
OF_ITEMS = {
    *("name", "q", "min_quantity", "max_quantity", "created_after", "created_before"),
    *("sort", "limit", "cursor", "count", "expand"),
}
PARAMETERS = {
    "issue_token": set(),
    "log_out": set(),
    "list_sessions": set(),
    "end_session": {"session_id"},
    "register_user": set(),
    "list_users": {*_PAGE, "q", "role", "is_active"},
    "get_user": {"user_id"},
    "update_user": {"user_id"},
    "change_password": set(),
    "delete_user": {"user_id", "items", "to"},
    "list_items_of_user": {"user_id", *_PAGE, *_WHICH_ITEMS, "expand"},
    "create_item": set(),
    "list_items": {"owner_id", *_PAGE, *_WHICH_ITEMS, "expand"},
    "get_item": {"item_id", "expand"},
    "update_item": {"item_id"},
    "delete_item": {"item_id"},
    "transfer_item": {"item_id"},
    "run_batch": set(),
    "export_items": {"format"},
    "import_items": set(),
    "get_liveness": set(),
    "get_readiness": set(),
    "get_metrics": set(),
    "explain_problem": {"slug"},
}
_CONDITIONS = {"If-Match", "If-None-Match"}
HEADERS = {
    "register_user": {"Idempotency-Key"},
    "get_user": _CONDITIONS,
    "update_user": {*_CONDITIONS, "Idempotency-Key"},
    "delete_user": _CONDITIONS,
    "create_item": {"Idempotency-Key"},
    "get_item": _CONDITIONS,
    "update_item": {*_CONDITIONS, "Idempotency-Key"},
    "delete_item": _CONDITIONS,
    "transfer_item": {*_CONDITIONS, "Idempotency-Key"},
    "run_batch": {"Idempotency-Key"},
    "import_items": {"Idempotency-Key", "Content-Digest"},
}


async def test_the_document_is_served_and_is_openapi_3_1(edge: Api) -> None:
    answer = await edge.client.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == edge.document.document
    assert answer.json()["openapi"] == "3.1.0"


async def test_the_parameters_are_those_of_the_contract(edge: Api) -> None:
    assert _parameters(edge, "path", "query") == PARAMETERS


async def test_the_header_fields_that_are_read_by_hand_are_parameters_too(edge: Api) -> None:
    assert _parameters(edge, "header") == {each: {"X-Request-ID"} | HEADERS.get(each, set()) for each in PARAMETERS}


def _parameters(edge: Api, *places: str) -> dict[str, set[str]]:
    return {
        operation["operationId"]: {each["name"] for each in operation["parameters"] if each["in"] in places}
        for _, _, operation in edge.document.operations()
    }


async def test_the_document_is_valid_by_the_schema_of_openapi_3_1(edge: Api) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(edge.document.document).iter_errors()] == []


async def test_every_parameter_has_a_plain_schema_and_is_told_in_words(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for parameter in operation["parameters"]:
            assert "null" not in str(parameter["schema"])
            assert parameter["description"]
    assert _parameter(edge, "list_items", "limit")["schema"] == {
        "title": "Limit",
        "description": "How many at the most",
        "type": "integer",
        "minimum": 1,
        "maximum": 200,
        "default": 50,
        "examples": [20],
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
                whole, _ = response["content"][kind]["schema"]["allOf"]
                assert whole == {"$ref": "#/components/schemas/ProblemOut"}
                for code in edge.document.codes_of(response):
                    assert f"`{code}`" in response["description"]


async def test_the_frameworks_own_errors_are_not_in_the_document(edge: Api) -> None:
    assert "HTTPValidationError" not in str(edge.document.document)


async def test_every_code_has_a_page_that_explains_it(edge: Api) -> None:
    for code in {code for _, code in edge.document.codes()} | {"method_not_allowed"}:
        answer = await edge.client.get(f"/problems/{code.replace('_', '-')}")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert f"<code>{code}</code>" in answer.text


async def test_a_body_is_json_but_for_a_patch_by_two_names_the_form_of_sign_in_and_the_rows_of_an_import(
    edge: Api,
) -> None:
    others = {
        "issue_token": {"application/x-www-form-urlencoded"},
        "import_items": {"application/x-ndjson", "text/csv"},
    }
    for method, _, operation in edge.document.operations():
        by_method = {"application/json", *(["application/merge-patch+json"] if method == "PATCH" else [])}
        if "requestBody" in operation:
            expected = others.get(operation["operationId"], by_method)
            assert operation["requestBody"]["content"].keys() == expected


async def test_the_authorize_button_finds_the_form_of_sign_in(edge: Api) -> None:
    schemes = edge.document.document["components"]["securitySchemes"]
    assert schemes["OAuth2"]["flows"] == {
        "password": {"tokenUrl": "/auth/token", "refreshUrl": "/auth/token", "scopes": {}}
    }


async def test_the_document_says_where_one_has_to_be_signed_in(edge: Api) -> None:
    asked = {operation["operationId"]: operation["security"] for _, _, operation in edge.document.operations()}
    for_everybody = {name for name, security in asked.items() if security == []}
    assert for_everybody == {"issue_token", "get_liveness", "get_readiness", "get_metrics", "explain_problem"}
    assert asked.pop("register_user") == [{}, {"OAuth2": []}]
    assert all(asked[name] == [{"OAuth2": []}] for name in asked.keys() - for_everybody)


async def test_problems_and_tokens_are_documented_with_their_headers(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for status, names in (("401", {"WWW-Authenticate"}), ("429", {"Retry-After", "RateLimit", "RateLimit-Policy"})):
            response = operation["responses"].get(status, {"headers": names})
            assert set(response["headers"]) - {"X-Request-ID"} == names
    token = edge.document.operation("POST", "/auth/token")
    assert token is not None
    assert set(token["responses"]["200"]["headers"]) == {"Cache-Control", "X-Request-ID"}


async def test_a_path_has_the_methods_that_the_document_gives_and_head_and_options(edge: Api) -> None:
    for path, methods in edge.document.document["paths"].items():
        documented = {method.upper() for method in methods}
        answer = await edge.client.options(re.sub(r"\{\w+\}", "7", path))
        assert set(answer.headers["Allow"].split(", ")) == {
            *documented,
            "OPTIONS",
            *(["HEAD"] if "GET" in documented else []),
        }


async def test_numbers_have_their_exact_bounds(edge: Api) -> None:
    schemas = edge.document.document["components"]["schemas"]
    assert schemas["ItemCreate"]["properties"]["owner_id"]["maximum"] == 2**63 - 1
    assert schemas["ItemCreate"]["properties"]["quantity"]["maximum"] == 2**31 - 1
