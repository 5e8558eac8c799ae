"""A real PgBouncer in transaction mode as a child process."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url

from .server import port_of, reserved_port

_PR_SET_PDEATHSIG = 1
_START_LIMIT = 60.0  # seconds
_ELSEWHERE = "/usr/sbin/pgbouncer"  # where Debian puts it, which not every PATH has


def find_pgbouncer() -> str | None:
    if named := os.environ.get("STEWARD_TEST_PGBOUNCER"):
        assert Path(named).is_file(), f"STEWARD_TEST_PGBOUNCER names {named}, and there is no such file"
        return named
    return shutil.which("pgbouncer") or (_ELSEWHERE if Path(_ELSEWHERE).exists() else None)


needs_pgbouncer = pytest.mark.skipif(
    find_pgbouncer() is None,
    reason="No PgBouncer is installed: `apt-get install pgbouncer`, or name one in STEWARD_TEST_PGBOUNCER",
)


class PgBouncer:
    """In front of the server of `url`; `pool_size` connections to each of its databases. Close it with `stop`."""

    def __init__(self, url: str, *, pool_size: int = 3) -> None:
        program, target = find_pgbouncer(), make_url(url)
        assert program is not None
        self.directory = Path(tempfile.mkdtemp(prefix="steward-pgbouncer-"))
        self._reserved = reserved_port()
        self.port = port_of(self._reserved)
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # it refuses to run as root
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": pool_size,
            "max_client_conn": 500,
            "server_login_retry": 1,  # seconds; 15 by default, for so long it would not look again
        }
        ini = self.directory / "pgbouncer.ini"
        lines = [f"{name} = {value}" for name, value in settings.items()]
        databases = f"[databases]\n* = host={target.host} port={target.port} user={target.username}\n"
        ini.write_text(f"{databases}[pgbouncer]\n" + "\n".join(lines) + "\n")
        if user is not None:
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            os.chown(ini, user.pw_uid, user.pw_gid)

        def as_child() -> None:
            if user is not None:
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
            if sys.platform == "linux":  # ends with us, also when we are killed
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)

        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, str(ini)],
                stdout=log,
                stderr=log,
                preexec_fn=as_child,  # noqa: PLW1509 - it calls nothing that takes a lock
            )
        deadline = time.monotonic() + _START_LIMIT
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.directory / "log").read_text()
                self.stop()
                raise RuntimeError(f"PgBouncer did not start:\n{said}")
            time.sleep(0.02)

    def url(self, url: str) -> str:
        """Of the same database, through here."""
        return make_url(url).set(host="127.0.0.1", port=self.port).render_as_string(hide_password=False)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._reserved.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False
