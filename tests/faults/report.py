"""What a check of the fault suite found, and how `make faults` says it.

A check is a plain async function `check(backend, **amounts) -> Outcome`, with `backend` "sqlite" or "postgres":
pytest calls it with small amounts and asserts that `violations` is empty, `python -m tests.faults` with those of
the long form.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

BACKENDS = ("sqlite", "postgres")


@dataclass(slots=True)
class Outcome:
    """`figures` by what they count, in the order in which they are printed; `violations` in sentences.

    What was `late`, in sentences too, is a violation in the long form alone: how fast a machine is that runs tests is
    nobody's promise.
    """

    name: str
    database: str
    figures: dict[str, int | float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def count(self, figure: str, by: int = 1) -> None:
        self.figures[figure] = self.figures.get(figure, 0) + by

    def slowest(self, figure: str, seconds: float) -> None:
        self.figures[figure] = round(max(self.figures.get(figure, 0.0), seconds), 2)

    def require(self, *figures: str) -> None:
        """Where nothing was done, nothing was shown."""
        self.violations += [f"0 {figure}: nothing was shown" for figure in figures if not self.figures.get(figure)]


@dataclass(frozen=True, slots=True)
class LongForm:
    """A check, as `make faults` runs it."""

    check: Callable[..., Awaitable[Outcome]]
    amounts: Mapping[str, int] = field(default_factory=dict)
    databases: tuple[str, ...] = BACKENDS


def line(outcome: Outcome, seconds: float) -> str:
    figures = ", ".join(f"{value} {what}" for what, value in outcome.figures.items())
    verdict = f"{len(outcome.violations)} VIOLATIONS" if outcome.violations else "holds"
    rows = [f"{outcome.name:<28} {outcome.database:<9} {seconds:>6.1f} s  {verdict}: {figures}"]
    rows += [f"    {violation}" for violation in outcome.violations[:_SHOWN]]
    if len(outcome.violations) > _SHOWN:
        rows.append(f"    and {len(outcome.violations) - _SHOWN} more")
    return "\n".join(rows)


_SHOWN = 20
