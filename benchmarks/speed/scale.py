"""`make bench-scale`: what a request costs Steward with few and many items, and with few and many connections.

Each has a server and a database of its own, and they take turns, as in `make bench`, so that ratios are of rounds that
stand side by side. STEWARD_BENCH_DATABASES and _SECONDS narrow it.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from .data import filled
from .load import NoWrk, require_wrk
from .options import Options
from .report import HEADS, row, spread, table
from .rounds import Round, WrongAnswers, measure, warm_up
from .servers import serving

ITEMS = (10_000, 100_000, 1_000_000)
CONNECTIONS = (1, 8, 64, 512)
_ROUNDS = 5

Take = Callable[[], Round]


def main() -> int:
    options = Options.from_environment()
    try:
        require_wrk()
        for name in options.databases:
            _report(name, options)
    except (NoWrk, WrongAnswers) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _report(name: str, options: Options) -> None:
    with ExitStack() as stack:
        databases = {items: stack.enter_context(filled(name, items)) for items in ITEMS}
        # By default 128 wait for a connection, and who comes then is refused at once.
        running = {
            items: stack.enter_context(
                serving("steward", database.url, pool_size=options.pool_size, pool_queue=max(CONNECTIONS))
            )
            for items, database in databases.items()
        }

        def take(operation: str, items: int, connections: int) -> Take:
            server, database = running[items], databases[items]
            warm_up(server, database, operation, connections=min(connections, 32))
            return lambda: measure(server, database, operation, seconds=options.seconds, connections=connections)

        by_items = [
            line
            for operation in ("get", "list")
            for line in _in_turns(
                operation, {f"{items:,} items": take(operation, items, options.connections) for items in ITEMS}
            )
        ]
        print(f"\n## {name}: {options.connections} connections\n\n{table(_HEADS, by_items)}", flush=True)
        by_connections = [
            line
            for operation in ("get", "list", "create")
            for line in _in_turns(
                operation,
                {_counted(number): take(operation, ITEMS[1], number) for number in CONNECTIONS},
            )
        ]
        print(f"\n## {name}: {ITEMS[1]:,} items\n\n{table(_HEADS, by_connections)}", flush=True)


_HEADS = (*HEADS, "CPU: × the first")


def _in_turns(operation: str, takes: Mapping[str, Take]) -> list[list[str]]:
    taken: dict[str, list[Round]] = {what: [] for what in takes}
    for _ in range(_ROUNDS):
        for what, take in takes.items():
            taken[what].append(take())
    first = next(iter(taken.values()))
    return [
        [
            *row(operation, what, rounds),
            spread([one.server / other.server for one, other in zip(rounds, first, strict=True)]),
        ]
        for what, rounds in taken.items()
    ]


def _counted(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"


if __name__ == "__main__":
    sys.exit(main())
