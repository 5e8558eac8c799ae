"""The examples of the OpenAPI document: one story, which the tests play with a real server.

Ada is user 7, and her box item 7; Bob is user 8, and item 8 is a chest. An admin asks, of whom one can ask everything.
Values that nobody can know beforehand, which are tokens and cursors, only look like theirs.
"""

import json
from typing import Any

from ....domain import errors

PASSWORD = "correct horse battery staple"  # noqa: S105
REQUEST_ID = "4adf1d1bfb8d4dbb89b5a1b9a3b1b3f8"
ETAG = '"7-1"'
_CURSOR = "WyIxIiw3XQ"
_ACCESS_TOKEN, _REFRESH_TOKEN = f"stwa_{'Yk2n' * 10}abc", f"stwr_{'Xu7m' * 10}abc"
_THEN, _NOW = "2026-11-22T01:18:00.123456Z", "2026-11-22T04:48:45.422940Z"

ADA: dict[str, Any] = {
    "id": 7,
    "username": "ada",
    "email": "ada@example.org",
    "role": "member",
    "is_active": True,
    "created_at": _THEN,
    "updated_at": _THEN,
    "version": 1,
}
BOX: dict[str, Any] = {
    "id": 7,
    "owner_id": 7,
    "name": "Box",
    "description": "Oak",
    "quantity": 3,
    "attributes": {"colour": "green", "size": {"unit": "cm", "height": 30}},
    "created_at": _THEN,
    "updated_at": _THEN,
    "version": 1,
}
SPLIT_OFF = {**BOX, "id": 9, "owner_id": 8, "quantity": 1, "created_at": _NOW, "updated_at": _NOW}
SESSION = {
    "id": 7,
    "created_at": _THEN,
    "refreshed_at": _NOW,
    "expires_at": "2026-12-22T04:48:45.422940Z",
    "user_agent": "curl/8.18.0",
    "address": "192.0.2.1",
    "current": True,
}

# By the name of the schema, or by media type where there is none.
ANSWERS: dict[str, Any] = {
    "UserOut": ADA,
    "UserPage": {"data": [ADA], "next_cursor": _CURSOR},
    "ItemOut": BOX,
    "ItemPage": {"data": [BOX], "next_cursor": None},
    "TransferOut": {"item": {**BOX, "quantity": 2, "updated_at": _NOW, "version": 2}, "received": SPLIT_OFF},
    "BatchOut": {
        "results": [
            {"op": "create", "id": 9, "version": 1},
            {"op": "update", "id": 7, "version": 2},
            {"op": "transfer", "id": 7, "version": 3, "received_id": 10},
            {"op": "delete", "id": 8, "version": None},
        ]
    },
    "TokenOut": {
        "access_token": _ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_token": _REFRESH_TOKEN,
    },
    "SessionList": {"data": [SESSION]},
    "Health": {"status": "ok"},
    "ImportOut": {"created": 2},
    "application/x-ndjson": json.dumps(BOX, separators=(",", ":")) + "\n",
    "text/csv": (
        "id,owner_id,name,description,quantity,attributes,created_at,updated_at,version\r\n"
        f'7,7,Box,Oak,3,"{{""colour"":""green""}}",{_THEN},{_THEN},1\r\n'
    ),
    "text/plain": "# HELP steward_http_requests_total Requests\n# TYPE steward_http_requests_total counter\n…",
    "text/html": '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Conflict</title>…',
}

# By operation, each with a few words that say what it does.
BODIES: dict[str, dict[str, Any]] = {
    "issue_token": {
        "Sign in": {"grant_type": "password", "username": "ada", "password": PASSWORD},
        "Refresh": {"grant_type": "refresh_token", "refresh_token": _REFRESH_TOKEN},
    },
    "register_user": {
        "Sign up": {"username": "carol", "email": "carol@example.org", "password": PASSWORD},
    },
    "update_user": {
        "Another address": {"email": "ada@example.net"},
        "Make an admin of them": {"role": "admin"},
        "Lock them out": {"is_active": False},
    },
    "change_password": {
        "Another password": {"current_password": PASSWORD, "new_password": "battery staple correct horse"},
    },
    "create_item": {
        "Everything": {"name": "Box", "description": "Oak", "quantity": 3, "attributes": {"colour": "green"}},
        "No more than it needs": {"name": "Lid"},
        "For someone else, as an admin": {"name": "Lid", "owner_id": 8},
    },
    "update_item": {
        "Take one attribute away, and add to another": {
            "quantity": 2,
            "attributes": {"colour": None, "size": {"width": 20}},
        },
        "Without a description": {"description": None},
    },
    "run_batch": {
        "One of each": {
            "operations": [
                {"op": "create", "item": {"name": "Lid"}},
                {"op": "update", "id": 7, "version": 1, "changes": {"description": None}},
                {"op": "transfer", "id": 7, "version": 2, "to": "bob", "quantity": 1},
                {"op": "delete", "id": 8},
            ]
        },
    },
    "transfer_item": {
        "All of it, to a user by name": {"to": "bob"},
        "Some of it": {"to": "bob", "quantity": 1},
        "To a user by id": {"to": {"user_id": 8}},
        "Into another item": {"to": {"item_id": 8}, "quantity": 2},
    },
}

# What an import takes, by media type.
ROWS = {
    "application/x-ndjson": {
        "Two items": '{"name":"Box","quantity":3,"attributes":{"colour":"green"}}\n{"name":"Lid"}\n'
    },
    "text/csv": {"Two items": 'name,quantity,attributes\r\nBox,3,"{""colour"":""green""}"\r\nLid,1,{}\r\n'},
}

# By name, or by operation and name where one name means two things.
PARAMETERS: dict[str | tuple[str, str], Any] = {
    "user_id": 7,
    "item_id": 7,
    "session_id": 7,
    "owner_id": 7,
    "slug": "conflict",
    "limit": 20,
    "cursor": _CURSOR,
    "count": True,
    "expand": "owner",
    "sort": "-created_at,name",
    ("list_users", "sort"): "-created_at,username",
    "name": "Box",
    "q": "oak",
    ("list_users", "q"): "ada",
    "role": "member",
    "is_active": True,
    "min_quantity": 1,
    "max_quantity": 100,
    "created_after": "2026-11-01T00:00:00.000000Z",
    "created_before": "2027-11-01T00:00:00.000000Z",
    "items": "transfer",
    "to": 8,
    "format": "ndjson",
}
# Those of a path cannot be described where they are declared: several routes share them.
IN_A_PATH = {
    "user_id": "The user's id, or `me`",
    "item_id": "The item's id",
    "session_id": "The session's id",
    "slug": "The last part of a problem's `type`",
}

_ERRORS = (
    errors.InvalidCredentials(),
    errors.NotAuthenticated(),
    errors.TokenExpired(),
    errors.TokenRevoked(),
    errors.RegistrationClosed(),
    errors.Forbidden("Only admins may do this"),
    errors.UserNotFound(7),
    errors.ItemNotFound(7),
    errors.LoginSessionNotFound(7),
    errors.UsernameTaken(),
    errors.EmailTaken(),
    errors.UserOwnsItems(7),
    errors.LastAdmin(),
    errors.InsufficientQuantity(wanted=5, available=3),
    errors.QuantityOverflow(2**31 - 1),
    errors.IdempotencyKeyInUse(),
    errors.IdempotencyKeyReused(),
    errors.VersionMismatch(),
    errors.VersionRequired(),
    errors.Conflict(),
    errors.OutcomeUnknown(),
    errors.UnknownRecipient(),
    errors.SameItem(),
    errors.RateLimited(limit="sign-in", quota=10, window=900, retry_after=42),
)
# What those that know more than their title say. By code.
DETAILS = {error.code: str(error) for error in _ERRORS} | {
    "malformed_json": "Expecting value at line 1, column 12",
    "malformed_form": "A percent sign stands for itself only as %25",
    "unsupported_grant_type": "The grants are `password` and `refresh_token`",
    "malformed_idempotency_key": "An idempotency key is 1 to 255 visible ASCII characters, once",
    "route_not_found": "There is no such problem",
    "shutting_down": "This server is ending",
    "internal_error": "Something went wrong on our side",
    "failed_after_commit": "Something went wrong on our side. What had been committed before is stored",
    "invalid_cursor": "This cursor was not given out for this list",
    "body_too_large": "A body has at most 1048576 bytes",
    "unsupported_media_type": "The body has to be application/json",
}
