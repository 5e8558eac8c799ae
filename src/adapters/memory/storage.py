"""What a `MemoryDatabase` stores: the committed state, who may write, the next ids, and failures on demand."""

import asyncio

from ...domain.errors import Conflict
from ...domain.items import ItemId
from ...domain.login_sessions import LoginSessionId
from ...domain.users import UserId
from .state import State


class MemoryStorage:
    """Beside the committed state it counts what became of the units that could write."""

    def __init__(self) -> None:
        self.committed = State()
        self.writer = asyncio.Lock()
        self.commits = 0
        self.rollbacks = 0
        self.open_units = 0
        self._last_user_id = 0
        self._last_item_id = 0
        self._last_login_session_id = 0
        self._commit_failure: Exception | None = None
        self._failure_is_stored = False
        self._conflicts = 0

    def next_user_id(self) -> UserId:
        """Return an id that is never given again, also if the unit that asked is rolled back."""
        self._last_user_id += 1
        return UserId(self._last_user_id)

    def next_item_id(self) -> ItemId:
        self._last_item_id += 1
        return ItemId(self._last_item_id)

    def next_login_session_id(self) -> LoginSessionId:
        self._last_login_session_id += 1
        return LoginSessionId(self._last_login_session_id)

    def fail_next_commit(self, error: Exception | type[Exception], *, stored: bool = False) -> None:
        """The next commit raises `error`. It stores nothing, unless `stored` says that the answer alone was lost."""
        self._commit_failure = error() if isinstance(error, type) else error
        self._failure_is_stored = stored

    def conflict_next(self, times: int = 1) -> None:
        """The next `times` commits raise `Conflict`, as a database does that lost a race."""
        self._conflicts = times

    def apply(self, working: State) -> Exception | None:
        """Make a unit's state the committed one.

        Raises the failure that was asked for, or returns it if it comes after the deed.
        """
        failure, self._commit_failure = self._commit_failure, None
        if failure is not None and not self._failure_is_stored:
            raise failure
        if self._conflicts:
            self._conflicts -= 1
            raise Conflict
        self.committed = working
        self.commits += 1
        return failure
