"""`steward serve` as a process of its own, as people run it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx2

from .server import die_with_parent

_ROOT = Path(__file__).parents[2]
_LIMIT = 150.0  # seconds, more than a request may take; a test that hangs must end

# As weak as it can be, so that hashing takes no time.
QUICK_HASHING = {"hash_memory": 8, "hash_iterations": 1}
# A busy machine is no reason for a refusal: those of the deadlines that it exceeds, longer than any test takes.
PATIENT: dict[str, Any] = {
    "connect_timeout": 60,
    "pool_timeout": 60,
    "statement_timeout": 60,
    "busy_timeout": 60,
    "readiness_timeout": 60,
    "request_timeout": 120,
    "batch_timeout": 120,
    "import_timeout": 300,
    "head_timeout": 60,
    "hash_queue": 1000,
    "shutdown_timeout": 60,
}
# For tests of the deadlines that the product comes with.
AS_SHIPPED = dict.fromkeys(PATIENT)
ADMIN_PASSWORD = "correct horse"
SECRET = "not a secret, but 32 characters long"
# An admin whose password the tests know, a secret, and no limits: all tests come from one address. Their PostgreSQL
# runs without fsync. Without the access log, whatever stands in `errors` is something that was not meant to be.
_DEFAULTS = {
    **QUICK_HASHING,
    **PATIENT,
    "admin_password": ADMIN_PASSWORD,
    "secret_key": SECRET,
    "rate_limits": False,
    "allow_unsafe_durability": True,
    "access_log": False,
}


class ServerDidNotStart(Exception):
    """Says what it printed."""


class StewardServer:
    """A server on a free port of its own; leaving the block ends it.

        with StewardServer(server_url) as server:
            server.sign_in()
            assert server.client.get("/users/me").status_code == 200

    `options` are those of `steward serve`; `settings` are settings, by their names in `Settings`. It dies with the
    test process, also if that is killed, and reads neither our environment's settings nor a `.env`. (On Linux it dies
    with the thread that started it: start it in the main one.)
    """

    # Run as `python -m`, with its first arguments: the fault suite puts broken variants of the product here.
    module: tuple[str, ...] = ("steward",)

    def __init__(self, database_url: str, *options: str, **settings: object) -> None:
        self._options = options
        self._settings = {"database_url": database_url, **_DEFAULTS, **settings}
        self._directory = tempfile.TemporaryDirectory(prefix="steward-server-")
        self._threads: list[threading.Thread] = []
        self._ready = threading.Event()
        self.output: list[str] = []  # lines of standard output
        self.errors: list[str] = []  # lines of standard error
        self.process: subprocess.Popen[str]
        self.url = ""
        self.client: httpx2.Client

    def start(self) -> Self:
        """Returns when the server answers. Raises `ServerDidNotStart`."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.module, "serve", "--port", "0", *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=self._environment(),
            cwd=self._directory.name,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls nothing that takes a lock
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        # Read all the time: a server whose pipe is full stands still.
        self._follow(self.process.stdout, self.output)
        self._follow(self.process.stderr, self.errors)
        self._ready.wait(_LIMIT)
        if not self.url:
            self.kill()
            raise ServerDidNotStart("\n".join([*self.output, *self.errors]))
        self.client = httpx2.Client(base_url=self.url, timeout=_LIMIT)
        return self

    def sign_in(self, username: str = "admin", password: str = ADMIN_PASSWORD) -> dict[str, Any]:
        """Let `client` act as this user from now on. The answer of `/auth/token`."""
        form = {"grant_type": "password", "username": username, "password": password}
        tokens: dict[str, Any] = self.client.post("/auth/token", data=form).raise_for_status().json()
        self.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return tokens

    @property
    def credentials(self) -> dict[str, str]:
        """What `client` is recognised by since `sign_in`, for requests that go another way."""
        return {"Authorization": self.client.headers["Authorization"]}

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """The exit code; negative for the signal that killed it."""
        self.process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """Until it ends by itself."""
        try:
            code = self.process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._clean_up()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._clean_up()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.stop()
        self._clean_up()

    def _environment(self) -> dict[str, str]:
        ours = environment(**self._settings)
        if self.module == ("steward",):
            return ours
        # A module of the tests is found from no other directory.
        return {**ours, "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), ours.get("PYTHONPATH"))))}

    def _follow(self, stream: IO[str], lines: list[str]) -> None:
        def follow() -> None:
            with stream:
                for line in stream:
                    lines.append(line.rstrip("\n"))
                    if lines is self.output and self._is_last_of_the_greeting(line):
                        self._ready.set()
            self._ready.set()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _is_last_of_the_greeting(self, line: str) -> bool:
        if not line.startswith("Ctrl+C"):
            return False
        address = re.search(r"http://\S+", self.output[0])
        assert address is not None
        self.url = address[0]
        return True

    def _clean_up(self) -> None:
        for thread in self._threads:
            thread.join(_LIMIT)
        self._threads.clear()
        self._directory.cleanup()


def environment(**settings: object) -> dict[str, str]:
    """Ours without its settings of Steward, and with these; None leaves one at its default."""
    kept = ("STEWARD_EXPRESS",)  # of the whole run: see tests/conftest.py
    ours = {name: value for name, value in os.environ.items() if name in kept or not name.startswith("STEWARD_")}
    given = {f"STEWARD_{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    # Written bytecode halves the time that a process takes to start.
    return {**ours, **given, "PYTHONDONTWRITEBYTECODE": "", "PYTHONUTF8": "1"}
