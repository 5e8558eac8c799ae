"""How long a refused sign-in takes: the time must not tell whether a user exists, or is active (`make bench-login`).

A real server, hashing as it does by default. The three kinds of refusal take turns, so that whatever else the machine
does falls on all of them alike; a kind's time is the median of its rounds. Exits with 1 if the medians differ by more
than a tenth.
"""

import http.client
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from urllib.parse import urlencode

ROUNDS = 60
WARM_UP = 5
MOST_APART = 1.10
PASSWORD = "correct horse battery staple"

Times = dict[str, list[float]]  # seconds, by kind


@contextmanager
def serving() -> Iterator[int]:
    """The port of a server on a database of its own, which has an admin."""
    with tempfile.TemporaryDirectory(prefix="steward-login-") as folder:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("STEWARD_")}
        settings = {
            "STEWARD_DATABASE_URL": f"sqlite+aiosqlite:///{Path(folder) / 'steward.db'}",
            "STEWARD_ADMIN_PASSWORD": PASSWORD,
            "STEWARD_RATE_LIMITS": "false",
            "STEWARD_PORT": "0",
        }
        with subprocess.Popen(
            [sys.executable, "-m", "steward", "serve"],
            env=ours | settings,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as server:
            try:
                yield _port_of(server)
            finally:
                server.terminate()


def _port_of(server: "subprocess.Popen[str]") -> int:
    assert server.stdout is not None
    port = None
    for line in server.stdout:
        if port is None and (found := re.search(r"http://[^ :]+:(\d+)", line)):
            port = int(found[1])
        if line.startswith("Ctrl+C"):
            assert port is not None
            return port
    raise SystemExit("The server did not start")


class Client:
    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def send(self, method: str, path: str, body: str, kind: str, token: str = "") -> tuple[int, bytes]:
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def sign_in(self, username: str, password: str) -> tuple[int, bytes]:
        form = urlencode({"grant_type": "password", "username": username, "password": password})
        return self.send("POST", "/auth/token", form, "application/x-www-form-urlencoded")


def given_users(client: Client) -> None:
    """`active` and `deactivated`."""
    token = re.findall(rb'"access_token":"([^"]+)"', client.sign_in("admin", PASSWORD)[1])[0].decode()
    for name in ("active", "deactivated"):
        body = f'{{"username": "{name}", "email": "{name}@example.org", "password": "{PASSWORD}"}}'
        status, answer = client.send("POST", "/users", body, "application/json", token)
        assert status == 201, answer
    user_id = int(re.findall(rb'"id":(\d+)', answer)[0])
    status, answer = client.send("PATCH", f"/users/{user_id}", '{"is_active": false}', "application/json", token)
    assert status == 200, answer


def measure(client: Client) -> Times:
    # The same length each, so that nothing but the kind differs.
    attempts = {
        "unknown user": ("nobodyhere1", PASSWORD),
        "deactivated user": ("deactivated", PASSWORD),
        "wrong password": ("active", PASSWORD[::-1]),
    }
    times: Times = {kind: [] for kind in attempts}
    for number in range(WARM_UP + ROUNDS):
        for kind in random.sample(sorted(attempts), len(attempts)):
            begun = perf_counter()
            status, answer = client.sign_in(*attempts[kind])
            took = perf_counter() - begun
            assert status == 400, answer
            if number >= WARM_UP:
                times[kind].append(took)
    return times


def report(times: Times) -> float:
    """Prints, and returns by which factor the medians are apart."""
    medians = {kind: median(each) for kind, each in times.items()}
    quickest = min(medians.values())
    print(f"{ROUNDS} refused sign-ins of each kind, in turns:\n")
    print(f"{'':18}{'median':>10}{'ratio':>9}{'middle half':>20}")
    for kind, each in times.items():
        low, _, high = quantiles(each, n=4)
        spread = f"{low / quickest:.3f} .. {high / quickest:.3f}"
        print(f"{kind:18}{medians[kind] * 1000:>7.1f} ms{medians[kind] / quickest:>9.3f}{spread:>20}")
    return max(medians.values()) / quickest


def main() -> int:
    with serving() as port:
        client = Client(port)
        given_users(client)
        apart = report(measure(client))
    print(f"\nThe medians are {(apart - 1) * 100:.1f} % apart; {(MOST_APART - 1) * 100:.0f} % are allowed.")
    return 0 if apart <= MOST_APART else 1


if __name__ == "__main__":
    sys.exit(main())
