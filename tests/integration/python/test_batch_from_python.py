"""Batches from plain Python: `app.items.batch`."""

import pytest
import steward
from steward import Actor
from steward.domain.batch_operations import CreateItem, DeleteItem, TransferItem, UpdateItem
from steward.domain.errors import InsufficientQuantity, OperationFailed


async def test_a_batch_is_bound_to_a_transaction_of_its_own(server_url: str) -> None:
    async with steward.open(server_url) as app:
        ada = await app.users.register(
            Actor.system(), username="ada", email="ada@example.org", password="correct horse"
        )
        await app.users.register(Actor.system(), username="bob", email="bob@example.org", password="correct horse")
        me = Actor.of(ada)
        lid, box = [
            result.item_id
            for result in await app.items.batch(
                me, operations=[CreateItem(name="Lid"), CreateItem(name="Box", quantity=3)]
            )
        ]
        with pytest.raises(OperationFailed) as caught:
            await app.items.batch(
                me,
                operations=[
                    UpdateItem(item_id=box, name="Chest"),
                    TransferItem(item_id=box, to="bob", quantity=4),
                    DeleteItem(item_id=lid),
                ],
            )
        assert caught.value.index == 1
        assert isinstance(caught.value.error, InsufficientQuantity)
        assert [(item.id, item.name) for item in await app.items.list(me, sort="id")] == [(lid, "Lid"), (box, "Box")]
