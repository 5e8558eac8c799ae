"""`steward session …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from .listing import Json, print_json, print_table, short_time
from .user import Name
from .with_app import with_app

if TYPE_CHECKING:
    from ...domain.login_sessions import LoginSession
    from ..python import Steward

app = typer.Typer(help="The sessions of users.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_(name: Name, as_json: Json = False) -> None:
    """List the sessions of a user that have not expired, the newest first."""
    from ...domain.actors import Actor

    async def work(steward: "Steward") -> "list[LoginSession]":
        user = await steward.users.find(Actor.system(), name=name)
        return await steward.sessions.list(Actor.system(), user_id=user.id)

    found = with_app(work)
    if as_json:
        print_json(found, ("id", "created_at", "refreshed_at", "expires_at", "user_agent", "address"))
    else:
        print_table(
            ("id", "since", "refreshed", "expires", "address", "client"),
            (
                (
                    str(session.id),
                    *map(short_time, (session.created_at, session.refreshed_at, session.expires_at)),
                    session.address or "",
                    session.user_agent or "",
                )
                for session in found
            ),
        )


@app.command()
def revoke(
    session_id: Annotated[int | None, typer.Argument(metavar="ID", help="One session, by its id.")] = None,
    user: Annotated[str | None, typer.Option(help="Every session of this user: username or e-mail address.")] = None,
) -> None:
    """End one session, or all of a user: their tokens are worth nothing from the next request on."""
    from ...domain.actors import Actor
    from ...domain.login_sessions import LoginSessionId

    if (session_id is None) == (user is None):
        raise typer.BadParameter("name a session, or a user with --user")

    async def work(steward: "Steward") -> int:
        if session_id is not None:
            await steward.sessions.end(Actor.system(), session_id=LoginSessionId(session_id))
            return 1
        found = await steward.users.find(Actor.system(), name=str(user))
        return await steward.sessions.end_all_of(Actor.system(), user_id=found.id)

    ended = with_app(work)
    typer.echo(f"{ended} session{'' if ended == 1 else 's'} ended")
