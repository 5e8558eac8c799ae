"""`/users`"""

from typing import Literal

import httpx2

from .calls import Call, Operation, call, given, nothing
from .lists import Query, parameters
from .values import UNSET, Owner, Role, Unset, User, user_of

Who = User | Owner | int | Literal["me"]

_REGISTER = Operation("register_user", "POST", "/users", keyed=True)
_GET = Operation("get_user", "GET", "/users/{user_id}", harmless=True)
_LIST = Operation("list_users", "GET", "/users", harmless=True)
_UPDATE = Operation("update_user", "PATCH", "/users/{user_id}", keyed=True)
_CHANGE_PASSWORD = Operation("change_password", "PUT", "/users/me/password")
_DELETE = Operation("delete_user", "DELETE", "/users/{user_id}")


def register_user(*, username: str, email: str, password: str, idempotency_key: str | None = None) -> Call[User]:
    """Sign up; anyone may while registration is open, else an admin. Raises `UsernameTaken`, `EmailTaken`,
    `Forbidden`, `RateLimited`, `InvalidRequest`."""
    body = {"username": username, "email": email, "password": password}
    return call(_REGISTER, _user, body=body, idempotency_key=idempotency_key)


def get_user(user: Who) -> Call[User]:
    """Of a `User` the server is asked whether it has changed; if not, the same object comes back. Raises `NotFound`."""
    if isinstance(user, User):
        seen = user
        return call(
            _GET,
            lambda response: seen if response.status_code == 304 else _user(response),
            at=user.id,
            headers={"If-None-Match": user.etag},
        )
    return call(_GET, _user, at=path_of(user))


def get_me() -> Call[User]:
    """Whoever has signed in."""
    return call(_GET, _user, at="me")


def list_users(
    *,
    q: str | None = None,
    role: Role | None = None,
    is_active: bool | None = None,
    sort: str | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Query[User]:
    """For admins. `q` is part of a name or an address; `sort` such as `"-created_at,username"`. Raises `Forbidden`."""
    return Query(
        _LIST,
        user_of,
        parameters(q=q, role=role, is_active=is_active, sort=sort, limit=page_size),
        cursor=cursor,
    )


def update_user(
    user: Who,
    *,
    username: str | Unset = UNSET,
    email: str | Unset = UNSET,
    role: Role | Unset = UNSET,
    is_active: bool | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[User]:
    """What is not given stays. Of a `User` this very version is changed, or `VersionMismatch` raised; of an id any.

    Raises `NotFound`, `UsernameTaken`, `EmailTaken`, `LastAdmin`, `Forbidden`, `InvalidRequest`.
    """
    return call(
        _UPDATE,
        _user,
        at=path_of(user),
        headers=seen_version(user),
        body=given(username=username, email=email, role=role, is_active=is_active),
        idempotency_key=idempotency_key,
    )


def change_password(*, current_password: str, new_password: str) -> Call[None]:
    """Every other session of yours ends. Raises `InvalidRequest`, `RateLimited`, `OutcomeUnknown`."""
    body = {"current_password": current_password, "new_password": new_password}
    return call(_CHANGE_PASSWORD, nothing, body=body)


def delete_user(
    user: Who, *, items: Literal["delete"] | None = None, items_to: User | Owner | int | None = None
) -> Call[None]:
    """Say what becomes of the items: deleted, or handed to `items_to`; else a user who has any raises `UserOwnsItems`.

    Of a `User` this very version is deleted, or `VersionMismatch` raised; of an id any. Raises `NotFound`, `LastAdmin`,
    and `OutcomeUnknown`: then look whether the user is still there.
    """
    if items_to is not None:
        if items is not None:
            raise ValueError("The items can be deleted or handed over, not both")
        fate = parameters(items="transfer", to=path_of(items_to))
    else:
        fate = parameters(items=items)
    return call(_DELETE, nothing, at=path_of(user), headers=seen_version(user), query=fate)


def path_of(user: Who) -> int | str:
    return user if isinstance(user, int | str) else user.id


def seen_version(user: Who) -> dict[str, str]:
    return {"If-Match": user.etag} if isinstance(user, User) else {}


def _user(response: httpx2.Response) -> User:
    return user_of(response.json())
