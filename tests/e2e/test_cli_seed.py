"""`steward seed`, on the databases that people have."""

from collections import Counter

from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.items import Item
from steward.domain.users import UserId
from steward.service_layer import lists

from ..support.steward_command import steward


async def _all_items(database: Database) -> list[Item]:
    return (await lists.list_items(database.unit_of_work(), Actor.system(), limit=10_000)).rows


async def test_users_and_items_are_added_and_counted_and_a_second_run_adds_to_the_first(server_url: str) -> None:
    done = steward("seed", "--users", "30", "--items", "1500", database_url=server_url)
    assert (done.returncode, done.stdout) == (0, "Added 30 users and 1500 items\n")
    assert "30/30" in done.stderr
    assert "1500/1500" in done.stderr
    async with Database(server_url) as database:
        stored = await _all_items(database)
        assert len(await lists.list_users(database.unit_of_work(), Actor.system(), limit=100)) == 30
    assert Counter(item.owner_id for item in stored)[UserId(1)] == 150
    assert steward("seed", "--users", "5", "--items", "10", database_url=server_url).returncode == 0
    async with Database(server_url) as database:
        assert len(await lists.list_users(database.unit_of_work(), Actor.system(), limit=100)) == 35
        assert len(await _all_items(database)) == 1510


async def test_seeded_users_can_be_given_a_password(sqlite_url: str) -> None:
    seed = "seed", "--users", "2", "--items", "0", "--password-stdin"
    assert steward(*seed, input="correct horse", database_url=sqlite_url).returncode == 0
    async with Database(sqlite_url) as database:
        stored = await lists.list_users(database.unit_of_work(), Actor.system())
    assert all(user.password_hash is not None for user in stored)


def test_items_without_anybody_to_own_them_are_refused(sqlite_url: str) -> None:
    done = steward("seed", "--users", "0", "--items", "1", database_url=sqlite_url)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: users: There is no user to own the items: add some"
