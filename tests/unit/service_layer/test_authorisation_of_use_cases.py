"""Who may call which use case: the rules stand in the service layer, so they hold without any route."""

import inspect
import pkgutil
from collections.abc import Awaitable, Iterator
from importlib import import_module

import pytest
import steward.service_layer
from steward.domain.actors import Actor
from steward.domain.errors import StewardError
from steward.domain.login_sessions import Client, Lifetimes
from steward.domain.users import Role
from steward.service_layer.accounts import Accounts
from steward.testing import FastHasher, MemoryDatabase, given_item, given_session, given_user

from tests.unit.service_layer.use_cases_by_actor import ACTORS, NEW, NO_LIMITS, OPEN, PASSWORD, USE_CASES, Call, Scene


async def given_scene(store: MemoryDatabase) -> Scene:
    password_hash = await OPEN.hasher.hash(PASSWORD)
    owner = await given_user(store, password_hash=password_hash)
    other = await given_user(store, password_hash=password_hash)
    admin = await given_user(store, role=Role.ADMIN, password_hash=password_hash)
    session, tokens = await given_session(store, user=owner)
    return Scene(owner, other, admin, await given_item(store, owner=owner, quantity=3), session, tokens)


async def outcome(work: Awaitable[object]) -> str:
    """`no` where a use case says that there was no such thing."""
    try:
        return "no" if await work is False else "done"
    except StewardError as error:
        return type(error).__name__


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(call, expected.split(), id=f"{name} {number}")
        for name, rows in USE_CASES.items()
        for number, (expected, call) in enumerate(rows, 1)
    ],
)
async def test_a_use_case_decides_by_itself_who_may(call: Call, expected: list[str]) -> None:
    outcomes = {}
    for actor in ACTORS:
        store = MemoryDatabase()
        scene = await given_scene(store)
        before, commits = store.committed.copy(), store.commits
        outcomes[actor] = await outcome(call(store.unit_of_work(), scene.actor(actor), scene))
        assert outcomes[actor] == "done" or (store.committed, store.commits) == (before, commits), actor
    assert outcomes == dict(zip(ACTORS, expected, strict=True))


async def test_a_closed_registration_hashes_no_password() -> None:
    """Refused before it costs anything, not after."""
    hasher = FastHasher()
    closed = Accounts(hasher, NO_LIMITS, Lifetimes(), open_to_all=False)
    uow = MemoryDatabase().unit_of_work()
    work = closed.prepare_sign_up(uow, Actor.anonymous(), **NEW, password=PASSWORD, client=Client())
    assert await outcome(work) == "RegistrationClosed"
    assert hasher.calls == 0


def test_no_use_case_is_missing_from_the_table() -> None:
    assert USE_CASES.keys() == {name for name, parameters in public_coroutines() if parameters[:2] == ["uow", "actor"]}


def test_every_public_use_case_takes_an_actor() -> None:
    """But for those that find out who that is, and the one that calls the others."""
    without = {name for name, parameters in public_coroutines() if "uow" in parameters and "actor" not in parameters}
    assert without == {"login_sessions.authenticate", "login_sessions.actor_behind"}


def public_coroutines() -> Iterator[tuple[str, list[str]]]:
    """Of functions and methods: `module.name` and the names of the parameters, without `self`."""
    for found in pkgutil.iter_modules(steward.service_layer.__path__):
        module = import_module(f"steward.service_layer.{found.name}")
        for name, member in inspect.getmembers(module):
            if getattr(member, "__module__", None) != module.__name__:
                continue
            members = inspect.getmembers(member) if inspect.isclass(member) else [("", member)]
            for method, function in members:
                path = f"{found.name}.{name}.{method}".rstrip(".")
                if inspect.iscoroutinefunction(function) and "._" not in path and path != "retry.run":
                    yield path, [each for each in inspect.signature(function).parameters if each != "self"]
