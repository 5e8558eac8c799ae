"""The server process: where it listens, how it starts, and how it ends.

uvicorn ends hard: it drops requests that were sent and not yet read, closes the database while cancelled requests still
roll back, and raises the signal again afterwards, so that its exit status says "killed". Here the signals are our own.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from ...config import ConfigurationError, Settings
from ..http.server_state import server_state_in
from ..logs import logging_of
from .client_timeouts import ClientTimeouts
from .protocol import ProblemProtocol
from .timed_protocol import TimedConfig

log = logging.getLogger("steward.server")

BACKLOG = 2048  # connections that wait to be accepted
CLEAN_UP_TIME = 5.0  # seconds for cancelled requests to roll back, and again for the pool to be closed
GRACEFUL, CUT_OFF = 0, 1  # exit codes


def listening_socket(settings: Settings) -> socket.socket:
    """Bound, and not listening yet. Raises `ConfigurationError` if this cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise ConfigurationError([f"STEWARD_HOST: {settings.host} is not a known address"]) from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it a server that was just stopped blocks its port for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _cannot_listen(settings, error) from None
    return listener


def start_listening(settings: Settings, listener: socket.socket) -> None:
    try:
        listener.listen(BACKLOG)
    except OSError as error:  # somebody else was bound to the same port, and has come first
        raise _cannot_listen(settings, error) from None


def _cannot_listen(settings: Settings, error: OSError) -> ConfigurationError:
    reason = os.strerror(error.errno or 0)
    return ConfigurationError([f"Cannot listen on {settings.host} port {settings.port}: {reason}"])


class ServerConfig(TimedConfig):
    """`app` is an application, or, for worker processes, the import path of what makes one."""

    def __init__(self, app: Any, settings: Settings) -> None:
        super().__init__(
            app,
            factory=isinstance(app, str),
            workers=settings.workers,
            loop="auto",  # uvloop, where it can be installed
            http=ProblemProtocol,
            ws="none",
            interface="asgi3",
            lifespan="on",
            log_config=logging_of(settings),
            access_log=False,
            server_header=False,
            # None by default: uvicorn's own default lets any process on this machine speak for another address.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            backlog=BACKLOG,
            timeout_graceful_shutdown=settings.shutdown_timeout,
        )
        self.has_metrics = settings.metrics
        self.drain_time = min(settings.drain_time, settings.shutdown_timeout)
        self.client_timeouts = ClientTimeouts.of(settings)

    def configure_logging(self) -> None:
        """Also called in each worker process."""
        super().configure_logging()
        logging.captureWarnings(True)


class Server(uvicorn.Server):
    """Ends gracefully on the first signal, at once on the second.

    From the first signal on, `ServerState.is_draining` is True (the state of the ASGI lifespan): the readiness check
    answers 503 by it. `exit_code` says how it ended.
    """

    config: ServerConfig

    def __init__(
        self,
        config: ServerConfig,
        *,
        signals: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM),
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self.exit_code = GRACEFUL
        self._signals = signals
        self._on_started = on_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in self._signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True
        for number in self._signals:
            signal.signal(number, signal.SIG_DFL)  # the next one ends the process, as a plain kill would

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:  # the lifespan failed, or a signal came: it has not started
            return
        # What is there now stays: looking through it for garbage again and again is what makes the slowest requests
        # slow (p99 at 70 % load: 89 ms before, 28 ms after).
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        deadline = asyncio.get_running_loop().time() + (self.config.timeout_graceful_shutdown or 0)
        if (state := server_state_in(self.lifespan.state)) is not None:
            state.is_draining = True
        # A client that keeps its connection learns from the next answer to open another one: elsewhere.
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        await asyncio.sleep(self.config.drain_time)
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if not await self._answered_by(deadline):
            await self._cut_off()
        # After the last request: its rollback needs the pool that the lifespan closes.
        is_closed = await self._lifespan_has_ended()
        if self.exit_code == CUT_OFF or not is_closed:
            # A thread that still hashes for a request that was cut off would hold the process up at its exit, and so
            # would a connection to a database that does not answer.
            logging.shutdown()
            os._exit(self.exit_code)

    async def _answered_by(self, deadline: float) -> bool:
        while self.server_state.tasks or self.server_state.connections:
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def _lifespan_has_ended(self) -> bool:
        try:
            async with asyncio.timeout(CLEAN_UP_TIME):
                await self.lifespan.shutdown()
        except TimeoutError:
            log.warning("The database did not answer in %g s: its connections were left as they were", CLEAN_UP_TIME)
            return False
        return True

    async def _cut_off(self) -> None:
        self.exit_code = CUT_OFF
        tasks = set(self.server_state.tasks)
        log.error(
            "%d requests were cut off: they took longer than the %s s of STEWARD_SHUTDOWN_TIMEOUT",
            len(tasks) or len(self.server_state.connections),  # or answers that are not taken
            self.config.timeout_graceful_shutdown,
        )
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLEAN_UP_TIME)
