"""Which private names of other people's libraries the package uses, and why: three packages may use any."""

import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import pytest
import steward
from steward.adapters.database.express.private_names import PRIVATE_NAMES, PrivateName

# What the express lane uses it lists by itself, and looks for when it starts.
LISTED = {
    "adapters.database.express": PRIVATE_NAMES,
    "adapters.database.drivers": (
        PrivateName("asyncpg:Connection", "_transport", "the socket, whose keepalive asyncpg has no option for"),
        PrivateName(
            "sqlalchemy.connectors.asyncio:AsyncAdapt_dbapi_connection",
            "_execute_mutex",
            "tells whether a statement runs, and keeps others from running",
        ),
        PrivateName(
            "sqlalchemy.connectors.asyncio:AsyncAdapt_dbapi_cursor",
            "_adapt_connection",
            "the connection of a server-side cursor, which a fetch has to lock",
        ),
        PrivateName(
            "sqlalchemy.dialects.postgresql.asyncpg:AsyncAdapt_asyncpg_connection",
            "_transaction",
            "tells whether the transaction of a stream has ended",
        ),
        PrivateName("aiosqlite:Connection", "_connect", "a cancelled one has to be closed", (), is_async=True),
        PrivateName("aiosqlite:Connection", "_execute", "a cancelled call is run to its end"),
        PrivateName("aiosqlite:Connection", "_tx", "the queue of the thread"),
        PrivateName("aiosqlite:Connection", "_running", "tells whether the thread takes calls"),
        PrivateName("aiosqlite:Connection", "_connection", "the public `interrupt` has to be awaited"),
        PrivateName("aiosqlite:Connection", "_conn", "the connection of sqlite3, for a call of several steps"),
        PrivateName("aiosqlite:Connection", "_thread", "a connection that is not closed must not keep the process"),
    ),
    "entrypoints.server": (
        PrivateName("uvicorn", "_types", "the types of what it overrides"),
        PrivateName(
            "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol",
            "_start_asgi_task",
            "the place between the head of a request and its application",
            ("cycle", "app"),
        ),
        PrivateName(
            "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol",
            "_unset_keepalive_if_required",
            "its own timer, beside which there are others",
            (),
        ),
        PrivateName(
            "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol",
            "_unsupported_upgrade_warning",
            "a warning for each offer that is ignored",
            (),
        ),
    ),
}
ENTRIES = [pytest.param(each, id=f"{package}-{each.name}") for package, names in LISTED.items() for each in names]
TO_GO = {"entrypoints.http.routing.arguments": {"_compat"}}  # of FastAPI, with the routing of our own
SCRIPTS = ("steward.adapters.migrations", "steward.__main__")  # they begin to run when they are imported


@cache
def modules() -> dict[str, ModuleType]:
    found = (each.name for each in pkgutil.walk_packages(steward.__path__, "steward."))
    return {name: importlib.import_module(name) for name in found if not name.startswith(SCRIPTS)}


@cache
def tree_of(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


@cache
def our_classes() -> dict[type, tuple[ModuleType, ast.ClassDef]]:
    return {
        vars(module)[node.name]: (module, node)
        for module in modules().values()
        for node in tree_of(module).body
        if isinstance(node, ast.ClassDef)
    }


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def is_of_library(name: str) -> bool:
    return name.partition(".")[0] not in {"steward", *sys.stdlib_module_names}


def defined_in(node: ast.AST) -> Iterator[str]:
    """The names that a class or module defines, or sets on `self`."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield each.name
        elif isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and is_self(each.value):
            yield each.attr
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def inherited_uses(kind: type) -> Iterator[str]:
    """Names of a library's class that one of ours, which inherits from it, overrides or reads."""
    ours = [each for each in kind.__mro__ if each in our_classes()]
    libraries = [each for each in kind.__mro__ if each not in our_classes() and is_of_library(each.__module__)]
    if not libraries:
        return
    node = our_classes()[kind][1]
    yield from (name for name in defined_in(node) if is_private(name) and any(name in vars(each) for each in libraries))
    above = {name for each in ours if each is not kind for name in defined_in(our_classes()[each][1])}
    here = above | set(defined_in(node))
    for each in ast.walk(node):
        if not isinstance(each, ast.Attribute) or not is_private(each.attr):
            continue
        if (is_self(each.value) and each.attr not in here) or (is_super(each.value) and each.attr not in above):
            yield each.attr


def uses_of(module: ModuleType) -> Iterator[str]:
    """The private names of libraries that a module uses."""
    for kind, (home, _) in our_classes().items():
        if home is module:
            yield from inherited_uses(kind)
    yield from uses_in(tree_of(module))


def uses_in(tree: ast.Module) -> Iterator[str]:
    """Imports, and attributes of other objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and is_of_library(node.module or ""):
            yield from filter(is_private, [*(node.module or "").split("."), *(alias.name for alias in node.names)])
        elif isinstance(node, ast.Import):
            yield from (part for alias in node.names for part in alias.name.split(".") if is_private(part))
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node):
            yield node.attr


@cache
def own_names() -> set[str]:
    listed = {each.name for names in LISTED.values() for each in names}
    return {name for module in modules().values() for name in defined_in(tree_of(module))} - listed


def is_own(node: ast.Attribute) -> bool:
    is_stdlib = isinstance(node.value, ast.Name) and node.value.id in sys.stdlib_module_names
    return is_self(node.value) or is_super(node.value) or is_stdlib or node.attr in own_names()


def package_of(name: str) -> str:
    name = name.removeprefix("steward.")
    return next((package for package in LISTED if name.startswith(f"{package}.")), name)


@cache
def found() -> dict[str, set[str]]:
    """By package, or module where it stands outside of the three."""
    uses: dict[str, set[str]] = {}
    for name, module in modules().items():
        for used in uses_of(module):
            uses.setdefault(package_of(name), set()).add(used)
    return uses


def test_three_packages_alone_use_private_names_of_libraries() -> None:
    elsewhere = {module: names - TO_GO.get(module, set()) for module, names in found().items() if module not in LISTED}
    assert {module: names for module, names in elsewhere.items() if names} == {}


@pytest.mark.parametrize("package", LISTED)
def test_every_private_name_is_listed_and_no_other(package: str) -> None:
    listed = [each.name for each in LISTED[package] if is_private(each.name)]
    assert found()[package] == set(listed)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_private_name_is_there_in_the_installed_version(entry: PrivateName) -> None:
    assert entry.is_there(), f"{entry}: {entry.reason}"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from starlette._utils import is_async_callable", "_utils"),
        ("from sqlalchemy.pool.base import _ConnectionFairy", "_ConnectionFairy"),
        ("def f(pool): return pool._creator", "_creator"),
        ("def f(adapter): return adapter._transaction", "_transaction"),  # which is the name of one of ours, too
    ],
)
def test_a_private_name_is_found(code: str, name: str) -> None:
    assert set(uses_in(ast.parse(code))) == {name}
