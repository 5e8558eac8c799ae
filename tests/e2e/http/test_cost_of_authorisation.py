"""What it costs to ask who is calling: one statement, and no connection of its own."""

import pytest

from tests.e2e.http.callers import Scene, answer_of, given_scene, send
from tests.e2e.http.matrix import CLOSED, MATRIX, Row
from tests.support.checkouts import checkouts
from tests.support.http import Api
from tests.support.statements import Cost, counted

# Of the owner, and served.
MINE = [row for row in MATRIX if row.asks_for_token and row.owner.startswith("2") and row.note != CLOSED]
# Whose answer or body takes its time, so that nothing is held meanwhile: asked for again afterwards.
APART = {"export_items": ["SELECT", "SELECT", "SELECT"], "import_items": ["SELECT", "SELECT", "BEGIN"]}
ASKED_ONCE = [row for row in MINE if row.operation not in APART]
READS = [pytest.param(row, id=row.name) for row in ASKED_ONCE if row.method == "GET"]
# A change of password has units of its own around the verification of the old one.
WRITES = [
    pytest.param(row, id=row.name) for row in ASKED_ONCE if row.method != "GET" and row.operation != "change_password"
]
OPERATIONS = [pytest.param(row, id=name) for name, row in {row.operation: row for row in MINE}.items()]


def reading(api: Api, connections: int) -> int:
    """Small reads of a SQLite file need none of the pool's."""
    return connections if getattr(api.database.lane, "inline", None) is None else 0


async def cost_of(api: Api, row: Row, scene: Scene, headers: dict[str, str]) -> tuple[Cost, int]:
    """With the number of connections."""
    with counted(api.database) as cost, checkouts(*api.database.engines.pools) as taken:
        answer = await send(api, row, scene, headers)
    assert answer_of(answer) == row.owner
    return cost, len(taken)


@pytest.mark.parametrize("row", READS)
async def test_a_read_is_two_statements_on_one_connection_without_a_transaction(api: Api, row: Row) -> None:
    cost, connections = await cost_of(api, row, *await given_scene(api, "owner"))
    assert cost.shape == ["SELECT", "SELECT"]
    assert "tokens" in cost.sent[0]
    assert connections == reading(api, 1)


@pytest.mark.parametrize("row", WRITES)
async def test_a_write_is_the_check_and_then_one_transaction(api: Api, row: Row) -> None:
    cost, _ = await cost_of(api, row, *await given_scene(api, "owner"))
    assert cost.shape[:2] == ["SELECT", "BEGIN"]
    assert "tokens" in cost.sent[0]
    assert cost.shape[-1] == "COMMIT"
    assert cost.shape.count("BEGIN") == cost.shape.count("COMMIT") == 1


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in MINE if row.operation in APART])
async def test_what_takes_its_time_asks_again_and_holds_no_connection_meanwhile(api: Api, row: Row) -> None:
    cost, connections = await cost_of(api, row, *await given_scene(api, "owner"))
    assert cost.shape[:3] == APART[row.operation]
    assert ["tokens" in sent for sent in cost.sent].count(True) == 2
    assert connections == APART[row.operation].count("BEGIN") + reading(api, APART[row.operation].count("SELECT"))


@pytest.mark.parametrize("row", OPERATIONS)
async def test_a_bad_token_costs_one_statement(api: Api, row: Row) -> None:
    scene, headers = await given_scene(api, "logged out")
    with counted(api.database) as cost, checkouts(*api.database.engines.pools) as taken:
        await send(api, row, scene, headers)
    assert cost.shape == ["SELECT"]
    assert len(taken) == reading(api, 1)


@pytest.mark.parametrize("row", OPERATIONS)
async def test_what_cannot_be_a_token_costs_nothing(edge: Api, row: Row) -> None:
    scene, _ = await given_scene(edge, "owner")
    with counted(edge.database) as cost, checkouts(*edge.database.engines.pools) as taken:
        await send(edge, row, scene, {"Authorization": "Bearer rubbish"})
    assert cost.sent == []
    assert taken == []
