"""Requests that Schemathesis makes of the OpenAPI document, good, bad, and in sequences: no 5xx, all as documented.

`make fuzz` sends far more of them.
"""

from pathlib import Path

from steward.domain.users import Role

from .amount import EXAMPLES
from .fuzzing import fuzz

# The same requests each time; in the long run others each time.
AMOUNT = [f"--max-examples={EXAMPLES or 4}", *([] if EXAMPLES else ["--generation-deterministic"])]
ROLES = {"sqlite": [Role.ADMIN], "postgres": [Role.MEMBER]}


def test_generated_requests_are_answered_as_documented(server_backend: str, server_url: str, tmp_path: Path) -> None:
    for role in Role if EXAMPLES else ROLES[server_backend]:
        fuzzing = fuzz(server_url, role, tmp_path / "answers.json", *AMOUNT)
        print(f"{fuzzing.answers.total()} generated requests of a {role}:", dict(sorted(fuzzing.answers.items())))  # noqa: T201 - `make fuzz` shows it
        assert fuzzing.found_nothing, fuzzing.report
        assert fuzzing.answers.keys() >= {200, 201, 204, 400, 401, 404, 405, 422}
