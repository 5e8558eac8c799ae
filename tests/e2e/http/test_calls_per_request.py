"""How many Python functions the application calls to answer a request: a figure that hardly differs from run to run, nor
from machine to machine, as time does. A layer more, a dependency more or a statement that is built anew for each request
shows in it at once.
"""

import gc
import itertools
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import PurePath
from types import FrameType
from typing import Any

import pytest
import pytest_asyncio
from steward.domain.items import NewItem
from steward.domain.users import UserId

from tests.support.http import Api, serving

# As measured, on Python 3.11. What has to change when this fails is the code, or, if it is meant, the figures here, as
# they are when it becomes faster: `pytest -rP` shows how they are now.
CALLS = {
    ("livez", "sqlite"): 0,
    ("livez", "postgres"): 0,
    ("get", "sqlite"): 0,
    ("get", "postgres"): 0,
    ("list", "sqlite"): 0,
    ("list", "postgres"): 0,
    ("create", "sqlite"): 0,
    ("create", "postgres"): 0,
    ("patch", "sqlite"): 0,
    ("patch", "postgres"): 0,
}
_MORE = 1.12  # times as many are too many
_WARMING, _COUNTED = 20, 15  # requests
_ITEMS = 100
# Of the event loop: how often it wakes up depends on how the answers of the database arrive.
_OF_THE_LOOP = ("asyncio/base_events.py", "asyncio/selector_events.py", "asyncio/events.py", "selectors.py")
_numbers = itertools.count(1)

Calls = Counter[str]  # by function


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
    form = "sqlite" if url_of_module.startswith("sqlite") else "postgres"
    for _ in range(_WARMING):
        await _counted(api, name)
    taken = sorted([await _counted(api, name) for _ in range(_COUNTED)], key=Counter.total)
    calls, known = taken[_COUNTED // 2], CALLS[name, form]
    print(f"    ({name!r}, {form!r}): {calls.total()},  # {taken[0].total()} to {taken[-1].total()}")
    assert calls.total() <= known * _MORE, (
        f"{name} on {form} calls {calls.total()} functions now: {calls.total() - known} more than {known}. These most:\n"
        + "\n".join(f"{number:5} {function}" for function, number in calls.most_common(40))
    )


async def _counted(api: Api, name: str) -> Calls:
    """One request's. Only on this thread: aiosqlite and the hasher have threads of their own."""
    method, path, body = _request(name)
    scope = _scope(method, path, api.client.headers["Authorization"])
    content = b"" if body is None else json.dumps(body).encode()
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    calls: Calls = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and not frame.f_code.co_filename.endswith(_OF_THE_LOOP):
            calls[_called(frame)] += 1

    gc.collect()  # what is finalised meanwhile calls functions, too
    gc.disable()
    sys.setprofile(count)
    try:
        await api.app(scope, receive, send)
    finally:
        sys.setprofile(None)
        gc.enable()
    assert statuses in ([200], [201])
    return calls


def _called(frame: FrameType) -> str:
    return f"{frame.f_code.co_qualname} ({'/'.join(PurePath(frame.f_code.co_filename).parts[-3:])})"


def _scope(method: str, path: str, authorization: str) -> dict[str, Any]:
    """What uvicorn would make of the request of an ordinary client."""
    path, _, query = path.partition("?")
    headers = {
        "host": "steward.test",
        "accept": "*/*",
        "user-agent": "test",
        "authorization": authorization,
        "content-type": "application/json",
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
