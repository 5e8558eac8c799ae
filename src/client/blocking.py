"""The client for plain code and threads."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from os import PathLike
from types import TracebackType
from typing import IO, ParamSpec, Self, TypeVar

import httpx2

from . import auth, batches, connections, files, health, items, streams, users
from .calls import Call, describe
from .conversation import Alone, Conversation, Retries, Send, Steps, Wait
from .errors import StewardError
from .files import IMPORT_TIMEOUT
from .lists import Listing, Query
from .uploads import Format, Spool, Upload
from .values import Item, NewItem

P = ParamSpec("P")
Result = TypeVar("Result")
Row = TypeVar("Row")


class Client:
    """One user of one server, with one pair of tokens. Threads may share it; processes may not.

    `timeout` (seconds) is for each wait of an attempt: to connect, to send, for the answer; `retries` says how often it
    is tried. A `token` is used as it is; `sign_in` gets a pair of tokens, which are renewed as they expire. `transport`
    is for TLS of your own and the like: `httpx2.HTTPTransport(verify=…)`.

    Calls raise `StewardError`; a `ValueError` or `TypeError` means that the arguments are wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 10.0,
        retries: Retries = Retries(),  # noqa: B008 - frozen
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._http = httpx2.Client(transport=transport, **connections.options(url))
        self._conversation = Conversation(token=token, timeout=timeout, retries=retries)
        self._alone = threading.Lock()
        self.users = Users(self)
        self.items = Items(self)
        self.sessions = Sessions(self)

    def sign_in(self, username: str, password: str) -> Self:
        """`username` may be the e-mail address. Raises `InvalidCredentials`, `RateLimited`."""
        self._run(self._conversation.sign_in(username, password))
        return self

    def sign_out(self) -> None:
        """End the session; its tokens are worth nothing any more."""
        self._run(self._conversation.sign_out())

    def is_alive(self) -> bool:
        """Whether the server answers at all; asked once."""
        return self._run(self._conversation.succeeds(health.get_liveness()))

    def is_ready(self) -> bool:
        """Whether the server can serve requests now; asked once."""
        return self._run(self._conversation.succeeds(health.get_readiness()))

    def close(self) -> None:
        """Close the connections. The session goes on; see `sign_out`."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, call: Call[Result]) -> Result:
        """Make a call that has been described; the methods of `users`, `items` and `sessions` are made of this."""
        return self._run(self._conversation.exchange(call))

    def bind(self, make: Callable[P, Call[Result]]) -> Callable[P, Result]:
        """The function that makes the call that `make` describes."""

        def bound(*args: P.args, **kwargs: P.kwargs) -> Result:
            return self.call(make(*args, **kwargs))

        describe(bound, make)
        return bound

    def bind_list(self, make: Callable[P, Query[Row]]) -> Callable[P, Listing[Row]]:
        """The function that makes the list that `make` describes; walking it makes the calls."""

        def bound(*args: P.args, **kwargs: P.kwargs) -> Listing[Row]:
            return Listing(self.call, make(*args, **kwargs))

        describe(bound, make)
        return bound

    def _run(self, steps: Steps[Result]) -> Result:
        try:
            step = next(steps)
            while True:
                try:
                    response = self._do(step)
                except (httpx2.RequestError, StewardError) as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _do(self, step: Send | Wait | Alone) -> httpx2.Response | None:
        match step:
            case Wait(seconds):
                time.sleep(seconds)
            case Alone(steps):
                with self._alone:
                    self._run(steps)
            case Send():
                return self._send(step)
        return None

    def _send(self, step: Send) -> httpx2.Response:
        body = step.call.body
        content = body.chunks() if isinstance(body, Upload) else body
        request = self._http.build_request(content=content, **step.options())
        response = self._http.send(request, stream=step.call.streamed)
        if step.call.streamed and not response.is_success:
            response.read()
        return response


class Users:
    """`client.users`"""

    def __init__(self, client: Client) -> None:
        self.register = client.bind(users.register_user)
        self.get = client.bind(users.get_user)
        self.me = client.bind(users.get_me)
        self.list = client.bind_list(users.list_users)
        self.update = client.bind(users.update_user)
        self.change_password = client.bind(users.change_password)
        self.delete = client.bind(users.delete_user)


class Sessions:
    """`client.sessions`: your own."""

    def __init__(self, client: Client) -> None:
        self.list = client.bind(auth.list_sessions)
        self.end = client.bind(auth.end_session)


class Items:
    """`client.items`"""

    def __init__(self, client: Client) -> None:
        self._call = client.call
        self.create = client.bind(items.create_item)
        self.get = client.bind(items.get_item)
        self.list = client.bind_list(items.list_items)
        self.update = client.bind(items.update_item)
        self.delete = client.bind(items.delete_item)
        self.transfer = client.bind(items.transfer_item)
        self.batch = client.bind(batches.run_batch)

    @contextmanager
    def export(self) -> Iterator[Iterator[Item]]:
        """Your own items in the order of their ids, however many: they come as they are read.

        Raises `ConnectionFailed` if the connection breaks off: what came until then is not all.
        """
        with closing(self._call(files.export_items("ndjson"))) as response:
            yield streams.items(response)

    def export_file(self, path: str | PathLike[str], *, format: Format = "ndjson") -> None:
        """Write your own items to a file, which has its name only when it is whole. Raises `ConnectionFailed`."""
        with closing(self._call(files.export_items(format))) as response, files.whole_file(path) as file:
            for chunk in streams.chunks(response):
                file.write(chunk)

    def import_file(
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
            upload = spool.upload_of(source, format)
            return self._call(files.import_items(upload, timeout=timeout, idempotency_key=idempotency_key))

    def import_items(
        self,
        items: Iterable[NewItem | Item],
        *,
        timeout: float = IMPORT_TIMEOUT,
        idempotency_key: str | None = None,
    ) -> int:
        """Create them, all or none, however many; how many. They are gathered in a temporary file before they are sent.

        Raises `InvalidRequest`, whose `errors` name the lines: the first item is line 1.
        """
        with Spool() as spool:
            for item in items:
                spool.add(item)
            upload = spool.upload("ndjson")
            return self._call(files.import_items(upload, timeout=timeout, idempotency_key=idempotency_key))
