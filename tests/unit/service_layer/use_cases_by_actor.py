"""Who may call which use case: the table. Several calls of one use case are told apart by what they ask for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from steward.domain.actors import Actor
from steward.domain.attempts import CounterKey, Limit
from steward.domain.batch_operations import CreateItem, UpdateItem
from steward.domain.idempotency import KeyHash, RequestKey
from steward.domain.items import Item, NewItem
from steward.domain.login_sessions import Client, Lifetimes, LoginSession
from steward.domain.users import PasswordHash, Role, User
from steward.service_layer import (
    batch,
    exports,
    idempotency,
    imports,
    initial_admin,
    items,
    limits,
    lists,
    login_sessions,
    seeding,
    users,
)
from steward.service_layer.accounts import Accounts
from steward.service_layer.limits import Attempt, Limits
from steward.service_layer.tokens import Tokens
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import FastHasher

PASSWORD = "marmalade skies 7"
HASH = PasswordHash("another")
NO_LIMITS = Limits(b"secret", None)
OPEN = Accounts(FastHasher(), NO_LIMITS, Lifetimes(), open_to_all=True)
CLOSED = Accounts(FastHasher(), NO_LIMITS, Lifetimes(), open_to_all=False)
ATTEMPT = Attempt(Limit("sign-in", 10, timedelta(minutes=5)), CounterKey(bytes(32)))
NEW: dict[str, Any] = {"username": "newcomer", "email": "newcomer@example.org"}
KEY = RequestKey(KeyHash(bytes(32)), bytes(32), None)
ACTORS = ("anonymous", "owner", "other", "admin", "system")


@dataclass(frozen=True, slots=True)
class Scene:
    """All have one password, and the item and the session are the owner's."""

    owner: User
    other: User
    admin: User
    box: Item
    session: LoginSession
    tokens: Tokens

    def actor(self, name: str) -> Actor:
        everybody = {"owner": self.owner, "other": self.other, "admin": self.admin}
        if name in everybody:
            return Actor.of(everybody[name])
        return Actor.system() if name == "system" else Actor.anonymous()


Call = Callable[[UnitOfWork, Actor, Scene], Awaitable[object]]

ALL = "done done done done done"
# Nobody in particular, the owner, another user, an admin, the system.
OWN = "{0} done {0} done done"
OWN_AND_NOT_AN_ADMINS = "{0} done {0} {0} done"
ADMIN = "Forbidden Forbidden Forbidden done done"

USE_CASES: dict[str, list[tuple[str, Call]]] = {
    "users.register_user": [
        (ALL, lambda uow, actor, _: users.register_user(uow, actor, **NEW)),
        (ADMIN, lambda uow, actor, _: users.register_user(uow, actor, **NEW, role=Role.ADMIN)),
        (
            "RegistrationClosed RegistrationClosed RegistrationClosed done done",
            lambda uow, actor, _: users.register_user(uow, actor, **NEW, open_to_all=False),
        ),
    ],
    "users.get_user": [
        (OWN.format("UserNotFound"), lambda uow, actor, on: users.get_user(uow, actor, user_id=on.owner.id))
    ],
    "users.find_user": [
        (OWN.format("UserNotFound"), lambda uow, actor, on: users.find_user(uow, actor, name=on.owner.username)),
        (OWN.format("UserNotFound"), lambda uow, actor, on: users.find_user(uow, actor, name=on.owner.email)),
    ],
    "lists.list_users": [(ADMIN, lambda uow, actor, _: lists.list_users(uow, actor))],
    "users.update_user": [
        (
            OWN.format("UserNotFound"),
            lambda uow, actor, on: users.update_user(uow, actor, user_id=on.owner.id, username="renamed"),
        ),
        (
            "UserNotFound Forbidden UserNotFound done done",
            lambda uow, actor, on: users.update_user(uow, actor, user_id=on.owner.id, role=Role.ADMIN),
        ),
        (
            "UserNotFound Forbidden UserNotFound done done",
            lambda uow, actor, on: users.update_user(uow, actor, user_id=on.owner.id, is_active=False),
        ),
    ],
    "users.set_password": [
        (
            OWN_AND_NOT_AN_ADMINS.format("UserNotFound"),
            lambda uow, actor, on: users.set_password(uow, actor, user_id=on.owner.id, password_hash=HASH),
        )
    ],
    "users.delete_user": [
        (
            OWN.format("no"),
            lambda uow, actor, on: users.delete_user(uow, actor, user_id=on.owner.id, delete_items=True),
        ),
        (
            OWN.format("no"),
            lambda uow, actor, on: users.delete_user(uow, actor, user_id=on.owner.id, transfer_items_to=on.other.id),
        ),
    ],
    "items.create_item": [
        (
            "NotAuthenticated done done done InvalidValue",
            lambda uow, actor, _: items.create_item(uow, actor, name="Lid"),
        ),
        (
            "NotAuthenticated done Forbidden done done",
            lambda uow, actor, on: items.create_item(uow, actor, name="Lid", owner_id=on.owner.id),
        ),
    ],
    "items.get_item": [
        (OWN.format("ItemNotFound"), lambda uow, actor, on: items.get_item(uow, actor, item_id=on.box.id))
    ],
    "items.get_item_with_owner": [
        (OWN.format("ItemNotFound"), lambda uow, actor, on: items.get_item_with_owner(uow, actor, item_id=on.box.id))
    ],
    "lists.list_items": [
        ("NotAuthenticated done done done done", lambda uow, actor, _: lists.list_items(uow, actor)),
        (
            "NotAuthenticated done UserNotFound done done",
            lambda uow, actor, on: lists.list_items(uow, actor, owner_id=on.owner.id),
        ),
    ],
    "lists.list_items_with_owner": [
        ("NotAuthenticated done done done done", lambda uow, actor, _: lists.list_items_with_owner(uow, actor)),
        (
            "NotAuthenticated done UserNotFound done done",
            lambda uow, actor, on: lists.list_items_with_owner(uow, actor, owner_id=on.owner.id),
        ),
    ],
    "items.update_item": [
        (
            OWN.format("ItemNotFound"),
            lambda uow, actor, on: items.update_item(uow, actor, item_id=on.box.id, quantity=9),
        )
    ],
    "items.delete_item": [(OWN.format("no"), lambda uow, actor, on: items.delete_item(uow, actor, item_id=on.box.id))],
    "items.transfer_item": [
        (
            OWN.format("ItemNotFound"),
            lambda uow, actor, on: items.transfer_item(uow, actor, item_id=on.box.id, to=on.other.id, quantity=1),
        )
    ],
    "batch.run_batch": [
        (
            "NotAuthenticated done done done OperationFailed",
            lambda uow, actor, _: batch.run_batch(uow, actor, operations=[CreateItem(name="Lid")]),
        ),
        (
            "NotAuthenticated done OperationFailed done done",
            lambda uow, actor, on: batch.run_batch(
                uow, actor, operations=[CreateItem(name="Lid", owner_id=on.owner.id)]
            ),
        ),
        (
            "NotAuthenticated done OperationFailed done done",
            lambda uow, actor, on: batch.run_batch(uow, actor, operations=[UpdateItem(item_id=on.box.id, quantity=9)]),
        ),
    ],
    "exports.read_chunk": [
        (
            "NotAuthenticated done UserNotFound done done",
            lambda uow, actor, on: exports.read_chunk(uow, actor, owner_id=on.owner.id),
        ),
        ("NotAuthenticated done done done InvalidValue", lambda uow, actor, _: exports.read_chunk(uow, actor)),
    ],
    "exports.count_items": [
        (
            "NotAuthenticated done UserNotFound done done",
            lambda uow, actor, on: exports.count_items(uow, actor, owner_id=on.owner.id),
        ),
        ("NotAuthenticated done done done InvalidValue", lambda uow, actor, _: exports.count_items(uow, actor)),
    ],
    "imports.import_items": [
        (
            "NotAuthenticated done Forbidden done done",
            lambda uow, actor, on: imports.import_items(
                uow, actor, pieces=lambda: [[NewItem.of(owner_id=on.owner.id, name="Lid")]]
            ),
        ),
    ],
    "login_sessions.list_login_sessions": [
        (
            "NotAuthenticated done UserNotFound UserNotFound done",
            lambda uow, actor, on: login_sessions.list_login_sessions(uow, actor, user_id=on.owner.id),
        ),
        (
            "NotAuthenticated done done done InvalidValue",
            lambda uow, actor, _: login_sessions.list_login_sessions(uow, actor),
        ),
    ],
    "login_sessions.end_login_session": [
        (
            OWN_AND_NOT_AN_ADMINS.format("LoginSessionNotFound"),
            lambda uow, actor, on: login_sessions.end_login_session(uow, actor, session_id=on.session.id),
        )
    ],
    "login_sessions.end_login_sessions_of": [
        (
            OWN_AND_NOT_AN_ADMINS.format("UserNotFound"),
            lambda uow, actor, on: login_sessions.end_login_sessions_of(uow, actor, user_id=on.owner.id),
        )
    ],
    # What has been verified before, or is shown, is the right to do these: nobody has signed in yet.
    "login_sessions.begin_login_session": [
        (
            ALL,
            lambda uow, actor, on: login_sessions.begin_login_session(
                uow, actor, user=on.owner, tokens=Tokens.draw(), lifetimes=Lifetimes(), client=Client()
            ),
        )
    ],
    "login_sessions.refresh_login_session": [
        (
            ALL,
            lambda uow, actor, on: login_sessions.refresh_login_session(
                uow, actor, refresh_token=on.tokens.refresh, tokens=Tokens.draw(), lifetimes=Lifetimes()
            ),
        )
    ],
    "accounts.Accounts.sign_in": [
        (
            ALL,
            lambda uow, actor, on: OPEN.sign_in(
                uow, actor, username=on.owner.username, password=PASSWORD, client=Client()
            ),
        )
    ],
    "accounts.Accounts.refresh": [
        (ALL, lambda uow, actor, on: OPEN.refresh(uow, actor, refresh_token=on.tokens.refresh))
    ],
    "accounts.Accounts.prepare_sign_up": [
        (ALL, lambda uow, actor, _: OPEN.prepare_sign_up(uow, actor, **NEW, password=PASSWORD, client=Client())),
        (
            "RegistrationClosed RegistrationClosed RegistrationClosed done done",
            lambda uow, actor, _: CLOSED.prepare_sign_up(uow, actor, **NEW, password=PASSWORD, client=Client()),
        ),
    ],
    "accounts.Accounts.change_password": [
        (
            "NotAuthenticated done done done NotAuthenticated",
            lambda uow, actor, _: OPEN.change_password(
                uow, actor, current_password=PASSWORD, new_password="tangerine trees 8"
            ),
        )
    ],
    "limits.count_attempts": [(ALL, lambda uow, actor, _: limits.count_attempts(uow, actor, attempts=[ATTEMPT]))],
    "limits.take_back_attempts": [(ALL, lambda uow, actor, _: limits.take_back_attempts(uow, actor, counted=[]))],
    "limits.refuse_beyond_limit": [
        (ALL, lambda uow, actor, _: limits.refuse_beyond_limit(uow, actor, attempts=[ATTEMPT]))
    ],
    # A key that is remembered is its caller's own.
    "idempotency.find_answer": [(ALL, lambda uow, actor, _: idempotency.find_answer(uow, actor, key=KEY))],
    "initial_admin.has_users": [(ADMIN, lambda uow, actor, _: initial_admin.has_users(uow, actor))],
    "initial_admin.create_initial_admin": [
        (ADMIN, lambda uow, actor, _: initial_admin.create_initial_admin(uow, actor, **NEW, password_hash=HASH))
    ],
    "seeding.seed": [
        (ADMIN, lambda uow, actor, _: seeding.seed(uow, actor, users=1, items=0)),
        (ADMIN, lambda uow, actor, _: seeding.seed(uow, actor, users=0, items=1)),
    ],
}
