"""What the tests of accounts begin with: a hasher that takes no time, and limits that are soon reached."""

import asyncio
from datetime import timedelta

from steward.domain.actors import Actor
from steward.domain.attempts import Limit
from steward.domain.errors import Overloaded
from steward.domain.login_sessions import Client, Lifetimes
from steward.domain.users import PasswordHash, Role, User
from steward.service_layer import users
from steward.service_layer.accounts import Accounts
from steward.service_layer.hashing import Hasher, Verified
from steward.service_layer.limits import Limits, Quotas
from steward.service_layer.tokens import Tokens
from steward.testing import FastHasher

from tests.support.given import SYSTEM, Store, given_user

PASSWORD, WRONG = "correct horse battery", "correct horse batterie"
HERE, THERE = "192.0.2.7", "198.51.100.9"
MANY = 1000
HOUR = timedelta(hours=1)


def accounts_with(
    hasher: Hasher,
    *,
    sign_in: int = MANY,
    of_account: int = MANY,
    of_address: int = MANY,
    sign_up: int = MANY,
    password: int = MANY,
    open_to_all: bool = True,
) -> Accounts:
    quotas = Quotas(
        sign_in=Limit("sign-in", sign_in, HOUR),
        sign_in_account=Limit("sign-in-account", of_account, HOUR),
        sign_in_address=Limit("sign-in-address", of_address, HOUR),
        sign_up=Limit("sign-up", sign_up, HOUR),
        password=Limit("password", password, HOUR),
        recipient=Limit("recipient", MANY, HOUR),
    )
    return Accounts(hasher=hasher, limits=Limits(b"s" * 32, quotas), lifetimes=Lifetimes(), open_to_all=open_to_all)


class FullHasher(FastHasher):
    """Too many passwords wait already."""

    async def hash(self, password: str) -> PasswordHash:
        raise Overloaded("Too many passwords are being hashed")

    async def verify(self, password: str, against: PasswordHash | None) -> Verified:
        raise Overloaded("Too many passwords are being hashed")


class SlowHasher(FastHasher):
    """Takes longer than anybody waits; `began` tells when it has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Event()

    async def verify(self, password: str, against: PasswordHash | None) -> Verified:
        self.began.set()
        await asyncio.sleep(600)
        return await super().verify(password, against)


async def given_account(store: Store, username: str, *, role: Role = Role.MEMBER, is_active: bool = True) -> User:
    """A user with `PASSWORD`."""
    user = await given_user(store, username, role=role, is_active=is_active)
    password_hash = await FastHasher().hash(PASSWORD)
    await users.set_password(store.unit_of_work(), SYSTEM, user_id=user.id, password_hash=password_hash)
    return await users.get_user(store.unit_of_work(), SYSTEM, user_id=user.id)


async def sign_in(
    store: Store, accounts: Accounts, username: str, password: str = WRONG, *, address: str | None = HERE
) -> Tokens:
    return await accounts.sign_in(
        store.unit_of_work(), Actor.anonymous(), username=username, password=password, client=Client(address)
    )


async def sign_up(store: Store, accounts: Accounts, username: str, *, actor: Actor | None = None) -> User:
    uow, actor = store.unit_of_work(), actor or Actor.anonymous()
    new = await accounts.prepare_sign_up(
        uow, actor, username=username, email=f"{username}@example.org", password=PASSWORD, client=Client(HERE)
    )
    return await users.register_user(uow, actor, **new)
