"""Rounds in which the servers take turns, so that whatever else the machine does falls on all of them alike."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from .data import BenchDatabase
from .load import Load, send
from .machine import cpu_seconds
from .servers import NAMES, Running
from .work import Work

_MOST_PATCHES = 15_000  # a second: more than any of the servers does
_OTHERS = 10_000
_SETTLING = 0.1  # seconds in which a server that has served everything does next to nothing
_LONGEST_SETTLING = 3.0
_WARM = 500  # requests: each pooled connection prepares each statement once
_LONGEST_WARMING = 5.0  # seconds

_random = Random(7)


class WrongAnswers(Exception):
    """A server that answers wrongly may be as fast as it likes."""


@dataclass(frozen=True)
class Round:
    """CPU in microseconds a request; that of SQLite is the server's."""

    load: Load
    server: float
    database: float


def compare(
    servers: Sequence[Running],
    database: BenchDatabase,
    operation: str,
    *,
    rounds: int,
    seconds: int,
    connections: int,
) -> dict[str, list[Round]]:
    """By server, the rounds in the order in which they were taken: those of one index stand side by side."""
    for running in servers:
        warm_up(running, database, operation, connections=connections)
    taken: dict[str, list[Round]] = {running.name: [] for running in servers}
    for _ in range(rounds):
        for running in servers:
            one = measure(running, database, operation, seconds=seconds, connections=connections)
            taken[running.name].append(one)
    return taken


def warm_up(running: Running, database: BenchDatabase, operation: str, *, connections: int) -> None:
    answered, until = 0, time.monotonic() + _LONGEST_WARMING
    while answered < _WARM and time.monotonic() < until:
        answered += measure(running, database, operation, seconds=1, connections=connections).load.requests


def measure(
    running: Running,
    database: BenchDatabase,
    operation: str,
    *,
    seconds: int,
    connections: int,
    mean_delay: float = 0,
) -> Round:
    """Raises `WrongAnswers`; but what the tutorial cannot write on SQLite is counted and no more."""
    number = _MOST_PATCHES * seconds if operation == "patch" else _OTHERS
    # Each server has items of its own: what one has left unfinished may end when another is asked.
    part = {"part": NAMES.index(running.name), "parts": len(NAMES)}
    versions = database.versions(number, _random, **part) if operation == "patch" else {}
    work = Work(database.items, running.owner, versions).requests(operation, number, _random)
    before = _cpu(running, database)
    load = send(running.url, work, token=running.token, connections=connections, seconds=seconds, mean_delay=mean_delay)
    after = _settled(running, database)
    may_refuse = (running.name, database.name) == ("tutorial", "sqlite")
    if load.broken or (load.wrong and not may_refuse):
        raise WrongAnswers(f"{running.name}, {operation}: {load.wrong} wrong answers, {load.broken} broken connections")
    # When wrk stops each connection has a request under way, which the server serves to its end all the same.
    served = load.requests + (0 if mean_delay else connections)
    server, of_database = ((late - early) * 1e6 / served for early, late in zip(before, after, strict=True))
    return Round(load, server, of_database)


def _settled(running: Running, database: BenchDatabase) -> tuple[float, float]:
    """When what wrk has left unfinished has come to its end."""
    after, until = _cpu(running, database), time.monotonic() + _LONGEST_SETTLING
    while time.monotonic() < until:
        time.sleep(_SETTLING)
        before, after = after, _cpu(running, database)
        if sum(after) - sum(before) < _SETTLING / 4:
            break
    return after


def _cpu(running: Running, database: BenchDatabase) -> tuple[float, float]:
    return cpu_seconds(running.process), 0.0 if database.process is None else cpu_seconds(database.process)
