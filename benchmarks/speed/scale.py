"""`make bench-scale`: what a request costs Steward with few and many items, and with few and many connections.

Read it across: the same figure everywhere is what is hoped for. STEWARD_BENCH_DATABASES and _SECONDS narrow it, as they
do with `make bench`.
"""

import sys
from operator import itemgetter

from .data import BenchDatabase, filled
from .load import NoWrk, require_wrk
from .options import Options
from .report import HEADS, row, table
from .rounds import Round, WrongAnswers, measure, warm_up
from .servers import Running, serving

ITEMS = (10_000, 100_000, 1_000_000)
CONNECTIONS = (1, 8, 64, 512)
_ROUNDS = 3


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
    by_items = []
    for items in ITEMS:
        with (
            filled(name, items) as database,
            # By default 128 wait for a connection, and who comes then is refused at once.
            serving("steward", database.url, pool_size=options.pool_size, pool_queue=max(CONNECTIONS)) as running,
        ):
            for operation in ("get", "list"):
                taken = _taken(running, database, operation, options.connections, options.seconds)
                by_items.append(row(operation, f"{items:,} items", taken))
            by_connections = [
                row(
                    operation,
                    f"{connections} connections",
                    _taken(running, database, operation, connections, options.seconds),
                )
                for operation in ("get", "list", "create")
                for connections in (CONNECTIONS if items == options.items else ())
            ]
            if by_connections:
                print(f"\n## {name}: {items:,} items\n\n{table(HEADS, by_connections)}", flush=True)
    by_items.sort(key=itemgetter(0))
    print(f"\n## {name}: {options.connections} connections\n\n{table(HEADS, by_items)}", flush=True)


def _taken(running: Running, database: BenchDatabase, operation: str, connections: int, seconds: int) -> list[Round]:
    warm_up(running, database, operation, connections=min(connections, 32))
    return [measure(running, database, operation, seconds=seconds, connections=connections) for _ in range(_ROUNDS)]


if __name__ == "__main__":
    sys.exit(main())
