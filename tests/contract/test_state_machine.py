"""All backends do the same, whatever is done to them in whatever order."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.domain.actors import Actor
from steward.domain.filters import ITEM_SORT_FIELDS, ItemFilter
from steward.domain.items import NewItem, ToItem
from steward.domain.pages import Sort
from steward.domain.users import NewUser
from steward.service_layer import items, users
from steward.service_layer.retry import run
from steward.testing import Clock

from .backends import Backends, Stores, inside
from .conftest import PATIENT, copy_of
from .driven_backends import DrivenBackend, Raised

NAMES = st.sampled_from(["ada", "ADA", "bob", "cyd", "Ωmega"])
ADDRESSES = st.sampled_from(["ada@example.org", "bob@example.org", "BOB@example.org", "cyd@example.org"])
NUMBERS = st.integers(0, 6)
QUANTITIES = st.integers(0, 4)
VERSIONS = st.sampled_from([None, None, 1, 2])
ATTRIBUTES = st.sampled_from([{}, {"a": 1}, {"a": 1.0}, {"b": [1, {"c": None}], "a": True}])


class Machine(Backends):
    """What can be done to a unit of work, beside entering and leaving its blocks."""

    @initialize()
    def something_is_there(self) -> None:
        for name in ("ada", "bob"):
            self.register(name, f"{name}@example.org", True)
            self.create_item(0, {"a": 1}, True)

    # Statements

    @inside
    @rule(name=NAMES, address=ADDRESSES)
    def add_user(self, name: str, address: str) -> None:
        new = NewUser.of(username=name, email=address)
        self.all_do(lambda driven: driven.uow.users.add(new, at=self.clock()), creates=True)

    @inside
    @rule(owner=NUMBERS, quantity=QUANTITIES, attributes=ATTRIBUTES)
    def add_item(self, owner: int, quantity: int, attributes: dict[str, Any]) -> None:
        self.all_do(
            lambda driven: driven.uow.items.add(
                NewItem.of(owner_id=driven.user_id(owner), name="Box", quantity=quantity, attributes=attributes),
                at=self.clock(),
            ),
            creates=True,
        )

    @inside
    @rule(number=NUMBERS)
    def get(self, number: int) -> None:
        self.all_do(lambda driven: driven.uow.users.get(driven.user_id(number)))
        self.all_do(lambda driven: driven.uow.items.get(driven.item_id(number)))

    @inside
    @rule(name=NAMES)
    def find(self, name: str) -> None:
        self.all_do(lambda driven: driven.uow.users.find(name))

    @inside
    @rule(
        number=NUMBERS,
        limit=st.integers(1, 3),
        least=st.integers(0, 3),
        sort=st.sampled_from(("quantity", "-quantity")),
    )
    def pages(self, number: int, limit: int, least: int, sort: str) -> None:
        self.all_do(lambda driven: driven.uow.users.page(after=(driven.user_id(number),), limit=limit))
        self.all_do(lambda driven: driven.uow.items.page(after=(driven.item_id(number),), limit=limit))
        order, where = Sort.of(sort, fields=ITEM_SORT_FIELDS), ItemFilter(q="bo", min_quantity=least)
        self.all_do(
            lambda driven: driven.uow.items.page(where, sort=order, after=(least, driven.item_id(number)), limit=limit)
        )
        self.all_do(lambda driven: driven.uow.items.page_with_owner(ItemFilter(driven.user_id(number)), limit=limit))
        self.all_do(lambda driven: driven.uow.items.count(ItemFilter(driven.user_id(number), min_quantity=least)))

    @inside
    @precondition(lambda self: self.driven_backends[0].users)
    @rule(number=NUMBERS, name=NAMES, version=VERSIONS)
    def save_user(self, number: int, name: str, version: int | None) -> None:
        def change(driven: DrivenBackend) -> Awaitable[None]:
            user = driven.user(number)
            user.change(at=self.clock(), username=name)
            return driven.uow.users.save(user, expected_version=version)

        self.all_do(change)

    @inside
    @precondition(lambda self: self.driven_backends[0].items)
    @rule(number=NUMBERS, quantity=st.integers(-1, 4), owner=NUMBERS, version=VERSIONS)
    def save_item(self, number: int, quantity: int, owner: int, version: int | None) -> None:
        def change(driven: DrivenBackend) -> Awaitable[None]:
            item = driven.item(number)
            changed = replace(item, quantity=quantity, owner_id=driven.user_id(owner), updated_at=self.clock())
            return driven.uow.items.save(changed, expected_version=version)

        self.all_do(change)

    @inside
    @precondition(lambda self: self.driven_backends[0].users)
    @rule(number=NUMBERS, version=VERSIONS)
    def delete_user(self, number: int, version: int | None) -> None:
        self.all_do(lambda driven: driven.uow.users.delete(driven.user(number), expected_version=version))

    @inside
    @precondition(lambda self: self.driven_backends[0].items)
    @rule(number=NUMBERS, version=VERSIONS)
    def delete_item(self, number: int, version: int | None) -> None:
        self.all_do(lambda driven: driven.uow.items.delete(driven.item(number), expected_version=version))

    @inside
    @rule(giver=NUMBERS, taker=NUMBERS, hand_over=st.booleans())
    def all_items_of(self, giver: int, taker: int, hand_over: bool) -> None:
        if hand_over:
            self.all_do(
                lambda driven: driven.uow.items.hand_over_all_of(
                    driven.user_id(giver), to=driven.user_id(taker), at=self.clock()
                )
            )
        else:
            self.all_do(lambda driven: driven.uow.items.delete_all_of(driven.user_id(giver)))

    # Use cases: alone or joined, called or run

    def all_use(
        self,
        use_case: Callable[..., Awaitable[Any]],
        by_run: bool,
        arguments: Callable[[DrivenBackend], Any],
        *,
        creates: bool = False,
    ) -> None:
        def use(driven: DrivenBackend) -> Awaitable[Any]:
            if by_run:
                return run(driven.uow, use_case, Actor.system(), **arguments(driven))
            return use_case(driven.uow, Actor.system(), **arguments(driven))

        self.all_do(use, creates=creates)

    @rule(name=NAMES, address=ADDRESSES, by_run=st.booleans())
    def register(self, name: str, address: str, by_run: bool) -> None:
        self.all_use(users.register_user, by_run, lambda driven: {"username": name, "email": address}, creates=True)

    @rule(owner=NUMBERS, attributes=ATTRIBUTES, by_run=st.booleans())
    def create_item(self, owner: int, attributes: dict[str, Any], by_run: bool) -> None:
        self.all_use(
            items.create_item,
            by_run,
            lambda driven: {"owner_id": driven.user_id(owner), "name": "Lid", "quantity": 3, "attributes": attributes},
            creates=True,
        )

    @rule(number=NUMBERS, quantity=QUANTITIES, attributes=ATTRIBUTES, version=VERSIONS)
    def update_item(self, number: int, quantity: int, attributes: dict[str, Any], version: int | None) -> None:
        self.all_use(
            items.update_item,
            True,
            lambda driven: {
                "item_id": driven.item_id(number),
                "quantity": quantity,
                "attributes": attributes,
                "version": version,
            },
        )

    @rule(number=NUMBERS, to=st.one_of(NAMES, NUMBERS), into=st.booleans(), quantity=st.sampled_from([None, 1, 2, 5]))
    def transfer_item(self, number: int, to: str | int, into: bool, quantity: int | None) -> None:
        def arguments(driven: DrivenBackend) -> dict[str, Any]:
            recipient = to if isinstance(to, str) else ToItem(driven.item_id(to)) if into else driven.user_id(to)
            return {"item_id": driven.item_id(number), "to": recipient, "quantity": quantity}

        self.all_use(items.transfer_item, False, arguments, creates=not into or isinstance(to, str))

    @rule(number=NUMBERS, what=st.sampled_from(["leave", "delete", "transfer"]), to=NUMBERS, by_run=st.booleans())
    def remove_user(self, number: int, what: str, to: int, by_run: bool) -> None:
        self.all_use(
            users.delete_user,
            by_run,
            lambda driven: {
                "user_id": driven.user_id(number),
                "delete_items": what == "delete",
                "transfer_items_to": driven.user_id(to) if what == "transfer" else None,
            },
        )

    # Misuse and misfortune

    @inside
    @rule(name=NAMES, writes=st.booleans())
    def cancel_a_statement(self, name: str, writes: bool) -> None:
        async def cancelled(driven: DrivenBackend) -> object:
            new = NewUser.of(username=name, email=f"{name}@example.org")
            work: Any = driven.uow.users.add(new, at=self.clock()) if writes else driven.uow.users.page(limit=3)
            statement = asyncio.create_task(work)
            await asyncio.sleep(0)
            statement.cancel()
            return await statement

        self.all_do(cancelled)

    @inside
    @rule(name=NAMES)
    def two_statements_at_once(self, name: str) -> None:
        async def both(driven: DrivenBackend) -> object:
            new = NewUser.of(username=name, email=f"{name}@example.org")
            answers = await asyncio.gather(
                driven.uow.users.add(new, at=self.clock()), driven.uow.users.page(limit=3), return_exceptions=True
            )
            return [Raised.of(each) if isinstance(each, BaseException) else each for each in answers]

        self.all_do(both, creates=True)

    @rule(name=NAMES)
    def a_second_unit(self, name: str) -> None:
        self.all_do(
            lambda driven: users.register_user(
                driven.store.unit_of_work(), Actor.system(), username=name, email=f"{name}@example.org"
            ),
            creates=True,
        )

    @rule(seconds=st.integers(0, 3))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)


# Where PostgreSQL is compared, SQLite is too: alone it is there for those who leave PostgreSQL out.
@pytest.mark.parametrize(("compared", "examples"), [("sqlite", 10), ("postgres", 50)], ids=["sqlite", "postgres"])
def test_all_forms_answer_alike_whatever_is_done_to_them(
    compared: str, examples: int, sqlite_template: Path, request: pytest.FixtureRequest
) -> None:
    """`STEWARD_TEST_EXAMPLES=2000 pytest tests/contract/test_state_machine.py` looks longer."""
    postgres = request.getfixturevalue("postgres_to_share") if compared == "postgres" else None

    def make_stores(clock: Clock, directory: Path) -> Stores:
        stores: Stores = [
            MemoryDatabase(clock=clock),
            copy_of(sqlite_template, directory, clock=clock),
        ]
        return stores if postgres is None else [*stores, Database(postgres, clock=clock, pool=PATIENT)]

    run_state_machine_as_test(
        lambda: Machine(make_stores),  # type: ignore[arg-type]  # it is called, so a function will do
        settings=settings(
            max_examples=int(os.environ.get("STEWARD_TEST_EXAMPLES", examples)),
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
