"""wrk as the source of load."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from .work import Request

_SCRIPT = Path(__file__).with_name("load.lua")


class NoWrk(Exception):
    pass


@dataclass(frozen=True)
class Load:
    """What wrk saw. Times in microseconds; `wrong` is the number of answers that are no 2xx or 3xx, `broken` that of
    connections that failed."""

    requests: int
    microseconds: int
    p50: int
    p99: int
    mean: float
    wrong: int
    broken: int

    @property
    def per_second(self) -> float:
        return self.requests * 1e6 / self.microseconds


def require_wrk() -> None:
    """Raises `NoWrk`. Installs it where that can be done without asking: on Debian, as root."""
    if shutil.which("wrk") is None and shutil.which("apt-get") is not None and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "wrk"], stdout=subprocess.DEVNULL, check=False)
    if shutil.which("wrk") is None:
        raise NoWrk("wrk is missing: apt-get install wrk, or see https://github.com/wg/wrk")


def send(
    url: str, requests: Sequence[Request], *, token: str, connections: int, seconds: int, mean_delay: float = 0
) -> Load:
    """As fast as the answers come, or, with `mean_delay` in milliseconds, with pauses. Raises `NoWrk`."""
    with NamedTemporaryFile("w", prefix="steward-load-", suffix=".txt") as file:
        file.writelines(request.line for request in requests)
        file.flush()
        # One thread: on a machine with two cores it is never what is short.
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", f"-s{_SCRIPT}"]
        done = subprocess.run(
            [*command, url, "--", file.name, token, str(mean_delay)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise NoWrk(f"wrk failed: {done.stderr}{done.stdout}")
    return Load(**json.loads(done.stdout.splitlines()[-1]))
