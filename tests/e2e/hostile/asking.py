"""A client of the application in this process, next to the model of what it should answer."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx2
from hypothesis.stateful import RuleBasedStateMachine

from tests.support.http import Api, serving
from tests.support.steward_server import PATIENT

from .model import Model, Outcome, Session

TABLES = ("attempt_counters", "tokens", "sessions", "items", "users")
GONE = 2**62  # an id that was never given


class Asking(RuleBasedStateMachine):
    """`caller` is one of the sessions that ever were, or nobody."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.api: Api = self.do(self.stack.enter_async_context(serving(url, **PATIENT, refresh_token_grace=0)))
        self.model = Model()
        self.ever: list[Session] = []
        self.user_ids: list[int] = [GONE]
        self.item_ids: list[int] = [GONE]

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.do(self._empty())
        self.do(self.stack.aclose())
        self.runner.close()

    async def _empty(self) -> None:
        async with self.api.database.session() as session:
            for table in TABLES:
                await (await session.connection()).exec_driver_sql(f"DELETE FROM {table}")
            await session.commit()

    def ask(self, caller: Session | None, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {} if caller is None else {"Authorization": f"Bearer {caller.access[-1]}"}
        response: httpx2.Response = self.do(self.api.anonymous.request(method, path, headers=headers, **options))
        return response

    def caller(self, number: int) -> Session | None:
        """The latest is 1."""
        return self.ever[-number] if 0 < number <= len(self.ever) else None

    def user_id(self, number: int) -> int:
        return self.user_ids[-1 - number % len(self.user_ids)]

    def item_id(self, number: int) -> int:
        return self.item_ids[-1 - number % len(self.item_ids)]

    def begun(self, user: int, tokens: Any) -> None:
        session = Session(0, user, [tokens["access_token"]], [tokens["refresh_token"]])
        listed = self.ask(session, "GET", "/auth/sessions").json()["data"]
        (session.id,) = [each["id"] for each in listed if each["current"]]
        self.model.sessions[session.id] = session
        self.ever.append(session)


def outcome_of(answer: httpx2.Response) -> Outcome:
    return answer.status_code, answer.json()["code"] if answer.is_error else None


def agree(answer: httpx2.Response, expected: Outcome | None) -> bool:
    """Whether it is a success, as the model said. Fails if the model said something else."""
    assert outcome_of(answer) == expected, answer.text
    return answer.is_success


def ids(answer: httpx2.Response) -> list[int]:
    return [each["id"] for each in answer.json()["data"]]
