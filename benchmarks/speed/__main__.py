"""`make bench`: Steward, its express lane on and off, beside a bare server and an ordinary one.

    STEWARD_BENCH_DATABASES=postgresql STEWARD_BENCH_OPERATIONS=get STEWARD_BENCH_EXTRAS= make bench

What can be chosen, and its default, stands in `options`.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from . import report
from .counted import Counts, count
from .data import BenchDatabase, filled
from .extras import PACED, paced, with_workers
from .load import NoWrk, require_wrk
from .options import Options
from .rounds import WrongAnswers, compare
from .servers import Running, all_serving


def main() -> int:
    options = Options.from_environment()
    every: dict[str, Any] = {"options": dataclasses.asdict(options)}
    try:
        require_wrk()
        for name in options.databases:
            every[name] = _on(name, options)
            if options.json:  # after each, so that a run that is broken off leaves what it has
                Path(options.json).write_text(json.dumps(every, default=dataclasses.asdict, indent=1))
    except (NoWrk, WrongAnswers) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _on(name: str, options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with _telling(f"{name}: {options.items:,} items"), filled(name, options.items) as database:
        print(f"\n## {name}\n", flush=True)
        counts: dict[str, dict[str, Counts]] = {}
        if "counts" in options.extras and database.process is not None:
            with _telling("counted on the wire"):
                counts = found["counts"] = count(options.servers, database, options.operations)
        with all_serving(options.servers, database.url, pool_size=options.pool_size) as servers:
            found["rounds"] = rounds = _rounds(servers, database, options)
            print(report.figures(rounds, counts), report.compared(rounds), report.processes(servers), sep="\n")
            if "pace" in options.extras:
                found["pace"] = _pace(servers, database, options)
        if "workers" in options.extras:
            with _telling("with two workers"):
                found["workers"] = with_workers(database, connections=options.connections, pool_size=options.pool_size)
            print(report.workers(found["workers"]), flush=True)
    return found


def _rounds(servers: list[Running], database: BenchDatabase, options: Options) -> dict[str, Any]:
    rounds = {}
    for operation in options.operations:
        with _telling(operation):
            rounds[operation] = compare(
                servers,
                database,
                operation,
                rounds=options.rounds,
                seconds=options.seconds,
                connections=options.connections,
            )
    return rounds


def _pace(servers: list[Running], database: BenchDatabase, options: Options) -> dict[str, Any]:
    steward = next((running for running in servers if running.name == "steward"), None)
    if steward is None:
        return {}
    found = {}
    for operation in (each for each in PACED if each in options.operations):
        with _telling(f"{operation} at 70 % of its peak"):
            found[operation] = paced(steward, database, operation)
    print(report.pace(found), flush=True)
    return found


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """On standard error, which is not for the tables."""
    begun = perf_counter()
    yield
    load = os.getloadavg()[0]
    print(f"{what}: {perf_counter() - begun:.0f} s (load {load:.1f})", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
