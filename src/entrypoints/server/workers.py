"""Several server processes on one socket, under uvicorn's supervisor: it replaces those that die.

Each is a `Server` and ends like one; the supervisor ends after all of them have.
"""

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

from uvicorn.supervisors import multiprocess

from ..http.middleware.shared_figures import VARIABLE, make_directory
from .server import CUT_OFF, GRACEFUL, Server, ServerConfig

log = logging.getLogger("steward.server")

START_LIMIT = 60.0  # seconds for a worker process to start


class Worker(multiprocess.Process):
    """One process of several."""

    @property
    def server(self) -> Server:
        assert isinstance(self._server, Server)
        return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config, ServerConfig)
        # Ctrl+C reaches every process of the terminal: the workers leave it to the supervisor, whose SIGTERM would
        # otherwise be their second signal.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._server = Server(self.config, signals=(signal.SIGTERM,))
        figures = os.environ[VARIABLE] if self.config.has_metrics else None
        threading.Thread(target=_end_with_the_supervisor, args=(figures,), daemon=True).start()
        super().target(sockets)
        raise SystemExit(self.server.exit_code)


def _end_with_the_supervisor(figures: str | None) -> None:
    """A worker whose supervisor was killed would go on for ever, and keep the port."""
    supervisor = multiprocessing.parent_process()
    assert supervisor is not None
    supervisor.join()
    if figures is not None:
        shutil.rmtree(figures, ignore_errors=True)  # it could not do that any more
    os.kill(os.getpid(), signal.SIGTERM)


# uvicorn's supervisor names the class of its processes by a global of its module, and offers no other way.
multiprocess.Process = Worker  # type: ignore[misc]


class Supervisor(multiprocess.Multiprocess):
    """Several worker processes on one socket; `run` returns after all of them have ended."""

    def __init__(
        self, config: ServerConfig, listener: socket.socket, *, on_started: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config, [listener])
        self._on_started = on_started
        self._figures = make_directory() if config.has_metrics else None

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._forget_figures()

    @property
    def exit_code(self) -> int:
        return GRACEFUL if all(process.exitcode == 0 for process in self.processes) else CUT_OFF

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(START_LIMIT) for process in self.processes):
            self._on_started()

    def keep_subprocess_alive(self) -> None:
        before = list(self.processes)
        super().keep_subprocess_alive()
        for gone in set(before) - set(self.processes):
            log.warning("Server process %s has ended (%s), and another one was started", gone.pid, gone.exitcode)
        self._forget_the_dead()

    def _forget_the_dead(self) -> None:
        """What they were doing they do no more; what they have counted stays."""
        if self._figures is not None:
            alive = {str(process.pid) for process in self.processes}
            for file in self._figures.glob("gauge_live*.db"):
                if file.stem.rpartition("_")[2] not in alive:
                    file.unlink(missing_ok=True)

    def _forget_figures(self) -> None:
        if self._figures is not None:
            shutil.rmtree(self._figures, ignore_errors=True)

    def terminate_all(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._kill_all)
        for listener in self.sockets:  # else whoever comes now would wait in a queue that nobody serves
            listener.close()
        super().terminate_all()

    def _kill_all(self, number: int, frame: FrameType | None) -> None:
        for process in self.processes:
            process.process.kill()
        self._forget_figures()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
