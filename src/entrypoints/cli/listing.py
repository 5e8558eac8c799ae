"""Lists on the command line: a table for people, JSON for programs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="As a JSON array.")]


def print_json(entities: Iterable[object], fields: Sequence[str]) -> None:
    import json

    rows = [{field: getattr(entity, field) for field in fields} for entity in entities]
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=_rfc3339))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles)
    for row in rows:
        # As text: an address may hold what rich takes for markup. Folded: nothing may be cut off in a pipe.
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console().print(table)


def short_time(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")


def _rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
