"""The express lane is off where a library has changed, and logs what SQLAlchemy would log."""

import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from steward.adapters.database.database import Database
from steward.adapters.database.express import lane, private_names
from steward.adapters.database.express.private_names import PRIVATE_NAMES, PrivateName, missing_names
from steward.adapters.database.express.statement_log import StatementLog
from steward.domain.actors import Actor
from steward.domain.errors import UsernameTaken
from steward.service_layer.items import get_item, update_item
from steward.testing import given_item, given_user
from steward.testing.contract.steps import add, names

from tests.conftest import EXPRESS, PATIENT

pytestmark = EXPRESS


@contextmanager
def without(private: PrivateName) -> Iterator[None]:
    """Inside the block the library does not have the name."""
    module, _, name = private.owner.partition(":")
    owner = getattr(import_module(module), name)
    with pytest.MonkeyPatch.context() as patch:
        defines_it = [each for each in owner.__mro__ if private.name in vars(each)]
        for each in defines_it:
            patch.delattr(each, private.name)
        if not defines_it:
            make = owner.__init__

            def make_without(self: Any, *args: Any, **options: Any) -> None:
                make(self, *args, **options)
                delattr(self, private.name)

            patch.setattr(owner, "__init__", make_without)
            patch.setattr(owner, "__del__", lambda _: None, raising=False)
        yield


async def work_a_little(database: Database) -> None:
    """Write, read, go back to a savepoint, and swallow a statement that fails."""
    ada = await given_user(database, username="ada")
    box = await given_item(database, owner=ada, quantity=1)
    await update_item(database.unit_of_work(), Actor.system(), item_id=box.id, quantity=2)
    assert (await get_item(database.unit_of_work(), Actor.system(), item_id=box.id)).quantity == 2
    async with database.unit_of_work() as uow:
        with pytest.raises(UsernameTaken):
            async with uow.savepoint():
                await add(uow, "bob")
                await add(uow, "ada")
        await add(uow, "cyd")
        await uow.commit()
    assert await names(database) == {"ada", "cyd"}


@pytest.mark.parametrize("private", PRIVATE_NAMES, ids=lambda private: private.owner.partition(":")[2] + private.name)
async def test_without_one_of_its_names_the_lane_is_off_and_everything_works(
    private: PrivateName,
    server_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with without(private):
        missing = list(missing_names())
    assert private in missing  # the libraries need it, too: what follows has to have it again
    monkeypatch.setattr(lane, "missing_names", lambda: missing)
    with caplog.at_level(logging.INFO, "steward.database"):
        async with Database(server_url, pool=PATIENT) as database:
            assert database.lane is None
            await work_a_little(database)
            assert database.checked_out() == 0
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert str(private) in warning.getMessage()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda self: None, id="no longer async"),
        pytest.param(lambda self, *, mode: None, id="one more argument"),
        pytest.param(property(lambda self: None), id="no method"),
    ],
)
def test_a_name_with_another_signature_is_missing(changed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AsyncAdapt_asyncpg_connection, "_start_transaction", changed)
    assert [each.name for each in missing_names()] == ["_start_transaction"]


def test_an_argument_that_may_be_left_out_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(self: Any, *, mode: str = "") -> None: ...

    monkeypatch.setattr(AsyncAdapt_asyncpg_connection, "_start_transaction", start)
    assert list(missing_names()) == []


def test_the_lane_names_why_it_uses_each() -> None:
    assert [each for each in PRIVATE_NAMES if not each.reason] == []
    assert inspect.getdoc(private_names)


# Log


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The first words of what was logged for SQLAlchemy."""
    return [
        record.getMessage().split()[0]
        for record in caplog.records
        if record.name.startswith("sqlalchemy.engine") and not record.getMessage().startswith("[")
    ]


async def test_with_echo_the_log_has_each_statement_of_the_lane(
    server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Database(server_url, pool=PATIENT, echo=True) as database:
        assert database.lane is not None
        ada = await given_user(database)
        box = await given_item(database, owner=ada, name="Crate")
        caplog.clear()
        await update_item(database.unit_of_work(), Actor.system(), item_id=box.id, name="Case")
        assert lines(caplog) == ["BEGIN", "SELECT", "UPDATE", "COMMIT"]
        assert "'Case'" in caplog.text
        caplog.clear()
        await get_item(database.unit_of_work(), Actor.system(), item_id=box.id)
        assert lines(caplog) == ["SELECT"]


async def test_with_echo_the_log_says_where_a_transaction_leaves_the_lane(
    server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Database(server_url, pool=PATIENT, echo=True) as database:
        ada = await given_user(database)
        caplog.clear()
        async with database.unit_of_work() as uow:
            await uow.users.get(ada.id)
            await uow.session.execute(text("SELECT 1"))
            await uow.commit()
        logged = lines(caplog)
        assert logged[:3] == ["BEGIN", "SELECT", "leaves"]
        assert logged[-2:] == ["SELECT", "COMMIT"]


async def test_an_application_that_logs_statements_without_echo_logs_no_parameters(
    server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
        async with Database(server_url, pool=PATIENT) as database:
            ada = await given_user(database, username="ada")
            await given_item(database, owner=ada, name="Crate")
    assert "INSERT" in lines(caplog)
    assert "Crate" not in caplog.text


async def test_what_is_not_logged_is_not_formatted(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Database(server_url, pool=PATIENT) as database:
        box = await given_item(database, owner=await given_user(database))
        for name in ("note", "statement"):
            monkeypatch.delattr(StatementLog, name)
        await update_item(database.unit_of_work(), Actor.system(), item_id=box.id, quantity=2)
