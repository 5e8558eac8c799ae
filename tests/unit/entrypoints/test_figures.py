"""The figures of one application, and what becomes of what is seen."""

from dataclasses import dataclass
from typing import Any

from steward.entrypoints.http.middleware.metrics import CONTENT_TYPE, Metrics, Sources
from steward.entrypoints.http.middleware.observed import End, Exchange
from steward.service_layer.tally import Tally

from tests.support.figures import Figures


@dataclass
class Pool:
    size: int = 16
    in_use: int = 0
    waiting: int = 0
    refused: int = 0


def _metrics(pool: Pool | None = None, hasher: object = None) -> Metrics:
    pools = {"connections": pool or Pool()}
    return Metrics(Sources(pools=lambda: pools, hasher=lambda: hasher, imports=lambda: 2, requests=lambda: 5))


def _figures(metrics: Metrics) -> Figures:
    return Figures(metrics.text().decode())


def _exchange(**seen: Any) -> Exchange:
    return Exchange(
        **{"request_id": "mine", "method": "GET", "route": "/items", "status": 200, "seconds": 0.02, **seen}
    )


def test_a_request_is_counted_by_method_route_and_status_and_timed_by_method_and_route() -> None:
    metrics = _metrics()
    for status in (200, 200, 503):
        metrics.saw(_exchange(status=status))
    figures = _figures(metrics)
    assert figures("steward_http_requests_total", method="GET", route="/items", status="200") == 2
    assert figures("steward_http_requests_total", method="GET", route="/items", status="503") == 1
    name = "steward_http_request_duration_seconds"
    assert figures(f"{name}_count", method="GET", route="/items") == 3
    assert figures(f"{name}_bucket", method="GET", route="/items", le="0.01") == 0
    assert figures(f"{name}_bucket", method="GET", route="/items", le="0.025") == 3


def test_what_a_client_makes_up_adds_no_series() -> None:
    metrics = _metrics()
    for number in range(100):
        metrics.saw(_exchange(method=f"BREW{number}", route=None, status=404))
    name = "steward_http_requests_total"
    assert _figures(metrics).labels_of(name) == {
        frozenset({("method", "other"), ("route", "unmatched"), ("status", "404")})
    }


def test_what_was_not_answered_is_counted_by_why() -> None:
    metrics = _metrics()
    metrics.saw(_exchange(status=None, end=End.CLIENT_LEFT))
    metrics.saw(_exchange(end=End.BROKEN_OFF))
    figures = _figures(metrics)
    assert figures("steward_http_unanswered_total", end="client_left") == 1
    assert figures("steward_http_unanswered_total", end="broken_off") == 1
    assert figures("steward_http_requests_total", method="GET", route="/items", status="none") == 1


def test_problems_retries_and_unknown_outcomes_are_counted() -> None:
    metrics = _metrics()
    metrics.saw(_exchange(status=503, code="outcome_unknown", tally=Tally(retries=2, unknown_outcomes=1)))
    metrics.saw(_exchange(tally=Tally(retries=1)))
    figures = _figures(metrics)
    assert figures("steward_problems_total", code="outcome_unknown") == 1
    assert figures("steward_transaction_retries_total") == 3
    assert figures("steward_unknown_outcomes_total") == 1


def test_sign_ins_that_were_refused_are_counted_apart_from_other_refusals() -> None:
    metrics = _metrics()
    for code in ("invalid_credentials", "rate_limited", "malformed_form", "overloaded"):
        metrics.saw(_exchange(route="/auth/token", status=400, code=code))
    metrics.saw(_exchange(route="/users", status=429, code="rate_limited"))
    figures = _figures(metrics)
    assert figures("steward_sign_ins_refused_total", code="invalid_credentials") == 1
    assert figures("steward_sign_ins_refused_total", code="rate_limited") == 1
    assert len(figures.labels_of("steward_sign_ins_refused_total")) == 2


def test_the_pools_are_asked_when_the_figures_are() -> None:
    pool = Pool()
    metrics = _metrics(pool)
    figures = _figures(metrics)
    assert figures("steward_database_slots", pool="connections") == 16
    assert figures("steward_database_connections_in_use", pool="connections") == 0
    pool.in_use, pool.waiting, pool.refused = 16, 7, 3
    for _ in range(2):
        figures = _figures(metrics)
        assert figures("steward_database_connections_in_use", pool="connections") == 16
        assert figures("steward_database_waiting", pool="connections") == 7
        assert figures("steward_database_refused_total", pool="connections") == 3
    pool.refused = 4
    assert _figures(metrics)("steward_database_refused_total", pool="connections") == 4


def test_a_hasher_that_tells_of_its_queue_has_figures_and_another_has_none() -> None:
    figures = _figures(_metrics(hasher=Pool(size=2, in_use=2, waiting=9, refused=1)))
    assert figures("steward_hashing_slots") == 2
    assert figures("steward_hashing_waiting") == 9
    assert figures("steward_hashing_refused_total") == 1
    assert not [name for name, _ in _figures(_metrics(hasher=object())).samples if "hashing" in name]


def test_what_is_under_way_is_told() -> None:
    figures = _figures(_metrics())
    assert figures("steward_http_requests_in_progress") == 5
    assert figures("steward_imports_in_progress") == 2
    assert figures("steward_processes") == 1


def test_two_applications_share_no_figures() -> None:
    one, other = _metrics(), _metrics()
    one.saw(_exchange(code="conflict"))
    assert _figures(one)("steward_problems_total", code="conflict") == 1
    assert _figures(other)("steward_problems_total", code="conflict") == 0


def test_the_text_is_that_of_prometheus_without_a_time_of_creation_for_each_series() -> None:
    metrics = _metrics()
    metrics.saw(_exchange())
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
    text = metrics.text().decode()
    assert "# TYPE steward_http_requests_total counter\n" in text
    assert "_created" not in text
