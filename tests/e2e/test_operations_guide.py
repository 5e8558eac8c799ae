"""docs/operations.md says what the server does."""

import json
import re
from pathlib import Path

from steward.config import Settings
from steward.entrypoints.http.middleware.access_log import line_of
from steward.entrypoints.http.middleware.metrics import Metrics, Sources
from steward.entrypoints.http.middleware.observed import End, Exchange
from steward.entrypoints.http.problems.problem_types import PROBLEM_TYPES

GUIDE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


class _Queue:
    size = in_use = waiting = refused = 0


def _figures() -> dict[str, tuple[str, frozenset[str]]]:
    """What there is, by its name: its kind and its labels."""
    metrics = Metrics(Sources(pools=lambda: {"writer": _Queue()}, hasher=_Queue, imports=lambda: 0, requests=lambda: 0))
    metrics.saw(Exchange("mine", "GET", "/items", 503, End.BROKEN_OFF, "overloaded"))
    text = metrics.text().decode()
    kinds = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    found = {}
    for name, kind in kinds:
        sample = re.search(rf"^{name}(?:_count)?(?:{{(.*)}})? ", text, re.MULTILINE)
        assert sample is not None, name
        found[name] = (kind, frozenset(re.findall(r'(\w+)="', sample[1] or "")))
    return found


def test_the_table_of_the_figures_is_whole_and_right() -> None:
    rows = re.findall(r"^\| `(\w+)(?:\{(.*)\})?` \| (\w+) \|", GUIDE, re.MULTILINE)
    assert {name: (kind, frozenset(filter(None, labels.split(",")))) for name, labels, kind in rows} == _figures()


def test_every_figure_code_label_and_setting_that_the_guide_speaks_of_is_there() -> None:
    figures = _figures()
    spoken_of = set(re.findall(r"\bsteward_\w+", GUIDE))
    assert spoken_of <= figures.keys()
    assert set(re.findall(r'code="(\w+)"', GUIDE)) <= PROBLEM_TYPES.keys()
    assert set(re.findall(r'end="(\w+)"', GUIDE)) <= set(End)
    assert {name.lower() for name in re.findall(r"STEWARD_(\w+)", GUIDE)} <= Settings.model_fields.keys()


def test_a_line_of_the_access_log_is_as_shown() -> None:
    found = re.search(r"^```json access\n(.*)\n```$", GUIDE, re.MULTILINE)
    assert found is not None
    shown = json.loads(found[1])
    exchange = Exchange("mine", "PATCH", "/items/{item_id}", 409, code="conflict")
    assert list(line_of(exchange)) == list(shown)
    told = set(re.findall(r"^\| `(\w+)` \| (?!counter|gauge|histogram)", GUIDE, re.MULTILINE))
    common = {"timestamp", "level", "logger", "event", "request_id", "method"}
    assert told == shown.keys() - common
    for end in End:
        assert f"`{end}`" in GUIDE
