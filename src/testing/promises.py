"""`pytest --promises`: which promise of the unit of work was held how often, by which backend."""

from collections import Counter
from collections.abc import Generator

import pytest

TITLES = {
    1: "Rolled back unless committed",
    2: "Closed always",
    3: "Commit before the answer",
    4: "Blocks nest by joining",
    5: "Conflicts retry from outside",
    6: "Reads are cheap",
    7: "One task at a time",
    8: "No lost update",
    9: "A failed statement is not forgotten",
    10: "An unknown outcome is named",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--promises",
        action="store_true",
        help="print how many tests of each promise of the unit of work passed, by backend",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(number): the promise of the unit of work that the test holds")
    if config.getoption("--promises", default=False):
        config.pluginmanager.register(_Table(), "steward-promises")


class _Table:
    """Outcomes by promise and backend; the backend is the test's parameter `backend`, or its class if it has none."""

    def __init__(self) -> None:
        self._passed: Counter[tuple[int, str]] = Counter()
        self._failed: Counter[tuple[int, str]] = Counter()
        self._backends: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        # Through the report, because with xdist the tests run in one process and the table is printed by another.
        report.user_properties.append(("backend", _backend(item)))
        report.user_properties.extend(("promise", mark.args[0]) for mark in item.iter_markers("promise"))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = report.user_properties
        backend = next((str(value) for name, value in reversed(properties) if name == "backend"), "")
        for promise in {int(str(value)) for name, value in properties if name == "promise"}:
            if report.failed:
                self._failed[promise, backend] += 1
            elif report.passed and report.when == "call":
                self._passed[promise, backend] += 1
                self._backends.add(backend)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        backends = sorted(self._backends)
        terminalreporter.section("promises of the unit of work: tests passed on each backend")
        terminalreporter.write_line(f"{'':41}" + "".join(f"{backend:>15}" for backend in backends))
        for number, title in TITLES.items():
            cells = "".join(f"{self._cell(number, backend):>15}" for backend in backends)
            terminalreporter.write_line(f"{number:>3}. {title:36}{cells}")

    def _cell(self, number: int, backend: str) -> str:
        failed = self._failed[number, backend]
        return f"{self._passed[number, backend]}" + (f" ({failed} failed)" if failed else "")


def _backend(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    backend = callspec.params.get("backend") if callspec is not None else None
    of_class = getattr(item, "cls", None)
    return str(backend or (of_class.__name__ if of_class is not None else "no backend"))
