"""docs/architecture.md says which functions a POST /items passes, in which order."""

import re
import sys
from pathlib import Path
from types import FrameType

from tests.support.http import Api

ROOT = Path(__file__).parents[3]
SERVER = "entrypoints/server/"  # a process has it; here the application is called without


def documented() -> list[str]:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    return [f"{where}:{what}" for where, what in re.findall(r"^\| \d+ \| `(.+?)` \| `(.+?)` \|", page, re.MULTILINE)]


async def test_a_request_passes_the_documented_steps_in_order(edge: Api) -> None:
    """Its database is in memory, where every statement takes the ordinary path."""
    as_ada = await edge.bearer((await edge.user())["id"])
    passed: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(ROOT / "src"):
            passed.append(f"{path.relative_to(ROOT / 'src')}:{frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        answer = await edge.client.post("/items", json={"name": "Box"}, headers=as_ada)
    finally:
        sys.setprofile(None)
    assert answer.status_code == 201
    steps = documented()
    assert 20 <= len(steps) <= 25
    left = iter(passed)
    assert [step for step in steps if not step.startswith(SERVER) and step not in left] == []
