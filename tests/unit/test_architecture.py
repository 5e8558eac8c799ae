"""What keeps the structure in order: who may import whom, how repositories are marked, and how long a file may be."""

import ast
import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from steward.adapters.database.repositories.attempts import DatabaseAttempts
from steward.adapters.database.repositories.idempotency_keys import DatabaseIdempotencyKeys
from steward.adapters.database.repositories.items import DatabaseItems
from steward.adapters.database.repositories.login_sessions import DatabaseLoginSessions
from steward.adapters.database.repositories.users import DatabaseUsers
from steward.adapters.memory.attempts import MemoryAttempts
from steward.adapters.memory.idempotency_keys import MemoryIdempotencyKeys
from steward.adapters.memory.items import MemoryItems
from steward.adapters.memory.login_sessions import MemoryLoginSessions
from steward.adapters.memory.users import MemoryUsers
from steward.adapters.unit_of_work.guards import locks, reads, writes
from steward.domain.repositories import (
    AttemptRepository,
    IdempotencyKeyRepository,
    ItemRepository,
    LoginSessionRepository,
    UserRepository,
)

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

HEAVY = (
    "aiosqlite",
    "alembic",
    "argon2",
    "asyncpg",
    "dependency_injector",
    "fastapi",
    "greenlet",
    "pwdlib",
    "pydantic",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "starlette",
    "typer",
    "uvicorn",
)

REPOSITORIES = [
    (UserRepository, DatabaseUsers),
    (UserRepository, MemoryUsers),
    (ItemRepository, DatabaseItems),
    (ItemRepository, MemoryItems),
    (LoginSessionRepository, DatabaseLoginSessions),
    (LoginSessionRepository, MemoryLoginSessions),
    (AttemptRepository, DatabaseAttempts),
    (AttemptRepository, MemoryAttempts),
    (IdempotencyKeyRepository, DatabaseIdempotencyKeys),
    (IdempotencyKeyRepository, MemoryIdempotencyKeys),
]
READING = {"get", "get_with_owner", "find", "find_by_email", "page", "page_with_owner", "count", "is_empty", "list_of"}
LOCKING = {"lock", "lock_active_admins"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def python(code: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) if path is None else {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            first = node.args[0] if node.args else None
            if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield str(first.value)


# Imports


def test_nobody_imports_the_package_by_the_name_of_its_folder() -> None:
    wrong = [
        relative(path)
        for path in SOURCES + TESTS
        if any(name.split(".")[0] == "src" for name in imported(ast.parse(path.read_text())))
    ]
    assert wrong == []


def test_inside_the_package_imports_are_relative() -> None:
    # Alembic runs its environment as a script, which has no package.
    scripts = {"src/adapters/migrations/env.py", "src/__main__.py"}
    wrong = [
        relative(path)
        for path in SOURCES
        if relative(path) not in scripts
        and any(name.split(".")[0] == "steward" for name in imported(ast.parse(path.read_text())))
    ]
    assert wrong == []


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """In a copy of the package, so that a wrong import can be written into it."""
    linter = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [linter, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "steward", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_point_one_way(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("domain/items.py", "import sqlalchemy", "The inner layers know no framework"),
        ("service_layer/items.py", "from fastapi import Depends", "The inner layers know no framework"),
        ("domain/users.py", "from ..service_layer import users", "Imports point one way"),
        ("adapters/memory/state.py", "import sqlalchemy", "The in-memory backend and the test kit need no database"),
        ("adapters/database/repositories/users.py", "from ....config import Settings", "Settings are read by"),
        ("entrypoints/item_files/csv.py", "from ..http import answers", "Files of items know nothing of HTTP"),
        ("adapters/database/unit_of_work.py", "from .express import lane", "The express lane can be deleted"),
        ("client/values.py", "from ..domain.partial import UNSET", "The client stands alone"),
        ("entrypoints/http/app.py", "from ...client import Client", "The server does without its client"),
        (
            "adapters/database/session_transaction.py",
            "if __debug__:\n    from .database import Database",
            "No package imports a neighbour in a circle",
        ),
    ],
)
def test_an_import_that_points_the_wrong_way_is_caught(copy: Path, module: str, line: str, contract: str) -> None:
    file = copy / "steward" / module
    file.write_text(file.read_text() + f"\n{line}\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout
    assert any(reported.startswith(contract) and "BROKEN" in reported for reported in done.stdout.splitlines())


@pytest.mark.parametrize("module", ["domain", "service_layer", "adapters.memory", "testing", "client"])
def test_what_needs_no_database_and_no_framework_imports_without_any(module: str) -> None:
    """All that is below it, too: a unit test of somebody else's must not need more than Python."""
    done = python(
        f"""
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys({HEAVY!r}))
package = importlib.import_module("steward.{module}")
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if ".contract" not in found.name:  # which is a test suite, and needs pytest
        importlib.import_module(found.name)
"""
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", ["import steward", "import steward; dir(steward); steward.Actor.system()"])
def test_importing_the_package_imports_nothing_heavy(code: str) -> None:
    done = python(f"{code}\nimport sys\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_a_script_with_a_plain_session_does_without_fastapi() -> None:
    script = """
import asyncio, sys
from sqlalchemy import text
from steward.adapters.database.database import Database

async def main() -> None:
    async with Database("sqlite+aiosqlite:///:memory:") as database, database.session() as session:
        await session.execute(text("SELECT 1"))

asyncio.run(main())
print({"fastapi", "starlette"} & set(sys.modules))
"""
    assert python(script).stdout.strip() == "set()"


def test_a_public_name_that_does_not_exist_is_an_attribute_error() -> None:
    import steward

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = steward.nonsense
    assert "open" in dir(steward)


# Files


def test_a_source_file_can_be_read_in_one_sitting() -> None:
    assert [relative(path) for path in SOURCES if len(path.read_text().splitlines()) > 300] == []


def test_a_module_is_named_after_what_lives_in_it() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager"}
    assert [relative(path) for path in SOURCES + TESTS if path.stem in vague] == []


def test_every_module_says_what_it_is() -> None:
    modules = {relative(path): ast.parse(path.read_text()) for path in SOURCES}
    assert [path for path, module in modules.items() if module.body and not ast.get_docstring(module)] == []


# Repositories


def public(kind: type) -> dict[str, Callable[..., Any]]:
    return {name: member for name, member in vars(kind).items() if inspect.isfunction(member) and name[0] != "_"}


def mark_of(method: Any) -> Any:
    """Which of the marks stands above the method."""
    marked: dict[Any, Any] = {(False, False): reads, (False, True): locks, (True, False): writes}
    return marked.get((getattr(method, "writes", None), getattr(method, "locks", None)))


@pytest.mark.parametrize(("port", "adapter"), REPOSITORIES)
def test_an_adapter_has_the_methods_of_its_port_and_no_other(port: type, adapter: type) -> None:
    assert public(adapter).keys() == public(port).keys()


@pytest.mark.parametrize(("port", "adapter"), REPOSITORIES)
def test_every_method_has_the_signature_of_the_port(port: type, adapter: type) -> None:
    for name, promised in public(port).items():
        assert inspect.signature(public(adapter)[name]) == inspect.signature(promised), name


@pytest.mark.parametrize(("port", "adapter"), REPOSITORIES)
def test_every_method_is_marked_as_reading_locking_or_writing(port: type, adapter: type) -> None:
    marks = {name: mark_of(method) for name, method in public(adapter).items()}
    reading = READING - {"count"} if port is AttemptRepository else READING  # it counts an attempt
    assert marks == {name: reads if name in reading else locks if name in LOCKING else writes for name in public(port)}
