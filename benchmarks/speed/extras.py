"""What is measured beside the rounds: answers under less than full load, and several workers."""

from dataclasses import dataclass

from .data import BenchDatabase
from .machine import memory
from .rounds import Round, measure, warm_up
from .servers import Running, serving

PACE = 0.7  # of the peak
PACED = ("get", "create")
_PACED_CONNECTIONS = 64  # enough that the pauses between requests are long beside the answers
_PACED_SECONDS = 3
_ROUNDS = 3


@dataclass(frozen=True)
class Paced:
    """Requests a second at full load and at the pace; times in microseconds."""

    peak: float
    offered: float
    p50: float
    p99: float


def paced(running: Running, database: BenchDatabase, operation: str) -> list[Paced]:
    """In each round first the peak, then at once 70 % of it."""
    warm_up(running, database, operation, connections=_PACED_CONNECTIONS)
    taken = []
    for _ in range(_ROUNDS):
        full = measure(running, database, operation, seconds=1, connections=_PACED_CONNECTIONS).load
        cycle = _PACED_CONNECTIONS * 1000 / (PACE * full.per_second)  # ms from request to request of one connection
        answer = 4 * 1000 / full.per_second
        slow = measure(
            running,
            database,
            operation,
            seconds=_PACED_SECONDS,
            connections=_PACED_CONNECTIONS,
            mean_delay=cycle - answer,
        ).load
        taken.append(Paced(full.per_second, slow.per_second, slow.p50, slow.p99))
    return taken


@dataclass(frozen=True)
class Workers:
    """`start` in seconds; `memory` is the resident and the proportional size of each process in MiB, the one that
    watches over the workers first."""

    number: int
    start: float
    rounds: list[Round]
    memory: list[tuple[float, float]]


def with_workers(database: BenchDatabase, *, connections: int, pool_size: int) -> list[Workers]:
    """`steward serve` with one worker and with two, a get, in turns."""
    found = []
    with (
        serving("steward", database.url, "--workers", "1", pool_size=pool_size) as one,
        serving("steward", database.url, "--workers", "2", pool_size=pool_size) as two,
    ):
        for running in (one, two):
            warm_up(running, database, "get", connections=connections)
        taken: tuple[list[Round], list[Round]] = ([], [])
        for _ in range(_ROUNDS):
            for running, rounds in zip((one, two), taken, strict=True):
                rounds.append(measure(running, database, "get", seconds=2, connections=connections))
        for number, running, rounds in ((1, one, taken[0]), (2, two, taken[1])):
            found.append(Workers(number, running.start, rounds, memory(running.process)))
    return found
