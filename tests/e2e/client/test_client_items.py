"""Items by the client, blocking and for asyncio, against a real server on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
from steward.client import (
    Batch,
    BatchResult,
    Client,
    InsufficientQuantity,
    InvalidRequest,
    NotFound,
    ToItem,
    ToUser,
    VersionMismatch,
)

from tests.e2e.client.conftest import MakeClient, signed_up
from tests.support.http import PASSWORD
from tests.support.steward_server import StewardServer


def test_an_item_comes_back_as_it_was_made(client: Client) -> None:
    made = client.items.create(
        name="Kiste", description="Eiche, 40 €", quantity=3, attributes={"b": [1.5, None], "a": {}}
    )
    assert client.items.get(made.id) == made
    assert (made.name, made.description, made.quantity, made.version) == ("Kiste", "Eiche, 40 €", 3, 1)
    assert list(made.attributes.items()) == [("b", [1.5, None]), ("a", {})]
    assert made.owner_id == client.users.me().id
    assert made.created_at.utcoffset() == timedelta(0)
    assert made.owner is None


def test_an_item_comes_with_its_owner_where_asked_for(client: Client) -> None:
    made = client.items.create(name="Box")
    owner = client.items.get(made, with_owner=True).owner
    assert owner is not None
    assert owner.username == client.users.me().username


def test_what_is_not_given_stays_and_none_clears(client: Client) -> None:
    box = client.items.create(name="Box", description="Oak", attributes={"colour": "green", "lid": True})
    changed = client.items.update(box, description=None, attributes={"colour": None, "height": 30})
    assert (changed.name, changed.description, changed.version) == ("Box", None, 2)
    assert changed.attributes == {"lid": True, "height": 30}


def test_a_change_of_an_item_that_has_moved_on_is_refused(client: Client) -> None:
    seen = client.items.create(name="Box", quantity=3)
    client.items.update(seen, quantity=2)
    for change in (
        lambda: client.items.update(seen, quantity=1),
        lambda: client.items.delete(seen),
        lambda: client.items.transfer(seen, "admin"),
    ):
        with pytest.raises(VersionMismatch):
            change()
    assert client.items.get(seen.id).quantity == 2


def test_a_change_by_id_is_made_from_whatever_version_there_is(client: Client) -> None:
    seen = client.items.create(name="Box", quantity=3)
    client.items.update(seen.id, quantity=2)
    assert client.items.update(seen.id, quantity=1).version == 3
    client.items.delete(seen.id)


def test_an_item_that_has_not_changed_is_the_same_object(client: Client) -> None:
    seen = client.items.create(name="Box", quantity=3)
    assert client.items.get(seen) is seen
    client.items.update(seen, quantity=2)
    assert client.items.get(seen).quantity == 2


def test_what_came_in_a_list_can_be_changed_like_any_other(client: Client) -> None:
    client.items.create(name="Box", quantity=3)
    (listed,) = client.items.list()
    assert client.items.get(listed) is listed
    assert client.items.update(listed, quantity=2).version == 2
    with pytest.raises(VersionMismatch):
        client.items.delete(listed)


def test_a_deleted_item_is_not_found(client: Client) -> None:
    box = client.items.create(name="Box")
    client.items.delete(box)
    for again in (lambda: client.items.get(box), lambda: client.items.delete(box.id)):
        with pytest.raises(NotFound):
            again()


def test_the_same_key_makes_one_item_and_the_same_answer(client: Client) -> None:
    first, second = (client.items.create(name="Box", idempotency_key="my-box") for _ in range(2))
    assert first == second
    assert len(client.items.list().first_page()) == 1


# Transfers


def test_a_whole_item_goes_over_and_a_part_is_split_off(
    client: Client, make_client: MakeClient, server: StewardServer
) -> None:
    bob = make_client(server.url).sign_in(signed_up(client), PASSWORD)
    box = client.items.create(name="Box", quantity=5)
    split = client.items.transfer(box, ToUser(bob.users.me().id), quantity=2)
    assert split.item is not None
    assert (split.item.quantity, split.received.quantity) == (3, 2)
    whole = client.items.transfer(split.item, bob.users.me())
    assert (whole.item, whole.received.id) == (None, box.id)
    assert sum(item.quantity for item in bob.items.list()) == 5


def test_a_quantity_is_added_to_another_item(client: Client) -> None:
    box, crate = client.items.create(name="Box", quantity=5), client.items.create(name="Crate", quantity=1)
    assert client.items.transfer(box, crate, quantity=2).received.quantity == 3
    assert client.items.transfer(box.id, ToItem(crate.id)).received.quantity == 6


def test_more_than_there_is_cannot_be_transferred(client: Client) -> None:
    box = client.items.create(name="Box", quantity=1)
    with pytest.raises(InsufficientQuantity) as raised:
        client.items.transfer(box, "admin", quantity=2)
    assert raised.value.status == 409
    assert raised.value.request_id


# Lists


def test_a_list_is_walked_over_all_its_pages(client: Client) -> None:
    ids = [client.items.create(name=f"Box {number}").id for number in range(7)]
    listing = client.items.list(sort="id", page_size=3)
    assert [item.id for item in listing] == ids
    assert [len(page) for page in listing.pages()] == [3, 3, 1]
    assert [item.id for item in listing] == ids  # anew


def test_a_list_is_fetched_no_further_than_it_is_walked(client: Client) -> None:
    for number in range(3):
        client.items.create(name=f"Box {number}")
    walk = iter(client.items.list(sort="id", page_size=1))
    assert next(walk).name == "Box 0"
    client.items.create(name="Box 3")
    assert [item.name for item in walk] == ["Box 1", "Box 2", "Box 3"]


def test_a_walk_goes_on_from_a_cursor(client: Client) -> None:
    for number in range(3):
        client.items.create(name=f"Box {number}")
    page = client.items.list(sort="id", page_size=2).first_page()
    rest = client.items.list(sort="id", page_size=2, cursor=page.next_cursor)
    assert [item.name for item in rest] == ["Box 2"]


def test_a_list_counts_all_its_rows(client: Client) -> None:
    for number in range(3):
        client.items.create(name=f"Box {number}")
    listing = client.items.list(q="BOX", page_size=2)
    assert listing.count() == 3
    assert (listing.first_page(count=True).count, listing.first_page().count) == (3, None)


def test_a_list_is_filtered_and_sorted(client: Client) -> None:
    for name, quantity in (("Box", 1), ("Äpfel & Birnen", 5), ("Boxes", 9)):
        client.items.create(name=name, quantity=quantity)
    now = datetime.now(UTC)
    assert [item.name for item in client.items.list(q="box", sort="-quantity")] == ["Boxes", "Box"]
    assert [item.name for item in client.items.list(name="Äpfel & Birnen")] == ["Äpfel & Birnen"]
    assert [item.quantity for item in client.items.list(min_quantity=2, max_quantity=5)] == [5]
    assert list(client.items.list(created_after=now + timedelta(hours=1))) == []
    assert len(list(client.items.list(created_before=now + timedelta(hours=1)))) == 3


def test_a_list_shows_owners_where_asked_for(client: Client) -> None:
    client.items.create(name="Box")
    me = client.users.me()
    for listing in (client.items.list(with_owner=True), client.items.list(owner="me", with_owner=True)):
        assert [item.owner and item.owner.id for item in listing] == [me.id]


def test_an_admin_sees_one_owners_items_and_everybodys(admin: Client, client: Client) -> None:
    box = client.items.create(name="Box")
    assert [item.id for item in admin.items.list(owner=client.users.me())] == [box.id]
    assert admin.items.list().first_page().rows[0].id == box.id
    with pytest.raises(NotFound):
        client.items.list(owner=admin.users.me()).first_page()


def test_a_naive_time_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="aware"):
        client.items.list(created_after=datetime(2026, 11, 22))  # noqa: DTZ001 - which is the point
    with pytest.raises(InvalidRequest):
        client.items.list(sort="colour").first_page()


# Batches


def test_a_batch_does_all_its_operations_in_their_order(client: Client) -> None:
    box, lid = client.items.create(name="Box", quantity=5), client.items.create(name="Lid")
    batch = Batch()
    batch.create(name="Crate", quantity=2, attributes={"colour": "green"})
    batch.update(box, description="Oak")
    batch.transfer(box.id, lid, quantity=2)
    batch.transfer(box.id, "admin", quantity=1)
    batch.delete(lid.id)
    results = client.items.batch(batch)
    assert [result.op for result in results] == ["create", "update", "transfer", "transfer", "delete"]
    assert results[1] == BatchResult("update", box.id, 2)
    assert results[3].received_id is not None
    assert results[4] == BatchResult("delete", lid.id, None)
    assert {item.name: item.quantity for item in client.items.list()} == {"Crate": 2, "Box": 2}


def test_a_batch_that_fails_does_nothing_and_says_which_operation_it_was(client: Client) -> None:
    seen = client.items.create(name="Box", quantity=5)
    client.items.update(seen, quantity=4)
    batch = Batch()
    batch.create(name="Crate")
    batch.delete(seen)
    with pytest.raises(VersionMismatch) as raised:
        client.items.batch(batch)
    assert [fault.pointer for fault in raised.value.errors] == ["/operations/1"]
    assert [item.quantity for item in client.items.list()] == [4]
