"""A server as a process of its own, reached over a real socket."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_START_LIMIT = 60.0  # seconds
_ROOT = Path(__file__).parents[2]


class Server:
    """Runs `command`, in which `{port}` stands for a free port, until `stop`.

    The constructor returns before the server answers; see `wait`.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        self._reserved = reserved_port()
        self.port = port_of(self._reserved)
        self.url = f"http://127.0.0.1:{self.port}"
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self.process = subprocess.Popen(
            [part.replace("{port}", str(self.port)) for part in command],
            cwd=_ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - does nothing that a thread could disturb
        )

    @classmethod
    def of_module(cls, module: str, *arguments: str) -> "Server":
        """`python -m module {port} …`."""
        return cls([sys.executable, "-m", module, "{port}", *arguments])

    def wait(self) -> "Server":
        """Until it accepts connections."""
        deadline = time.monotonic() + _START_LIMIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"The server did not start:\n{self.stop()}") from None
                time.sleep(0.02)
            else:
                return self

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, *, how: signal.Signals = signal.SIGTERM, limit: float = 60.0) -> str:
        """Return what it has printed; killed if it does not end within `limit` seconds."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reserved.close()
        if self._output.closed:
            return ""
        self._output.seek(0)
        with self._output as output:
            return output.read().decode(errors="replace")


def die_with_parent() -> None:
    """Also when the parent is killed. To be called in the child."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def reserved_port() -> socket.socket:
    """A port that nobody else is given until this is closed, also while its server is down. It does not listen, so that
    a server can which sets SO_REUSEADDR: every one that can be started again at once does."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def port_of(reserved: socket.socket) -> int:
    return int(reserved.getsockname()[1])
