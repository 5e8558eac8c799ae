"""Many rows in one statement, whatever their number, with the ids that they got."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, column, func, insert, select, table

from ....domain.errors import StewardError
from ..session_transaction import SessionTransaction

_sqlite_sequence = table("sqlite_sequence", column("name"), column("seq"))


class BulkInsert:
    """Into one table, whose ids are given by the database and never twice."""

    def __init__(self, into: Table) -> None:
        self._insert = insert(into)
        # A thousand rows at a time. In which order RETURNING alone gives the ids nobody promises.
        self._insert_returning = insert(into).returning(into.c.id, sort_by_parameter_order=True)
        given_last = select(_sqlite_sequence.c.seq).where(_sqlite_sequence.c.name == into.name).scalar_subquery()
        self._last_id = select(
            # SQLite, too, takes the larger of both (sqlite.org/autoinc.html).
            func.max(func.coalesce(given_last, 0), func.coalesce(select(func.max(into.c.id)).scalar_subquery(), 0))
        )

    async def execute(
        self,
        transaction: SessionTransaction,
        rows: Sequence[Mapping[str, Any]],
        *,
        foreign_key: StewardError | None = None,
    ) -> list[Any]:
        """The ids in the order of the rows. `foreign_key` is what it means if a foreign key says no."""
        if transaction.dialect != "sqlite":
            result = await transaction.execute(self._insert_returning, rows, foreign_key=foreign_key)
            return list(result.scalars())
        # One after the other they would each be a call of the driver's thread, for SQLAlchemy cannot know in which
        # order SQLite returns the ids of several. Nobody else writes now, so here they can be given by hand.
        last_id = (await transaction.execute(self._last_id)).scalar_one()
        ids = list(range(last_id + 1, last_id + 1 + len(rows)))
        numbered = [{**row, "id": row_id} for row, row_id in zip(rows, ids, strict=True)]
        await transaction.execute(self._insert, numbered, foreign_key=foreign_key)
        return ids
