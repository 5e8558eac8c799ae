"""What is refused before a statement of a unit of work, and remembered after it."""

from ...domain.errors import InvalidValue, NotFound, ReadOnly, Refused, UnitOfWorkError, VersionMismatch
from .blocks import BlockKind, Blocks
from .one_task import OneTask


class StatementGuard:
    """The part of a unit of work that its repositories see (`guards`)."""

    def __init__(self, store: object) -> None:
        self._blocks = Blocks(store)
        self._one_task = OneTask()
        self._reported: BaseException | None = None  # a failure of the statement that is under way

    def begin_statement(self, *, writes: bool, locks: bool) -> None:
        """Before each method of a repository; see `reads` and `writes`. Nothing is under way if it raises."""
        block = self._blocks.current()
        if block.kind is BlockKind.READING and (writes or locks):
            raise ReadOnly("Nothing can be written or locked inside reading()")
        self._refuse_if_busy()
        self._blocks.refuse_if_failed()
        self._one_task.enter()
        if writes:
            block.wrote = True

    def end_statement(self, error: BaseException | None) -> None:
        """After it. A failure that the backend has reported counts, also if the error was swallowed."""
        reported, self._reported = self._reported, None
        if reported is not None:
            self._blocks.fail(error or reported)  # what no savepoint heals is remembered already
        elif error is not None:
            self._remember(error)
        self._one_task.leave()

    def _remember(self, error: BaseException) -> None:
        """Promise 9: what a database would have failed for stays failed, also if the error is swallowed."""
        if isinstance(error, (NotFound, VersionMismatch, UnitOfWorkError)):
            return  # an answer, not a failure
        if isinstance(error, (Refused, InvalidValue)):
            self._blocks.fail(error)
        else:
            self._blocks.rollback_only_cause = self._blocks.rollback_only_cause or error

    def _refuse_if_busy(self) -> None:
        if self._one_task.occupant is not None:
            raise self._blocks.concurrent_use("Another task is inside this unit of work")
