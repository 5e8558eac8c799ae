"""Every problem as the server would write it, for the OpenAPI document."""

from typing import Any

from ..problems.problem_responses import MEDIA_TYPE, Fault, problem_members
from ..problems.problem_types import PROBLEM_TYPES, TOKEN_PATH
from . import examples
from .documentation import codes_of

_FAULT = Fault("parameter", "nonsense", "unknown_parameter", "There is no such parameter")
_FAULT_IN_BODY = Fault("pointer", "/nonsense", "unknown_member", "There is no such member")


class ProblemExamples:
    """`shared` holds one for each code, as the first operation that has it would write it. Sign-in, whose problems
    have two members more, has its own."""

    def __init__(self) -> None:
        self.shared: dict[str, Any] = {}

    def add_to(self, operation: dict[str, Any], *, instance: str) -> None:
        for response in operation["responses"].values():
            if codes := codes_of(response):
                response["content"][MEDIA_TYPE]["examples"] = {
                    code: self._example(code, instance, in_body="requestBody" in operation) for code in codes
                }

    def _example(self, code: str, instance: str, *, in_body: bool) -> dict[str, Any]:
        if instance == TOKEN_PATH:
            return _written(code, instance, _FAULT, at_sign_in=True)
        is_in_body = in_body and code == "invalid_request"
        name = f"{code}_in_body" if is_in_body else code
        self.shared.setdefault(name, _written(code, instance, _FAULT_IN_BODY if is_in_body else _FAULT))
        return {"$ref": f"#/components/examples/{name}"}


def _written(code: str, instance: str, fault: Fault, *, at_sign_in: bool = False) -> dict[str, Any]:
    kind = PROBLEM_TYPES[code]
    detail = fault.detail if code == "invalid_request" else examples.DETAILS.get(code, kind.title)
    members = problem_members(
        kind,
        detail,
        instance=instance,
        request_id=examples.REQUEST_ID,
        faults=(fault,) if code == "invalid_request" else (),
        at_sign_in=at_sign_in,
    )
    return {"summary": kind.title, "value": members}
