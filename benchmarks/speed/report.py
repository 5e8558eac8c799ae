"""The tables, in Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from .counted import Counts
from .extras import Paced, Workers
from .machine import memory
from .rounds import Round
from .servers import STEWARDS, Running

Rounds = Mapping[str, Mapping[str, Sequence[Round]]]  # by operation and server


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first two columns are names, the others numbers."""
    lines = [heads, ["---", "---", *["---:"] * (len(heads) - 2)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def spread(numbers: Sequence[float]) -> str:
    """The median, and from the least to the greatest."""
    return f"{median(numbers):.2f} ({min(numbers):.2f}–{max(numbers):.2f})"


def ratios(rounds: Rounds, operation: str, over: str, under: str, figure: Callable[[Round], float]) -> list[float]:
    """Of the rounds that stand side by side."""
    pairs = zip(rounds[operation][over], rounds[operation][under], strict=True)
    return [figure(one) / figure(other) for one, other in pairs if figure(other)]


HEADS = ("operation", "", "requests/s", "server µs", "database µs", "p50 ms", "p99 ms", "not 2xx %")


def row(operation: str, what: str, taken: Sequence[Round]) -> list[str]:
    """Under `HEADS`: medians of the rounds."""
    return [
        operation,
        what,
        f"{median(one.load.per_second for one in taken):,.0f}",
        f"{median(one.server for one in taken):,.0f}",
        f"{median(one.database for one in taken):,.0f}",
        f"{median(one.load.p50 for one in taken) / 1000:.1f}",
        f"{median(one.load.p99 for one in taken) / 1000:.1f}",
        f"{100 * sum(one.load.wrong for one in taken) / sum(one.load.requests for one in taken):.1f}",
    ]


def figures(rounds: Rounds, counts: Mapping[str, Mapping[str, Counts]]) -> str:
    rows = []
    for operation, servers in rounds.items():
        for server, taken in servers.items():
            counted = counts.get(server, {}).get(operation)
            numbers = () if counted is None else (counted.statements, counted.of_transactions, counted.round_trips)
            rows.append([*row(operation, server, taken), *([f"{number:.3g}" for number in numbers] or "---")])
    return table(("operation", "server", *HEADS[2:], "statements", "BEGIN, COMMIT", "round trips"), rows)


def compared(rounds: Rounds) -> str:
    """How many times as cheap, or as fast, as the tutorial; which share of the limit."""
    heads = (
        *("operation", "", "CPU: × the tutorial", "CPU: of the limit"),
        *("requests/s: × the tutorial", "requests/s: of the limit"),
    )
    rows = []
    for operation, servers in rounds.items():
        for steward in (each for each in STEWARDS if each in servers):
            row = [operation, steward]
            for figure, is_cost in ((lambda one: one.server, True), (lambda one: one.load.per_second, False)):
                for other in ("tutorial", "limit"):
                    if other in servers:
                        pair = (other, steward) if is_cost else (steward, other)
                        row.append(spread(ratios(rounds, operation, *pair, figure)))
                    else:
                        row.append("-")
            rows.append(row)
    return table(heads, rows)


def processes(servers: Sequence[Running]) -> str:
    rows = []
    for running in servers:
        resident, proportional = map(sum, zip(*memory(running.process), strict=True))
        rows.append([running.name, "1", f"{running.start:.2f}", f"{resident:.0f}", f"{proportional:.0f}"])
    return table(("server", "processes", "start s", "resident MiB", "proportional MiB"), rows)


def pace(found: Mapping[str, Sequence[Paced]]) -> str:
    heads = ("operation", "server", "peak/s", "sent/s", "p50 ms", "p99 ms", "p99/p50")
    rows = [
        [
            operation,
            "steward",
            f"{median(one.peak for one in taken):,.0f}",
            f"{median(one.offered for one in taken):,.0f}",
            f"{median(one.p50 for one in taken) / 1000:.1f}",
            f"{median(one.p99 for one in taken) / 1000:.1f}",
            spread([one.p99 / one.p50 for one in taken]),
        ]
        for operation, taken in found.items()
    ]
    return table(heads, rows)


def workers(found: Sequence[Workers]) -> str:
    heads = ("operation", "workers", "requests/s", "× one worker", "server µs", "start s", "proportional MiB of each")
    one = found[0]
    rows = []
    for several in found:
        faster = [
            many.load.per_second / alone.load.per_second for many, alone in zip(several.rounds, one.rounds, strict=True)
        ]
        rows.append(
            [
                "get",
                str(several.number),
                f"{median(each.load.per_second for each in several.rounds):,.0f}",
                spread(faster),
                f"{median(each.server for each in several.rounds):,.0f}",
                f"{several.start:.2f}",
                " + ".join(f"{proportional:.0f}" for _, proportional in several.memory),
            ]
        )
    return table(heads, rows)
