"""`steward user …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ...domain.users import Role
from .passwords import PasswordOnStdin, ask_for_password

if TYPE_CHECKING:
    from datetime import datetime

    from ...domain.users import User

app = typer.Typer(help="The users.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def create(
    username: Annotated[str, typer.Option(help="3 to 64 letters, digits, '.', '_' or '-'.")],
    email: Annotated[str, typer.Option()],
    role: Annotated[Role, typer.Option()] = Role.MEMBER,
    password_stdin: PasswordOnStdin = False,
) -> None:
    """Register a user; the password is asked for."""
    import asyncio

    from ...config import load_settings
    from ...domain.actors import Actor
    from .. import python

    settings, password = load_settings(), ask_for_password(on_stdin=password_stdin)

    async def work() -> "User":
        async with python.open(settings) as steward:
            return await steward.users.register(
                Actor.system(), username=username, email=email, password=password, role=role
            )

    user = asyncio.run(work())
    typer.echo(f"User {user.id} is {user.username} ({user.role})")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """List the users, the newest first."""
    import asyncio

    from ...config import load_settings
    from ...domain.actors import Actor
    from .. import python

    settings = load_settings()

    async def work() -> "list[User]":
        async with python.open(settings) as steward:
            return await steward.users.list(Actor.system(), limit=limit)

    found = asyncio.run(work())
    if as_json:
        _print_json(found)
    else:
        _print_table(found)


def _print_json(users: "list[User]") -> None:
    import json

    fields = ("id", "username", "email", "role", "is_active", "created_at", "updated_at", "version")
    rows = [{field: getattr(user, field) for field in fields} for user in users]
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=_rfc3339))


def _rfc3339(time: "datetime") -> str:
    return time.isoformat().replace("+00:00", "Z")


def _print_table(users: "list[User]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("id", "username", "email", "role", "active", "since")
    for user in users:
        cells = (str(user.id), user.username, user.email, user.role, "yes" if user.is_active else "no")
        since = user.created_at.strftime("%Y-%m-%d %H:%M")
        # As text: an address may hold what rich takes for markup. Folded: nothing may be cut off in a pipe.
        table.add_row(*(Text(cell, overflow="fold") for cell in (*cells, since)))
    Console().print(table)
