"""`python -m tests.faults [NAME …]`: the long form of the fault suite, on SQLite and on PostgreSQL (`make faults`).

Prints a line for each check and each database, and ends with exit code 1 if anything was violated. Names choose
checks: `python -m tests.faults killed swallowed`.
"""

import asyncio
import sys
import time
import traceback

from . import (
    test_cuts_at_commit,
    test_duplicate_keys,
    test_killed_database,
    test_killed_server,
    test_leaving_clients,
    test_mutants,
    test_overload,
    test_registers,
    test_swallowed_packets,
    test_transfers,
)
from .report import LongForm, Outcome, line

CHECKS = (
    LongForm(test_killed_server.check, {"rounds": 20}),
    LongForm(test_killed_database.check, {"rounds": 10}),
    LongForm(test_cuts_at_commit.check, {"cuts": 25}),
    # A network is what SQLite lacks.
    LongForm(test_swallowed_packets.check, {"outages": 4, "seconds": 23}, ("postgres",)),
    LongForm(test_leaving_clients.check, {"clients": 1000}),
    LongForm(test_transfers.check, {"clients": 16, "turns": 60}),
    LongForm(test_registers.check, {"clients": 16, "turns": 40, "registers": 3}),
    LongForm(test_duplicate_keys.check, {"clients": 16, "keys": 30}),
    LongForm(test_overload.check, {"seconds": 20}),
    LongForm(test_mutants.check),
)


async def run(names: list[str]) -> list[Outcome]:
    outcomes = []
    for long in CHECKS:
        if names and not any(name in long.check.__module__ for name in names):
            continue
        for backend in long.databases:
            begun = time.monotonic()
            try:
                outcome = await long.check(backend, **long.amounts)
                outcome.violations += outcome.late
                outcomes.append(outcome)
            except Exception as error:  # the others are still worth running
                traceback.print_exc()
                outcomes.append(Outcome(long.check.__module__, backend, violations=[f"the check broke off: {error!r}"]))
            print(line(outcomes[-1], time.monotonic() - begun), flush=True)  # noqa: T201
    return outcomes


def main() -> int:
    outcomes = asyncio.run(run(sys.argv[1:]))
    violated = sum(bool(outcome.violations) for outcome in outcomes)
    print(f"{len(outcomes) - violated} of {len(outcomes)} checks hold")  # noqa: T201
    return int(violated > 0 or not outcomes)


if __name__ == "__main__":
    raise SystemExit(main())
