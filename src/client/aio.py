"""The client for asyncio: what `blocking.py` has, to be awaited."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from contextlib import aclosing, asynccontextmanager
from os import PathLike
from types import TracebackType
from typing import IO, Any, ParamSpec, Self, TypeVar

import httpx2

from . import auth, batches, connections, files, health, items, streams, users
from .calls import Call, describe
from .conversation import Alone, Conversation, Retries, Send, Steps, Wait
from .errors import StewardError
from .files import IMPORT_TIMEOUT
from .lists import AsyncListing, Query
from .uploads import Format, Spool, Upload
from .values import Item, NewItem

P = ParamSpec("P")
Result = TypeVar("Result")
Row = TypeVar("Row")


class AsyncClient:
    """One user of one server, with one pair of tokens. The tasks of one event loop may share it.

    The arguments are those of `Client`.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 10.0,
        retries: Retries = Retries(),  # noqa: B008 - frozen
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx2.AsyncClient(transport=transport, **connections.options(url))
        self._conversation = Conversation(token=token, timeout=timeout, retries=retries)
        self._alone = asyncio.Lock()
        self._renewals: set[asyncio.Task[None]] = set()
        self.users = AsyncUsers(self)
        self.items = AsyncItems(self)
        self.sessions = AsyncSessions(self)

    async def sign_in(self, username: str, password: str) -> Self:
        """`username` may be the e-mail address. Raises `InvalidCredentials`, `RateLimited`."""
        await self._run(self._conversation.sign_in(username, password))
        return self

    async def sign_out(self) -> None:
        """End the session; its tokens are worth nothing any more."""
        await self._run(self._conversation.sign_out())

    async def is_alive(self) -> bool:
        """Whether the server answers at all; asked once."""
        return await self._run(self._conversation.succeeds(health.get_liveness()))

    async def is_ready(self) -> bool:
        """Whether the server can serve requests now; asked once."""
        return await self._run(self._conversation.succeeds(health.get_readiness()))

    async def aclose(self) -> None:
        """Close the connections. The session goes on; see `sign_out`."""
        await asyncio.gather(*self._renewals, return_exceptions=True)
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def call(self, call: Call[Result]) -> Result:
        """Make a call that has been described; the methods of `users`, `items` and `sessions` are made of this."""
        return await self._run(self._conversation.exchange(call))

    def bind(self, make: Callable[P, Call[Result]]) -> Callable[P, Coroutine[Any, Any, Result]]:
        """The function that makes the call that `make` describes."""

        async def bound(*args: P.args, **kwargs: P.kwargs) -> Result:
            return await self.call(make(*args, **kwargs))

        describe(bound, make)
        return bound

    def bind_list(self, make: Callable[P, Query[Row]]) -> Callable[P, AsyncListing[Row]]:
        """The function that makes the list that `make` describes; walking it makes the calls."""

        def bound(*args: P.args, **kwargs: P.kwargs) -> AsyncListing[Row]:
            return AsyncListing(self.call, make(*args, **kwargs))

        describe(bound, make)
        return bound

    async def _run(self, steps: Steps[Result]) -> Result:
        try:
            step = next(steps)
            while True:
                try:
                    response = await self._do(step)
                except (httpx2.RequestError, StewardError) as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _do(self, step: Send | Wait | Alone) -> httpx2.Response | None:
        match step:
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Alone(steps):
                # To its end, even if the caller is cancelled meanwhile: a refresh token can be exchanged but once.
                renewal = asyncio.create_task(self._run_alone(steps))
                self._renewals.add(renewal)
                renewal.add_done_callback(self._forget)
                await asyncio.shield(renewal)
            case Send():
                return await self._send(step)
        return None

    async def _run_alone(self, steps: Steps[None]) -> None:
        async with self._alone:
            await self._run(steps)

    def _forget(self, renewal: asyncio.Task[None]) -> None:
        self._renewals.discard(renewal)
        if not renewal.cancelled():
            renewal.exception()  # looked at, because whoever was waiting for it may have gone

    async def _send(self, step: Send) -> httpx2.Response:
        body = step.call.body
        content = streams.asent(body) if isinstance(body, Upload) else body
        request = self._http.build_request(content=content, **step.options())
        response = await self._http.send(request, stream=step.call.streamed)
        if step.call.streamed and not response.is_success:
            await response.aread()
        return response


class AsyncUsers:
    """`client.users`"""

    def __init__(self, client: AsyncClient) -> None:
        self.register = client.bind(users.register_user)
        self.get = client.bind(users.get_user)
        self.me = client.bind(users.get_me)
        self.list = client.bind_list(users.list_users)
        self.update = client.bind(users.update_user)
        self.change_password = client.bind(users.change_password)
        self.delete = client.bind(users.delete_user)


class AsyncSessions:
    """`client.sessions`: your own."""

    def __init__(self, client: AsyncClient) -> None:
        self.list = client.bind(auth.list_sessions)
        self.end = client.bind(auth.end_session)


class AsyncItems:
    """`client.items`"""

    def __init__(self, client: AsyncClient) -> None:
        self._call = client.call
        self.create = client.bind(items.create_item)
        self.get = client.bind(items.get_item)
        self.list = client.bind_list(items.list_items)
        self.update = client.bind(items.update_item)
        self.delete = client.bind(items.delete_item)
        self.transfer = client.bind(items.transfer_item)
        self.batch = client.bind(batches.run_batch)

    @asynccontextmanager
    async def export(self) -> AsyncIterator[AsyncIterator[Item]]:
        """Your own items in the order of their ids, however many: they come as they are read.

        Raises `ConnectionFailed` if the connection breaks off: what came until then is not all.
        """
        response = await self._call(files.export_items("ndjson"))
        async with aclosing(response), aclosing(streams.aitems(response)) as exported:
            yield exported

    async def export_file(self, path: str | PathLike[str], *, format: Format = "ndjson") -> None:
        """Write your own items to a file, which has its name only when it is whole. Raises `ConnectionFailed`."""
        async with aclosing(await self._call(files.export_items(format))) as response:
            with files.whole_file(path) as file:
                async for chunk in streams.achunks(response):
                    await asyncio.to_thread(file.write, chunk)

    async def import_file(
        self,
        source: str | PathLike[str] | IO[bytes],
        *,
        format: Format | None = None,
        timeout: float = IMPORT_TIMEOUT,
        idempotency_key: str | None = None,
    ) -> int:
        """Create an item of each line, all or none; how many. A path's suffix tells the format, of a file give it.

        Raises `InvalidRequest`, whose `errors` name the lines, and `OSError`.
        """
        with Spool() as spool:
            upload = await asyncio.to_thread(spool.upload_of, source, format)
            return await self._call(files.import_items(upload, timeout=timeout, idempotency_key=idempotency_key))

    async def import_items(
        self,
        items: Iterable[NewItem | Item] | AsyncIterable[NewItem | Item],
        *,
        timeout: float = IMPORT_TIMEOUT,
        idempotency_key: str | None = None,
    ) -> int:
        """Create them, all or none, however many; how many. They are gathered in a temporary file before they are sent.

        Raises `InvalidRequest`, whose `errors` name the lines: the first item is line 1.
        """
        with Spool() as spool:
            if isinstance(items, AsyncIterable):
                async for item in items:
                    spool.add(item)
            else:
                for item in items:
                    spool.add(item)
            upload = spool.upload("ndjson")
            return await self._call(files.import_items(upload, timeout=timeout, idempotency_key=idempotency_key))
