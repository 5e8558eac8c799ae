"""`steward user …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ...domain.users import Role
from .listing import Json, print_json, print_table, short_time
from .passwords import PasswordOnStdin, ask_for_password
from .with_app import with_app

if TYPE_CHECKING:
    from ...domain.pages import Page
    from ...domain.users import User
    from ..python import Steward

app = typer.Typer(help="The users.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="USER", help="The username or the e-mail address.")]


@app.command()
def create(
    username: Annotated[str, typer.Option(help="3 to 64 letters, digits, '.', '_' or '-'.")],
    email: Annotated[str, typer.Option()],
    role: Annotated[Role, typer.Option()] = Role.MEMBER,
    password_stdin: PasswordOnStdin = False,
) -> None:
    """Register a user; the password is asked for."""
    from ...domain.actors import Actor

    password = ask_for_password(on_stdin=password_stdin)

    async def work(steward: "Steward") -> "User":
        return await steward.users.register(
            Actor.system(), username=username, email=email, password=password, role=role
        )

    user = with_app(work)
    typer.echo(f"User {user.id} is {user.username} ({user.role})")


@app.command("reset-password")
def reset_password(name: Name, password_stdin: PasswordOnStdin = False) -> None:
    """Give a user another password, which is asked for. All sessions of the user end."""
    from ...domain.actors import Actor

    password = ask_for_password(on_stdin=password_stdin)

    async def work(steward: "Steward") -> "User":
        user = await steward.users.find(Actor.system(), name=name)
        await steward.users.set_password(Actor.system(), user_id=user.id, password=password)
        return user

    user = with_app(work)
    typer.echo(f"User {user.id}, {user.username}, has the new password; every session has ended")


@app.command()
def deactivate(name: Name) -> None:
    """Let a user in no more, from the next request on. What they own stays; all their sessions end."""
    user = _set_active(name, is_active=False)
    typer.echo(f"User {user.id}, {user.username}, is not active; every session has ended")


@app.command()
def activate(name: Name) -> None:
    """Let a user in again."""
    user = _set_active(name, is_active=True)
    typer.echo(f"User {user.id}, {user.username}, is active")


def _set_active(name: str, *, is_active: bool) -> "User":
    from ...domain.actors import Actor

    async def work(steward: "Steward") -> "User":
        user = await steward.users.find(Actor.system(), name=name)
        return await steward.users.update(Actor.system(), user_id=user.id, is_active=is_active)

    return with_app(work)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List the users, the newest first."""
    from ...domain.actors import Actor

    async def work(steward: "Steward") -> "Page[User]":
        return await steward.users.list(Actor.system(), limit=limit)

    found = with_app(work)
    if as_json:
        print_json(found, ("id", "username", "email", "role", "is_active", "created_at", "updated_at", "version"))
    else:
        print_table(
            ("id", "username", "email", "role", "active", "since"),
            (
                (str(user.id), user.username, user.email, user.role, _yes(user.is_active), short_time(user.created_at))
                for user in found
            ),
        )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
