"""Statements that read a list page by page. Each shape is built once, when it is first asked for.

A page begins after a position, never after so many rows (OFFSET): an index leads to its first row at once, and page
1,000 costs what page 1 costs.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any

from sqlalchemy import (
    BigInteger,
    BinaryExpression,
    BindParameter,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Executable,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ....domain.pages import Position, Sort, SortKey

# Clients choose among thousands of shapes; so many are kept, those asked for last. SQLAlchemy keeps as many texts.
_SHAPES = 500


class Pages:
    """`rows` selects from `table` all that can be listed; `filters` are the conditions, each by its name. `grouped_by`
    is a column that comes first in the indexes, and the name of the filter for one value of it."""

    def __init__(
        self,
        rows: Select[*tuple[Any, ...]],
        table: Table,
        filters: Mapping[str, ColumnElement[bool]],
        *,
        grouped_by: str | None = None,
    ) -> None:
        self._rows = rows
        self._table = table
        self._filters = filters
        self._grouped_by = grouped_by
        self._page = lru_cache(_SHAPES)(self._build_page)
        self._count = lru_cache(_SHAPES)(self._build_count)

    def page(
        self, dialect: str, given: Mapping[str, Any], sort: Sort, after: Position | None, limit: int
    ) -> tuple[Executable, dict[str, Any]]:
        """A statement and its parameters; `given` are those of the filters, by their names."""
        if after is None:
            return self._page(dialect, frozenset(given), sort, None), {**given, "limit": limit}
        met = self._met_by(after, given, sort)
        needed = {name: value for name, value in given.items() if name not in met or not self._is_implied(name, sort)}
        position = {_bound_name(key): value for key, value in zip(sort.keys, after, strict=True)}
        return self._page(dialect, frozenset(needed), sort, met.intersection(needed)), {
            **needed,
            **position,
            "limit": limit,
        }

    def count(self, given: Mapping[str, Any]) -> tuple[Executable, Mapping[str, Any]]:
        return self._count(frozenset(given)), given

    def _build_page(self, dialect: str, given: frozenset[str], sort: Sort, met: frozenset[str] | None) -> Executable:
        """`met`, None for a first page, are those of the filters that hold for whatever equals the position in the
        first field."""
        if dialect == "postgresql" and self._grouped_by in given and len(sort.keys) == 1:
            return self._build_page_of_group(self._table.c[self._grouped_by], given, sort.keys[0], met is not None)
        rows = self._rows.where(*self._conditions(given))
        columns = [self._table.c[key.field] for key in sort.keys]
        if met is None:
            page: Select[*tuple[Any, ...]] | CompoundSelect[Any] = rows
        elif dialect == "sqlite" and len(columns) == 2 and _is_one_way(sort.keys):
            beyond, equal = _parts_after(columns, sort.keys)
            page = union_all(rows.where(*beyond), self._rows.where(*self._conditions(given - met), *equal))
        else:
            page = rows.where(_stands_after(columns, sort.keys))
        order = [page.selected_columns[key.field] for key in sort.keys]
        return page.order_by(
            *(column.desc() if key.descending else column.asc() for column, key in zip(order, sort.keys, strict=True))
        ).limit(bindparam("limit"))

    def _build_page_of_group(
        self, group: ColumnElement[Any], given: frozenset[str], key: SortKey, later: bool
    ) -> Executable:
        """One owner's items by id. PostgreSQL would rather read everybody's by id until it has found enough of them,
        and those may be far away; it does not see that `group` is the same in all rows of a range."""
        name, column = group.name, self._table.c[key.field]
        same: BindParameter[Any] = bindparam(name)
        least, most = group >= same, group <= same
        if later:
            # In place of that one, not beside it: of two bounds PostgreSQL may begin at the farther one.
            left, right = tuple_(group, column), tuple_(same, _bound(column, key))
            least, most = (least, left < right) if key.descending else (left > right, most)
        page = self._rows.where(*self._conditions(given - {name}), least, most)
        order = (group.desc(), column.desc()) if key.descending else (group, column)
        return page.order_by(*order).limit(bindparam("limit"))

    def _build_count(self, given: frozenset[str]) -> Select[Any]:
        return select(func.count()).select_from(self._table).where(*self._conditions(given))

    def _met_by(self, after: Position, given: Mapping[str, Any], sort: Sort) -> frozenset[str]:
        """The filters that compare the first field of the sort, and hold for the position's value of it."""
        bounds = ((name, self._bound_of(name, sort)) for name in given)
        return frozenset(name for name, holds in bounds if holds is not None and holds(after[0], given[name]))

    def _is_implied(self, name: str, sort: Sort) -> bool:
        """Whether a filter that holds for one row holds for all behind it. Beside the position, such a bound is one too
        many: of two, a database may begin at the farther one, and read all that came before in order to skip it."""
        return self._bound_of(name, sort) in ((le, lt) if sort.keys[0].descending else (ge, gt))

    def _bound_of(self, name: str, sort: Sort) -> Any:
        """How a filter compares the first field of the sort; None if it does not."""
        condition = self._filters.get(name)
        if isinstance(condition, BinaryExpression) and condition.left is self._table.c[sort.keys[0].field]:
            return condition.operator if condition.operator in (ge, gt, le, lt) else None
        return None

    def _conditions(self, given: frozenset[str]) -> list[ColumnElement[bool]]:
        return [condition for name, condition in self._filters.items() if name in given]


def _is_one_way(keys: Sequence[SortKey]) -> bool:
    return len({key.descending for key in keys}) == 1


def _stands_after(columns: Sequence[ColumnElement[Any]], keys: Sequence[SortKey]) -> ColumnElement[bool]:
    if not _is_one_way(keys):
        return _stands_after_in_mixed_directions(columns, keys)
    # One comparison of rows: where an index is over these columns, it leads PostgreSQL to the very row.
    left, right = tuple_(*columns), tuple_(*map(_bound, columns, keys))
    return left < right if keys[0].descending else left > right


def _stands_after_in_mixed_directions(
    columns: Sequence[ColumnElement[Any]], keys: Sequence[SortKey]
) -> ColumnElement[bool]:
    """`a >= :a AND (a > :a OR …)`: the first condition an index can serve; `a > :a OR (a = :a AND …)` none can."""
    column, bound, descending = columns[0], _bound(columns[0], keys[0]), keys[0].descending
    beyond = column < bound if descending else column > bound
    if len(columns) == 1:
        return beyond
    at_least = column <= bound if descending else column >= bound
    return and_(at_least, or_(beyond, _stands_after_in_mixed_directions(columns[1:], keys[1:])))


def _parts_after(
    columns: Sequence[ColumnElement[Any]], keys: Sequence[SortKey]
) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """What stands after a position by a and id: `a > :a`, and where a is the same, `id > :id`. Each is a range of the
    index over both, and SQLite merges the two as it reads them.

    Of `(a, id) > (:a, :id)` it would look up `a` alone, because the id is the rowid: where very many rows have the same
    `a`, as those of one import have the same time, it would read all that came before in order to skip them. PostgreSQL
    looks up both, but would sort the two parts before it merges them.
    """
    (column, last), (key, last_key) = columns, keys
    bound = _bound(column, key)
    last_bound = _bound(last, last_key)
    yield (column < bound if key.descending else column > bound,)
    yield column == bound, last < last_bound if last_key.descending else last > last_bound


def _bound(column: ColumnElement[Any], key: SortKey) -> BindParameter[Any]:
    # Of any integer, so that one beyond the column's range is compared too.
    kind = BigInteger() if isinstance(column.type, Integer) else column.type
    return bindparam(_bound_name(key), type_=kind)


def _bound_name(key: SortKey) -> str:
    return f"after_{key.field}"


class contains(FunctionElement[bool]):  # noqa: N801 - a function of SQL
    """Whether the first text contains the second. Not LIKE, which has wildcards and on SQLite folds ASCII."""

    type = Boolean()
    inherit_cache = True


@compiles(contains, "sqlite")
def _instr(element: contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


@compiles(contains, "postgresql")
def _strpos(element: contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)}) > 0"
