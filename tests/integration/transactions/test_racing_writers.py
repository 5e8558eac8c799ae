"""Writers at the same time, held by what must be true whoever wins.

On a SQLite file and on PostgreSQL two `Database` objects write, as two processes do: neither knows of the other's
pool and locks.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.errors import (
    EmailTaken,
    InsufficientQuantity,
    ItemNotFound,
    StewardError,
    UnknownOwner,
    UnknownRecipient,
    UsernameTaken,
    UserOwnsItems,
    VersionMismatch,
)
from steward.domain.items import Item, ItemId, ToItem
from steward.service_layer import items, lists, users
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork

from tests.conftest import PATIENT
from tests.support.given import SYSTEM, Store, every_item, every_username, given_item, given_user
from tests.support.signed_in import patiently

Result = TypeVar("Result")
Stores = tuple[Store, Store]


@asynccontextmanager
async def beside(store: Store) -> AsyncIterator[Store]:
    """Another `Database` on the same data; what lives in the memory of one process has no other."""
    if not isinstance(store, Database) or store.url.database == ":memory:":
        yield store
        return
    async with Database(store.url.render_as_string(hide_password=False), pool=PATIENT) as other:
        yield other


@pytest_asyncio.fixture
async def stores(store: Store) -> AsyncIterator[Stores]:
    async with beside(store) as other:
        yield store, other


async def outcomes(*attempts: Coroutine[Any, Any, Result]) -> tuple[list[Result], Counter[type[StewardError]]]:
    """Let all run at the same time: what those answered that could, and how often each refusal came."""
    results: list[Result] = []
    refusals: Counter[type[StewardError]] = Counter()
    for outcome in await asyncio.gather(*map(patiently, attempts), return_exceptions=True):
        if isinstance(outcome, StewardError):
            refusals[type(outcome)] += 1
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            results.append(outcome)
    return results, refusals


async def increment(uow: UnitOfWork, actor: Actor, *, item_id: ItemId) -> Item:
    async with uow:
        item = await uow.items.get(item_id)
        item.put(1, at=uow.now)
        await uow.items.save(item)
        await uow.commit()
    return item


async def test_thirty_increments_are_thirty(stores: Stores) -> None:
    box = await given_item(stores[0], await given_user(stores[0], "ada"), quantity=0)
    done, refusals = await outcomes(
        *(run(stores[n % 2].unit_of_work(), increment, SYSTEM, item_id=box.id) for n in range(30))
    )
    assert not refusals
    (after,) = await every_item(stores[0])
    assert (after.quantity, after.version) == (30, 31)
    assert sorted(item.quantity for item in done) == list(range(1, 31))


async def test_updates_from_one_version_let_exactly_one_through(stores: Stores) -> None:
    box = await given_item(stores[0], await given_user(stores[0], "ada"))
    done, refusals = await outcomes(
        *(
            run(
                stores[n % 2].unit_of_work(),
                items.update_item,
                SYSTEM,
                item_id=box.id,
                attributes={"by": n},
                version=box.version,
            )
            for n in range(10)
        )
    )
    assert refusals == {VersionMismatch: 9}
    assert await every_item(stores[0]) == done


@pytest.mark.parametrize(
    ("names", "refusal"),
    [
        ([("ada", "ada@example.org")] * 6, UsernameTaken),
        ([("straße", "one@example.org"), ("STRASSE", "two@example.org")] * 3, UsernameTaken),
        ([(f"ada{n}", "ADA@example.org" if n % 2 else "ada@example.org") for n in range(6)], EmailTaken),
    ],
    ids=["one name and address", "variants of a name", "one address"],
)
async def test_of_racing_registrations_exactly_one_wins(
    stores: Stores, names: list[tuple[str, str]], refusal: type[StewardError]
) -> None:
    done, refusals = await outcomes(
        *(
            run(stores[n % 2].unit_of_work(), users.register_user, SYSTEM, username=username, email=email)
            for n, (username, email) in enumerate(names)
        )
    )
    assert [user.username for user in done] == await every_username(stores[0])
    assert len(done) == 1
    assert refusals == {refusal: 5}


async def test_many_transfers_conserve_the_sum_and_leave_nothing_negative(stores: Stores) -> None:
    people = [await given_user(stores[0], name) for name in ("ada", "bob", "eve")]
    things = [await given_item(stores[0], owner, quantity=5) for owner in people for _ in range(2)]
    draw = random.Random(11)
    attempts = []
    for n in range(60):
        giver, taker = draw.sample(things, 2)
        to: Any = draw.choice([ToItem(taker.id), draw.choice(people).username, draw.choice(people).id])
        quantity = draw.choice([None, 1, 2, 4])
        uow = stores[n % 2].unit_of_work()
        attempts.append(run(uow, items.transfer_item, SYSTEM, item_id=giver.id, to=to, quantity=quantity))
    done, refusals = await outcomes(*attempts)
    assert set(refusals) <= {InsufficientQuantity, UnknownRecipient}
    assert len(done) > 10
    after = await every_item(stores[0])
    assert sum(item.quantity for item in after) == 30
    assert min(item.quantity for item in after) >= 0


async def test_opposite_transfers_between_two_items_all_succeed(stores: Stores) -> None:
    ada = await given_user(stores[0], "ada")
    one, two = await given_item(stores[0], ada, quantity=50), await given_item(stores[0], ada, quantity=50)
    pairs = [(one, two), (two, one)] * 8
    _, refusals = await outcomes(
        *(
            run(
                stores[n // 2 % 2].unit_of_work(),
                items.transfer_item,
                SYSTEM,
                item_id=giver.id,
                to=ToItem(taker.id),
                quantity=3,
            )
            for n, (giver, taker) in enumerate(pairs)
        )
    )
    assert not refusals
    assert [(item.quantity, item.version) for item in await every_item(stores[0])] == [(50, 17), (50, 17)]


async def test_a_named_version_is_that_of_the_giver_and_not_of_the_taker(stores: Stores) -> None:
    ada = await given_user(stores[0], "ada")
    crate = await given_item(stores[0], ada, quantity=0)
    boxes = [await given_item(stores[0], ada, quantity=2) for _ in range(8)]
    _, refusals = await outcomes(
        *(
            run(
                stores[n % 2].unit_of_work(),
                items.transfer_item,
                SYSTEM,
                item_id=box.id,
                to=ToItem(crate.id),
                version=box.version,
            )
            for n, box in enumerate(boxes)
        )
    )
    assert not refusals
    assert [item.quantity for item in await every_item(stores[0])] == [16] + [0] * 8


async def test_of_racing_deletions_exactly_one_deletes(stores: Stores) -> None:
    box = await given_item(stores[0], await given_user(stores[0], "ada"))
    done, refusals = await outcomes(
        *(run(stores[n % 2].unit_of_work(), items.delete_item, SYSTEM, item_id=box.id) for n in range(6))
    )
    assert sorted(done) == [False] * 5 + [True]
    assert not refusals


@pytest.mark.parametrize("how", ["refused", "delete", "transfer"])
async def test_no_item_outlives_its_owner_when_items_are_created_while_the_owner_is_deleted(
    stores: Stores, how: str
) -> None:
    heir = await given_user(stores[0], "heir")
    for name in ("ada", "bob", "eve"):
        user = await given_user(stores[0], name)
        ways: dict[str, dict[str, Any]] = {
            "refused": {},
            "delete": {"delete_items": True},
            "transfer": {"transfer_items_to": heir.id},
        }
        deletion: Coroutine[Any, Any, object] = run(
            stores[1].unit_of_work(), users.delete_user, SYSTEM, user_id=user.id, **ways[how]
        )
        creations: list[Coroutine[Any, Any, object]] = [
            run(stores[n % 2].unit_of_work(), items.create_item, SYSTEM, name="Box", owner_id=user.id) for n in range(6)
        ]
        done, refusals = await outcomes(*creations[:2], deletion, *creations[2:])
        assert set(refusals) <= ({UnknownOwner, UserOwnsItems} if how == "refused" else {UnknownOwner})
        there = {user.id for user in await lists.list_users(stores[0].unit_of_work(), SYSTEM)}
        of_user = await lists.list_items(stores[0].unit_of_work(), SYSTEM, owner_id=user.id)
        created = sum(1 for outcome in done if isinstance(outcome, Item))
        if user.id in there:
            assert refusals == {UserOwnsItems: 1}
            assert len(of_user) == created
        else:
            assert not of_user.rows
            assert created + refusals[UnknownOwner] == 6


async def test_a_user_who_is_deleted_while_given_something_gets_it_or_does_not_exist(stores: Stores) -> None:
    ada = await given_user(stores[0], "ada")
    for name in ("bob", "eve", "mallory"):
        recipient = await given_user(stores[0], name)
        boxes = [await given_item(stores[0], ada, quantity=4) for _ in range(4)]
        _, refusals = await outcomes(
            *(
                run(
                    stores[n % 2].unit_of_work(),
                    items.transfer_item,
                    SYSTEM,
                    item_id=box.id,
                    to=recipient.id,
                    quantity=None if n % 2 else 1,
                )
                for n, box in enumerate(boxes)
            ),
            run(stores[1].unit_of_work(), users.delete_user, SYSTEM, user_id=recipient.id),
        )
        assert set(refusals) <= {UnknownRecipient, UserOwnsItems}
        there = {user.id for user in await lists.list_users(stores[0].unit_of_work(), SYSTEM)}
        after = await every_item(stores[0])
        assert {item.owner_id for item in after} <= there
        assert sum(item.quantity for item in after if item.id >= boxes[0].id) == 16


async def test_two_users_deleted_in_favour_of_each_other_leave_one_with_everything(stores: Stores) -> None:
    ada, bob = await given_user(stores[0], "ada"), await given_user(stores[0], "bob")
    boxes = [await given_item(stores[0], owner) for owner in (ada, bob)]
    done, refusals = await outcomes(
        run(stores[0].unit_of_work(), users.delete_user, SYSTEM, user_id=ada.id, transfer_items_to=bob.id),
        run(stores[1].unit_of_work(), users.delete_user, SYSTEM, user_id=bob.id, transfer_items_to=ada.id),
    )
    assert (done, refusals) == ([True], {UnknownRecipient: 1})
    after = await every_item(stores[0])
    assert [item.id for item in after] == [box.id for box in boxes]
    (survivor,) = await lists.list_users(stores[0].unit_of_work(), SYSTEM)
    assert {item.owner_id for item in after} == {survivor.id}


async def test_an_item_changed_while_it_is_deleted_is_changed_or_gone(stores: Stores) -> None:
    ada = await given_user(stores[0], "ada")
    for _ in range(3):
        box = await given_item(stores[0], ada)
        changed, refusals = await outcomes(
            *(
                run(stores[n % 2].unit_of_work(), items.update_item, SYSTEM, item_id=box.id, attributes={f"{n}": n})
                for n in range(4)
            )
        )
        assert (len(changed), not refusals) == (4, True)
        deleting: Coroutine[Any, Any, object] = run(stores[1].unit_of_work(), items.delete_item, SYSTEM, item_id=box.id)
        updating: Coroutine[Any, Any, object] = run(
            stores[0].unit_of_work(), items.update_item, SYSTEM, item_id=box.id, name="Lid"
        )
        done, refusals = await outcomes(deleting, updating)
        assert True in done
        assert set(refusals) <= {ItemNotFound}
    assert await every_item(stores[0]) == []
