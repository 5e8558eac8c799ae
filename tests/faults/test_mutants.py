"""What looks for faults can find them: six variants of the product have one each, and the check that is there for it
catches it.

The checks of the killed database, the swallowed packets and the overload are shown no variant.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import pytest

from . import (
    mutants,
    test_cuts_at_commit,
    test_duplicate_keys,
    test_killed_server,
    test_leaving_clients,
    test_registers,
    test_transfers,
)
from .report import BACKENDS, Outcome

_MOST_ROUNDS = 5  # where chance decides whether a round meets the fault


@dataclass(frozen=True, slots=True)
class Hunt:
    """A mutant, and the check that is there to catch it: in `make faults` on all of `databases`, here on the first.

    `sign` is what the check says of this fault: it shall not be caught by another, such as a server that is slow.
    """

    mutant: Callable[[], None]
    check: Callable[..., Awaitable[Outcome]]
    amounts: Mapping[str, int]
    sign: str
    databases: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.mutant.__name__

    async def catches(self, backend: str) -> bool:
        with mutants.in_place_of_the_product(self.name):
            for _ in range(_MOST_ROUNDS):
                outcome = await self.check(backend, **self.amounts)
                if any(self.sign in violation for violation in outcome.violations):
                    return True
        return False


HUNTS = (
    Hunt(
        mutants.commit_after_the_response,
        test_killed_server.check,
        {"rounds": 1},
        "acknowledged, and not there",
        BACKENDS,
    ),
    Hunt(
        mutants.no_rollback_on_cancel,
        test_leaving_clients.check,
        {"clients": 40},
        "connections are in use",
        ("postgres", "sqlite"),
    ),
    Hunt(mutants.read_modify_write_transfer, test_transfers.check, {"clients": 6, "turns": 10}, "sum up to", BACKENDS),
    # On SQLite no connection can be lost between a commit and its acknowledgement.
    Hunt(
        mutants.retry_of_an_ambiguous_commit, test_cuts_at_commit.check, {"cuts": 2}, "items instead of", ("postgres",)
    ),
    Hunt(
        mutants.check_then_insert_idempotency,
        test_duplicate_keys.check,
        {"clients": 6, "keys": 3},
        "instead of",
        BACKENDS,
    ),
    Hunt(
        mutants.last_writer_wins,
        test_registers.check,
        {"clients": 6, "turns": 8, "registers": 1},
        "increments were acknowledged",
        BACKENDS,
    ),
)


async def check(backend: str) -> Outcome:
    hunts = [hunt for hunt in HUNTS if backend in hunt.databases]
    missed = [hunt.name for hunt in hunts if not await hunt.catches(backend)]
    figures: dict[str, int | float] = {f"of {len(hunts)} mutants caught": len(hunts) - len(missed)}
    return Outcome("mutants", backend, figures, [f"{name} was not caught" for name in missed])


@pytest.mark.parametrize("hunt", [pytest.param(hunt, id=f"{hunt.databases[0]}-{hunt.name}") for hunt in HUNTS])
async def test_the_check_that_is_there_for_it_catches_each_mutant(hunt: Hunt) -> None:
    assert await hunt.catches(hunt.databases[0])


def test_every_mutant_is_hunted() -> None:
    assert {hunt.mutant for hunt in HUNTS} == set(mutants.MUTANTS)
