"""The figures of `GET /metrics`, in the text format of Prometheus.

One worker process keeps them in a registry of each application. Several keep them in files of a directory that they
share (`PROMETHEUS_MULTIPROC_DIR`), so that whichever is asked answers for all; the library decides that when it is
imported, so the supervisor has to have named the directory before.

What the application counts for itself (how many are waiting, how many were refused) is sampled: when it is asked, and
where others may be asked, every second.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from .observed import Exchange
from .shared_figures import VARIABLE

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SAMPLING_INTERVAL = 1.0  # seconds
MAKING_SHARE = 0.1  # of the time, at most, is spent on making a text that anybody may ask for
LONGEST_PAUSE = 1.0  # seconds: nobody waits longer because the machine was busy once

Made = TypeVar("Made")

_DIRECTORY = os.environ.get(VARIABLE)  # as the library has just read it
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
# Why somebody could not sign in, or go on: at /auth/token.
_SIGN_IN_ROUTE = "/auth/token"
_REFUSED_SIGN_INS = frozenset({"invalid_credentials", "rate_limited"})


@runtime_checkable
class Queue(Protocol):
    """What so many may use at once, and others wait for, or are refused: `refused` counts those since the start."""

    @property
    def size(self) -> int: ...
    @property
    def in_use(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def refused(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What is asked for the figures that are sampled: the pools of the database by their names, what hashes passwords
    (somebody else's may tell nothing of itself), and how many imports and requests are under way."""

    pools: Callable[[], Mapping[str, Queue]]
    hasher: Callable[[], object]
    imports: Callable[[], int]
    requests: Callable[[], int]


class Metrics:
    """Of one application."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._texts = RateLimitedCache(self.text)
        self._registry = CollectorRegistry()
        self._requests = self._counter("steward_http_requests", "Requests", "method", "route", "status")
        self._unanswered = self._counter("steward_http_unanswered", "Requests without their whole answer", "end")
        self._duration = Histogram(
            "steward_http_request_duration_seconds",
            "From when a request was read to the last byte of its answer",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._problems = self._counter("steward_problems", "Answers that are problems", "code")
        self._retries = self._counter("steward_transaction_retries", "Transactions begun again after a conflict")
        self._unknown = self._counter(
            "steward_unknown_outcomes", "COMMITs of which nobody knows whether they were done"
        )
        self._sign_ins = self._counter("steward_sign_ins_refused", "Sign-ins and refreshes that were refused", "code")
        self._in_progress = self._gauge("steward_http_requests_in_progress", "Requests that are being answered")
        self._pools = _QueueFigures(self._registry, "steward_database", "connections_in_use", "units of work", "pool")
        self._hashing: _QueueFigures | None = None
        self._imports = self._gauge("steward_imports_in_progress", "Imports that have a place")
        self._processes = self._gauge("steward_processes", "Server processes that are alive")
        for code in _REFUSED_SIGN_INS:
            self._sign_ins.labels(code)
        self._children: dict[tuple[str, ...], tuple[Counter, Histogram]] = {}

    def saw(self, exchange: Exchange) -> None:
        method = exchange.method if exchange.method in _METHODS else "other"
        key = (method, exchange.route or "unmatched", str(exchange.status or "none"))
        if key not in self._children:  # to look one up by its labels costs as much as to count
            self._children[key] = (self._requests.labels(*key), self._duration.labels(*key[:2]))
        requests, duration = self._children[key]
        requests.inc()
        duration.observe(exchange.seconds)
        if exchange.end != "answered":
            self._unanswered.labels(exchange.end.value).inc()
        if exchange.code is not None:
            self._problems.labels(exchange.code).inc()
            if exchange.route == _SIGN_IN_ROUTE and exchange.code in _REFUSED_SIGN_INS:
                self._sign_ins.labels(exchange.code).inc()
        if exchange.tally.retries:
            self._retries.inc(exchange.tally.retries)
        if exchange.tally.unknown_outcomes:
            self._unknown.inc(exchange.tally.unknown_outcomes)

    async def text_for_anybody(self) -> bytes:
        """Hundreds of series take a tenth of a second, in which nothing else is done: however many ask, it is not made
        for most of the time."""
        return await self._texts.get()

    def text(self) -> bytes:
        """Of all server processes. Asks nothing that could make it wait."""
        self._sample()
        if _DIRECTORY is None:
            return generate_latest(_WithoutCreated(self._registry))
        together = CollectorRegistry()
        MultiProcessCollector(together, _DIRECTORY)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    async def keep_sampled(self) -> None:
        """For as long as the application serves: others may be asked for what only this process can know."""
        while _DIRECTORY is not None:
            self._sample()
            await asyncio.sleep(SAMPLING_INTERVAL)

    def _sample(self) -> None:
        self._in_progress.set(self._sources.requests())
        self._imports.set(self._sources.imports())
        for name, pool in self._sources.pools().items():
            self._pools.sample(pool, name)
        hasher = self._sources.hasher()
        if isinstance(hasher, Queue):
            if self._hashing is None:
                self._hashing = _QueueFigures(self._registry, "steward_hashing", "in_use", "passwords")
            self._hashing.sample(hasher)
        self._processes.set(1)  # the last: whoever counts processes finds all of what they tell

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(name, words, labels, registry=self._registry)

    def _gauge(self, name: str, words: str) -> Gauge:
        return _gauge(self._registry, name, words)


class RateLimitedCache(Generic[Made]):
    """For what costs much to make, and may be asked for by anybody.

    Made after it was asked for, for all who have asked by then; they wait where it has been made too often.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._next: asyncio.Task[Made] | None = None
        self._due = 0.0

    async def get(self) -> Made:
        if self._next is None:
            self._next = asyncio.create_task(self._make_when_due())
        return await asyncio.shield(self._next)

    async def _make_when_due(self) -> Made:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._due - now()))
        self._next = None  # whoever asks from now on gets a later one
        began = now()
        try:
            return self._make()
        finally:
            self._due = now() + min(LONGEST_PAUSE, (now() - began) * (1 / MAKING_SHARE - 1))


class _QueueFigures:
    """Of one kind of queue, told apart by `labels`."""

    def __init__(self, registry: CollectorRegistry, name: str, in_use: str, what: str, *labels: str) -> None:
        self._size = _gauge(registry, f"{name}_slots", f"How many {what} there is room for at once", *labels)
        self._in_use = _gauge(registry, f"{name}_{in_use}", f"How many {what} there are", *labels)
        self._waiting = _gauge(registry, f"{name}_waiting", f"How many {what} wait for their turn", *labels)
        self._refused = Counter(f"{name}_refused", f"How many {what} were sent away", labels, registry=registry)
        self._counted: dict[tuple[str, ...], int] = {}  # of those that were refused

    def sample(self, queue: Queue, *labels: str) -> None:
        for gauge, value in ((self._size, queue.size), (self._in_use, queue.in_use), (self._waiting, queue.waiting)):
            (gauge.labels(*labels) if labels else gauge).set(value)
        refused = queue.refused
        (self._refused.labels(*labels) if labels else self._refused).inc(refused - self._counted.get(labels, 0))
        self._counted[labels] = refused


def _gauge(registry: CollectorRegistry, name: str, words: str, *labels: str) -> Gauge:
    """Of several processes, the sum over those that are alive."""
    return Gauge(name, words, labels, registry=registry, multiprocess_mode="livesum")


class _WithoutCreated:
    """The time since when each series is counted: a third more lines, and of several processes there are none."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
