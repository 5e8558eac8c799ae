"""Steward in plain Python, as far as a client can tell: users, items and sessions, and what each request is answered.

A method that gives an `Outcome`, the status and the code of a problem, is one request, and does what its success does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

Outcome = tuple[int, str | None]
NOT_SIGNED_IN, REVOKED = (401, "not_authenticated"), (401, "token_revoked")
NO_USER, NO_ITEM, NO_SESSION = (404, "user_not_found"), (404, "item_not_found"), (404, "session_not_found")
FORBIDDEN, INVALID = (403, "forbidden"), (422, "invalid_request")
CREDENTIALS, NO_RECIPIENT = (400, "invalid_credentials"), (422, "unknown_recipient")
LAST_ADMIN = (409, "last_admin")


@dataclass
class User:
    id: int
    username: str
    email: str
    password: str | None
    role: str = "member"
    is_active: bool = True
    version: int = 1

    def is_called(self, name: str) -> bool:
        return name.casefold() in (self.username.casefold(), self.email.casefold())


@dataclass
class Item:
    id: int
    owner: int
    quantity: int
    version: int = 1


@dataclass
class Session:
    """Whoever has `access` acts as the user. Of `refresh` the last token may be exchanged."""

    id: int
    user: int
    access: list[str]
    refresh: list[str]


@dataclass
class Model:
    users: dict[int, User] = field(default_factory=dict)
    items: dict[int, Item] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)

    def answer(self, caller: Session | None, request: Callable[..., Outcome], *args: Any, **options: Any) -> Outcome:
        """Whoever has no session is answered nothing else."""
        if caller is None:
            return NOT_SIGNED_IN
        return request(caller, *args, **options) if caller.id in self.sessions else REVOKED

    def is_admin(self, caller: Session) -> bool:
        return self.users[caller.user].role == "admin"

    def may_act_for(self, caller: Session, user: int) -> bool:
        return caller.user == user or self.is_admin(caller)

    def called(self, name: str) -> User | None:
        return next((user for user in self.users.values() if user.is_called(name)), None)

    def is_last_admin(self, user: User) -> bool:
        admins = [each.id for each in self.users.values() if each.is_active and each.role == "admin"]
        return admins == [user.id]

    def taken(self, username: str, email: str, but: int | None = None) -> Outcome | None:
        others = [user for user in self.users.values() if user.id != but]
        if any(user.username.casefold() == username.casefold() for user in others):
            return 409, "username_taken"
        if any(user.email.casefold() == email.casefold() for user in others):
            return 409, "email_taken"
        return None

    def sign_in(self, name: str, password: str) -> Outcome:
        user = self.called(name)
        return (200, None) if user and user.is_active and user.password == password else CREDENTIALS

    def refresh(self, session: Session, token: str) -> Outcome:
        if session.id not in self.sessions or token not in session.refresh:
            return CREDENTIALS
        if token != session.refresh[-1]:  # whoever used it first was somebody else
            del self.sessions[session.id]
            return CREDENTIALS
        return 200, None

    def end_login_sessions_of(self, user: int, but: int | None = None) -> None:
        self.sessions = {id: each for id, each in self.sessions.items() if each.user != user or id == but}

    def end_session(self, caller: Session, id: int) -> Outcome:
        if id not in self.sessions or self.sessions[id].user != caller.user:
            return NO_SESSION
        del self.sessions[id]
        return 204, None

    def change_user(self, caller: Session, id: int, changes: dict[str, Any]) -> Outcome:
        if not self.may_act_for(caller, id):
            return NO_USER
        if not self.is_admin(caller) and changes.keys() & {"role", "is_active"}:
            return FORBIDDEN
        if id not in self.users:
            return NO_USER
        before = self.users[id]
        after = replace(before, **changes)
        if after == before:
            return 200, None
        if self.is_last_admin(before) and (after.role != "admin" or not after.is_active):
            return LAST_ADMIN
        if taken := self.taken(after.username, after.email, but=id):
            return taken
        after.version += 1
        self.users[id] = after
        if not after.is_active:
            self.end_login_sessions_of(id)
        return 200, None

    def change_password(self, caller: Session, current: str, new: str) -> Outcome:
        user = self.users[caller.user]
        if user.password != current:
            return INVALID
        user.password = new
        user.version += 1
        self.end_login_sessions_of(user.id, but=caller.id)
        return 204, None

    def delete_user(self, caller: Session, id: int, *, delete_items: bool, to: int | None) -> Outcome:
        if not self.may_act_for(caller, id) or id not in self.users:
            return NO_USER
        if self.is_last_admin(self.users[id]):
            return LAST_ADMIN
        owned = [item for item in self.items.values() if item.owner == id]
        if delete_items:
            for item in owned:
                del self.items[item.id]
        elif to is not None:
            if to == id or to not in self.users or not self.users[to].is_active:
                return NO_RECIPIENT
            for item in owned:
                item.owner = to
                item.version += 1
        elif owned:
            return 409, "user_owns_items"
        self.end_login_sessions_of(id)
        del self.users[id]
        return 204, None

    def create_item(self, caller: Session, owner: int) -> Outcome:
        if not self.may_act_for(caller, owner):
            return FORBIDDEN
        return (201, None) if owner in self.users else INVALID

    def own_item(self, caller: Session, id: int) -> Item | None:
        item = self.items.get(id)
        return item if item and self.may_act_for(caller, item.owner) else None

    def change_item(self, caller: Session, id: int, quantity: int) -> Outcome:
        item = self.own_item(caller, id)
        if item is None:
            return NO_ITEM
        item.version += item.quantity != quantity
        item.quantity = quantity
        return 200, None

    def delete_item(self, caller: Session, id: int) -> Outcome:
        if self.own_item(caller, id) is None:
            return NO_ITEM
        del self.items[id]
        return 204, None

    def transfer_to_user(self, caller: Session, id: int, to: int, quantity: int | None) -> Outcome:
        """What is split off is still to be added, once its id is known."""
        item = self.own_item(caller, id)
        if item is None:
            return NO_ITEM
        if to not in self.users or not self.users[to].is_active or to == item.owner:
            return NO_RECIPIENT
        if quantity is not None and quantity > item.quantity:
            return 409, "insufficient_quantity"
        item.version += 1
        if quantity is None or quantity == item.quantity:
            item.owner = to
        else:
            item.quantity -= quantity
        return 200, None

    def transfer_into(self, caller: Session, id: int, to: int, quantity: int | None) -> Outcome:
        item, target = self.own_item(caller, id), self.own_item(caller, to)
        if item is None:
            return NO_ITEM
        if id == to:
            return 422, "same_item"
        if target is None:
            return NO_RECIPIENT
        moved = item.quantity if quantity is None else quantity
        if moved > item.quantity:
            return 409, "insufficient_quantity"
        if moved:
            item.quantity -= moved
            target.quantity += moved
            item.version += 1
            target.version += 1
        return 200, None
