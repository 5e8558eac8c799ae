"""What breaks off between client and server is done once, or is said to be unknown: never twice, never in silence."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from anyio.from_thread import BlockingPortal
from steward.client import Batch, Client, ConnectionFailed, NewItem, NotFound, OutcomeUnknown, Retries

from tests.e2e.client.conftest import PATIENCE, MakeClient, signed_up
from tests.support.http import PASSWORD
from tests.support.losing_proxy import LosingProxy, Loss
from tests.support.steward_server import StewardServer

QUICK = Retries(attempts=5, deadline=PATIENCE, first_pause=0.01)
LOSSES = [
    [Loss.REQUEST, Loss.ANSWER],
    [Loss.HEAD, Loss.REQUEST, Loss.ANSWER, Loss.HEAD],
]


@pytest.fixture
def proxy(server: StewardServer, portal: BlockingPortal) -> Iterator[LosingProxy]:
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    with portal.wrap_async_context_manager(LosingProxy(address.hostname, address.port).open()) as proxy:
        yield proxy


@pytest.fixture
def far(make_client: MakeClient, proxy: LosingProxy, client: Client) -> Client:
    """The same user as `client`, behind the proxy."""
    return make_client(proxy.url, retries=QUICK).sign_in(client.users.me().username, PASSWORD)


def loss_of(losses: list[Loss]) -> str:
    return "-".join(loss.value for loss in losses)


every_loss = pytest.mark.parametrize("losses", LOSSES, ids=loss_of)


@every_loss
def test_an_item_is_made_once(far: Client, client: Client, proxy: LosingProxy, losses: list[Loss]) -> None:
    proxy.losses = list(losses)
    made = far.items.create(name="Box", quantity=3)
    assert proxy.losses == []
    assert list(client.items.list()) == [made]


@every_loss
def test_an_item_is_changed_once(far: Client, client: Client, proxy: LosingProxy, losses: list[Loss]) -> None:
    seen = client.items.create(name="Box", quantity=3)
    proxy.losses = list(losses)
    changed = far.items.update(seen, quantity=2)  # with If-Match: a replay is answered before it is looked at
    assert changed.version == 2
    assert client.items.get(seen.id) == changed


@every_loss
def test_a_part_is_transferred_once(far: Client, client: Client, proxy: LosingProxy, losses: list[Loss]) -> None:
    box, crate = client.items.create(name="Box", quantity=10), client.items.create(name="Crate", quantity=0)
    proxy.losses = list(losses)
    assert far.items.transfer(box, crate, quantity=3).received.quantity == 3
    assert client.items.get(box.id).quantity == 7


@every_loss
def test_a_batch_is_run_once(far: Client, client: Client, proxy: LosingProxy, losses: list[Loss]) -> None:
    box = client.items.create(name="Box")
    batch = Batch()
    batch.create(name="Crate")
    batch.delete(box)
    proxy.losses = list(losses)
    assert [result.op for result in far.items.batch(batch)] == ["create", "delete"]
    assert [item.name for item in client.items.list()] == ["Crate"]


@every_loss
def test_items_are_imported_once(far: Client, client: Client, proxy: LosingProxy, losses: list[Loss]) -> None:
    proxy.losses = list(losses)
    assert far.items.import_items(NewItem(f"Box {number}") for number in range(3)) == 3
    assert client.items.list().count() == 3


@every_loss
def test_a_user_signs_up_once(
    make_client: MakeClient, server: StewardServer, proxy: LosingProxy, losses: list[Loss]
) -> None:
    proxy.losses = list(losses)
    far = make_client(proxy.url, retries=QUICK)
    assert make_client(server.url).sign_in(signed_up(far), PASSWORD).users.me().version == 1


@every_loss
def test_a_list_is_read_whole(far: Client, client: Client, proxy: LosingProxy, losses: list[Loss]) -> None:
    ids = [client.items.create(name=f"Box {number}").id for number in range(5)]
    proxy.losses = list(losses)
    assert [item.id for item in far.items.list(sort="id", page_size=2)] == ids


def test_an_answer_that_does_not_come_is_asked_for_again(
    make_client: MakeClient, client: Client, server: StewardServer, proxy: LosingProxy
) -> None:
    token = server.sign_in(client.users.me().username, PASSWORD)["access_token"]
    # A busy machine may exceed a timeout as short as this one again and again.
    often = Retries(attempts=1000, deadline=PATIENCE, first_pause=0.01)
    far = make_client(proxy.url, token=token, retries=often, timeout=1.0)
    proxy.losses = [Loss.SILENCE]
    made = far.items.create(name="Box")
    assert list(client.items.list()) == [made]


@pytest.mark.parametrize(("loss", "left"), [(Loss.REQUEST, 1), (Loss.ANSWER, 0)])
def test_a_deletion_without_an_answer_is_unknown_until_somebody_looks(
    far: Client, client: Client, proxy: LosingProxy, loss: Loss, left: int
) -> None:
    box = client.items.create(name="Box")
    proxy.losses = [loss]
    with pytest.raises(OutcomeUnknown):
        far.items.delete(box)
    assert client.items.list().count() == left
    if left:
        far.items.delete(box)
    with pytest.raises(NotFound):
        far.items.delete(box)


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.ANSWER])
def test_a_password_change_without_an_answer_is_unknown(far: Client, proxy: LosingProxy, loss: Loss) -> None:
    proxy.losses = [loss]
    with pytest.raises(OutcomeUnknown):
        far.users.change_password(current_password=PASSWORD, new_password="swordfish 9")


@pytest.mark.parametrize(
    "change",
    [
        lambda client, key: client.items.create(name="Box", idempotency_key=key),
        lambda client, key: client.items.import_items([NewItem("Box")], idempotency_key=key),
    ],
)
def test_whoever_gave_up_finishes_later_with_the_same_key(
    far: Client, client: Client, proxy: LosingProxy, change: Callable[[Client, str | None], Any]
) -> None:
    proxy.losses = [Loss.ANSWER] * 5
    with pytest.raises(OutcomeUnknown) as raised:
        change(far, None)
    change(far, raised.value.idempotency_key)
    assert client.items.list().count() == 1


def test_a_server_that_is_not_there_has_changed_nothing(make_client: MakeClient) -> None:
    nowhere = make_client("http://127.0.0.1:1", token="stwa_any", retries=QUICK)
    for call in (lambda: nowhere.items.create(name="Box"), lambda: nowhere.items.delete(7), nowhere.users.me):
        with pytest.raises(ConnectionFailed):
            call()


def test_an_export_that_breaks_off_is_an_error(far: Client, client: Client, proxy: LosingProxy) -> None:
    client.items.import_items(NewItem(f"Box {number}", "x" * 1000) for number in range(200))
    proxy.losses = [Loss.TAIL]
    with pytest.raises(ConnectionFailed), far.items.export() as exported:
        assert len(list(exported)) < 200
