"""The Python in the guides is run as it stands."""

import ast
import asyncio
import contextlib
import inspect
import re
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.domain import errors
from steward.domain.actors import Actor
from steward.domain.users import NewUser
from steward.service_layer import items, lists, users
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import given_user

from ..support.statements import counted
from .their_pytest import their_pytest

DOCS = Path(__file__).parents[2] / "docs"


def examples(guide: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / guide).read_text(), re.MULTILINE | re.DOTALL)


async def test_who_commits_and_when_is_as_both_pages_say(store: MemoryDatabase | Database) -> None:
    answer = examples("unit-of-work.md")[0]
    assert answer in (DOCS.parent / "README.md").read_text()
    assert len(answer.splitlines()) <= 12
    known: dict[str, Any] = {"Actor": Actor, "UnitOfWork": UnitOfWork, "items": items}
    exec(answer, known)
    me = Actor.of(await given_user(store))
    with counted(store) if isinstance(store, Database) else contextlib.nullcontext() as cost:
        await known["pack"](store.unit_of_work(), me)
    if cost is not None:
        sent = [word for word in cost.shape if word != "PRAGMA"]
        assert (sent[0], sent[-1], sent.count("BEGIN"), sent.count("COMMIT")) == ("BEGIN", "COMMIT", 1, 1)
    stored = await lists.list_items(store.unit_of_work(), me)
    assert [item.quantity for item in stored] == [2]


@pytest.mark.parametrize("number", range(len(examples("unit-of-work.md"))))
async def test_an_example_of_the_unit_of_work_is_true_on_every_backend(
    store: MemoryDatabase | Database, number: int
) -> None:
    example = examples("unit-of-work.md")[number]
    if "uow.session" in example and isinstance(store, MemoryDatabase):
        pytest.skip("uow.session is of databases")
    code = compile(
        example,
        f"unit-of-work.md, example {number}",
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
    )
    known: dict[str, Any] = {
        **{name: value for name, value in vars(errors).items() if inspect.isclass(value)},
        "Actor": Actor,
        "UnitOfWork": UnitOfWork,
        "NewUser": NewUser,
        "asyncio": asyncio,
        "contextlib": contextlib,
        "items": items,
        "me": Actor.system(),
        "pytest": pytest,
        "run": run,
        "store": store,
        "uow": store.unit_of_work(),
        "users": users,
    }
    running = FunctionType(code, known)()
    if inspect.isawaitable(running):
        await running


def test_the_guide_to_testing_is_a_test_module_that_passes(tmp_path: Path) -> None:
    parts = examples("testing.md")
    conftest = [part for part in parts if part.startswith("# conftest.py")]
    (tmp_path / "conftest.py").write_text("".join(conftest))
    (tmp_path / "test_guide.py").write_text("".join(part for part in parts if part not in conftest))
    done = their_pytest(tmp_path, "-o", "asyncio_mode=auto")
    assert done.returncode == 0, done.stdout
    assert "failed" not in done.stdout
