"""How many Python functions the application calls to answer a request.

Time differs from run to run and from machine to machine; this figure does not. A layer more, a dependency more or a
statement that is built anew for each request shows in it at once.
"""

import gc
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, MutableMapping
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any

import pytest
import pytest_asyncio
from steward.domain.items import NewItem
from steward.domain.users import UserId
from steward.entrypoints.http.request_context import RequestContext, put_context

from tests.support.exchange import scope_of
from tests.support.http import Api, serving

# As measured. If one is exceeded, the code has to change, or, if that is meant, the figure. Where one becomes less,
# renew it: `pytest -rP` prints the table as it is now.
_WITH_EXPRESS_LANE = {
    ("livez", "sqlite"): 113,
    ("get", "sqlite"): 422,
    ("list", "sqlite"): 1114,
    ("create", "sqlite"): 595,
    ("patch", "sqlite"): 653,
    ("livez", "postgres"): 113,
    ("get", "postgres"): 431,
    ("list", "postgres"): 726,
    ("create", "postgres"): 648,
    ("patch", "postgres"): 712,
}
_ORDINARY_PATH = {
    ("livez", "sqlite"): 442,
    ("get", "sqlite"): 1569,
    ("list", "sqlite"): 2791,
    ("create", "sqlite"): 1990,
    ("patch", "sqlite"): 2243,
    ("livez", "postgres"): 442,
    ("get", "postgres"): 1587,
    ("list", "postgres"): 2413,
    ("create", "postgres"): 1885,
    ("patch", "postgres"): 2123,
}
CALLS = _ORDINARY_PATH if os.environ.get("STEWARD_EXPRESS") == "off" else _WITH_EXPRESS_LANE
# More than so many times the figure is too many. There is no spread; but each version of Python has its own library.
_MORE = 1.05 if sys.version_info[:2] == (3, 11) else 1.3
_WARMING, _COUNTED = 10, 9  # requests
_ITEMS = 100
# The event loop, because how often it wakes up depends on how the answers of the database arrive; and this file.
_LEFT_OUT = ("asyncio/base_events.py", "asyncio/selector_events.py", "asyncio/events.py", "selectors.py", __file__)
_numbers = itertools.count(1)

Calls = Counter[CodeType]  # by function


@pytest_asyncio.fixture(scope="module")
async def api(url_of_module: str) -> AsyncIterator[Api]:
    """The whole product, as it is by default."""
    async with serving(url_of_module, rate_limits=True) as api:
        async with api.database.unit_of_work() as uow:
            boxes = [NewItem.of(owner_id=UserId(1), name=f"Box {number}") for number in range(_ITEMS)]
            await uow.items.add_many(boxes, at=uow.now)
            await uow.commit()
        yield api


def _request(name: str) -> tuple[str, str, Mapping[str, Any] | None]:
    match name:
        case "livez":
            return "GET", "/livez", None
        case "get":
            return "GET", "/items/1", None
        case "list":
            return "GET", f"/items?limit={_ITEMS}", None
        case "create":
            return "POST", "/items", {"name": "Box", "quantity": 3, "attributes": {"colour": "brown"}}
        case "patch":
            return "PATCH", "/items/1", {"quantity": next(_numbers)}
    raise ValueError(name)


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in CALLS))
async def test_a_request_calls_hardly_more_functions_than_it_did(name: str, api: Api, url_of_module: str) -> None:
    backend = "sqlite" if url_of_module.startswith("sqlite") else "postgres"
    for _ in range(_WARMING):
        await _counted(api, name)
    gc.collect()
    gc.disable()  # what is finalised calls functions, too
    try:
        taken = sorted([await _counted(api, name) for _ in range(_COUNTED)], key=Counter.total)
    finally:
        gc.enable()
    calls, known = taken[_COUNTED // 2], CALLS[name, backend]
    now = calls.total()
    sys.stdout.write(f'    ("{name}", "{backend}"): {now},  # from {taken[0].total()} to {taken[-1].total()}\n')
    if now > known * _MORE:
        most = "\n".join(f"{number:5} {_name(function)}" for function, number in calls.most_common(40))
        pytest.fail(
            f"{name} on {backend} calls {now} functions, {now / known - 1:.0%} more than the {known} that it called.\n"
            f"These most; compare them with those of the code as it was, or profile both (cProfile):\n{most}",
            pytrace=False,
        )


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in CALLS))
async def test_a_request_leaves_no_circle_of_objects_behind(name: str, api: Api) -> None:
    """What refers to itself is not freed at once, but by the garbage collector, and while that looks for it everybody
    waits. At half a hundred objects a request it was the slowest answer of a hundred."""
    for _ in range(_WARMING):
        await _counted(api, name)
    gc.collect()
    gc.freeze()  # what is there already is not looked through each time
    gc.disable()
    left = []
    try:
        for _ in range(_COUNTED):
            await _counted(api, name)
            left.append(gc.collect())
    finally:
        gc.enable()
        gc.unfreeze()
    # What something else in this process leaves meanwhile, a thread that ends, comes once; a request's comes each time.
    assert sorted(left)[_COUNTED // 2] == 0, f"objects of {_COUNTED} requests: {left}"


async def _counted(api: Api, name: str) -> Calls:
    """One request's. Only on this thread: aiosqlite and the hasher have threads of their own."""
    method, path, body = _request(name)
    scope = _scope(method, path, api.client.headers["Authorization"])
    content = b"" if body is None else json.dumps(body).encode()
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    calls: Calls = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            calls[frame.f_code] += 1

    sys.setprofile(count)
    try:
        await api.app(scope, receive, send)
    finally:
        sys.setprofile(None)
    assert statuses in ([200], [201])
    return Counter({code: number for code, number in calls.items() if not code.co_filename.endswith(_LEFT_OUT)})


def _name(code: CodeType) -> str:
    return f"{code.co_qualname} ({'/'.join(PurePath(code.co_filename).parts[-3:])})"


def _scope(method: str, path: str, authorization: str) -> MutableMapping[str, Any]:
    """What uvicorn would make of the request of an ordinary client."""
    headers = {
        "host": "steward.test",
        "accept": "*/*",
        "user-agent": "test",
        "authorization": authorization,
        "content-type": "application/json",
    }
    scope = scope_of(method, path, headers)
    put_context(scope, RequestContext(_Connection()))
    return scope


class _Connection:
    """As of a real one."""

    def break_off(self) -> None: ...

    def has_left(self) -> bool:
        return False

    def body_has_come(self) -> bool:
        return True
