"""The table that gives each error its HTTP status, and the answers made of it."""

import json
import re
from collections.abc import Iterator

from steward.domain.errors import OperationFailed, StewardError, UnitOfWorkError
from steward.entrypoints.http.problems.problem_responses import Fault, problem_response
from steward.entrypoints.http.problems.problem_types import PROBLEM_TYPES


def last_of(kind: type[StewardError]) -> Iterator[type[StewardError]]:
    """The errors that are raised: those that no other derives from."""
    if not kind.__subclasses__():
        yield kind
    for each in kind.__subclasses__():
        yield from last_of(each)


def test_every_error_of_the_domain_has_its_place() -> None:
    without = {kind for kind in last_of(StewardError) if kind.code not in PROBLEM_TYPES}
    assert without == {OperationFailed}  # it has the place of the error inside


def test_only_a_misused_unit_of_work_is_a_bug() -> None:
    bugs = {kind for kind in last_of(StewardError) if kind.code == "internal_error"}
    assert bugs == set(last_of(UnitOfWorkError))


def test_every_type_explains_itself_under_an_address_of_its_own() -> None:
    for kind in PROBLEM_TYPES.values():
        assert kind.title
        assert kind.advice.endswith(".")
        assert re.fullmatch(r"/problems/[a-z-]+", kind.uri)
        assert 400 <= kind.status < 600
    assert len({kind.uri for kind in PROBLEM_TYPES.values()}) == len(PROBLEM_TYPES)


def test_a_repetition_is_suggested_only_where_nothing_was_stored() -> None:
    later = {kind.code for kind in PROBLEM_TYPES.values() if kind.retry_after is not None}
    assert "outcome_unknown" not in later
    assert {code for code in later if PROBLEM_TYPES[code].status != 503} == {"idempotency_key_in_use"}


def test_a_name_that_no_utf_8_can_carry_does_not_break_the_answer() -> None:
    fault = Fault("pointer", "/a\ud800", "unknown_member", "There is no such member")
    answer = problem_response({"path": "/"}, "invalid_request", "Not so", faults=[fault])
    assert json.loads(bytes(answer.body))["errors"][0]["pointer"] == "/a?"
