"""Links of the OpenAPI document: what an answer says about the requests that may come next.

They hold no conditions: whoever has read an ETag may send it along as `If-Match`.
"""

from typing import Any

_THE_ITEM = {"item_id": "$response.body#/id"}
_THE_USER = {"user_id": "$response.body#/id"}
_ON_AN_ITEM: dict[str, dict[str, str]] = dict.fromkeys(
    ("get_item", "update_item", "delete_item", "transfer_item"), _THE_ITEM
)
_ON_A_USER: dict[str, dict[str, str]] = dict.fromkeys(
    ("get_user", "update_user", "delete_user", "list_items_of_user"), _THE_USER
)
_ITS_OWNER = {"get_user": {"user_id": "$response.body#/owner_id"}}

# By operation: those that may come next, each with its parameters.
_NEXT: dict[str, dict[str, dict[str, str]]] = {
    "register_user": _ON_A_USER,
    "get_user": _ON_A_USER,
    "update_user": _ON_A_USER,
    "create_item": _ON_AN_ITEM | _ITS_OWNER,
    "get_item": _ON_AN_ITEM | _ITS_OWNER,
    "update_item": _ON_AN_ITEM | _ITS_OWNER,
    "transfer_item": {"get_item": {"item_id": "$response.body#/received/id"}},
    "list_items": {"get_item": {"item_id": "$response.body#/data/0/id"}},
    "list_items_of_user": {"get_item": {"item_id": "$response.body#/data/0/id"}},
    "list_users": {"get_user": {"user_id": "$response.body#/data/0/id"}},
    "list_sessions": {"end_session": {"session_id": "$response.body#/data/0/id"}},
}
_REFRESH = {
    "operationId": "issue_token",
    "description": "Exchange the refresh token",
    "requestBody": {"grant_type": "refresh_token", "refresh_token": "$response.body#/refresh_token"},
}


def links_between(paths: dict[str, Any]) -> None:
    """Add them to the first answer, which is the success, of each operation."""
    operations = {each["operationId"]: each for path in paths.values() for each in path.values()}
    for operation_id, operation in operations.items():
        links = {
            following: {"operationId": following, "description": operations[following]["summary"], "parameters": given}
            for following, given in _NEXT.get(operation_id, {}).items()
            if following != operation_id
        }
        links |= _next_page(operation)
        if operation_id == "issue_token":
            links["refresh"] = _REFRESH
        if links:
            success = min(operation["responses"])
            operation["responses"][success]["links"] = links


def _next_page(operation: dict[str, Any]) -> dict[str, Any]:
    """A cursor belongs to the filters and the sort that it was made with."""
    given = {each["name"]: each["in"] for each in operation["parameters"] if "name" in each}
    if "cursor" not in given:
        return {}
    same = {name: f"$request.{where}.{name}" for name, where in given.items()}
    parameters = {**same, "cursor": "$response.body#/next_cursor"}
    link = {"operationId": operation["operationId"], "description": "The next page", "parameters": parameters}
    return {"next_page": link}
