"""`steward seed`."""

from typing import Annotated

import typer

from .passwords import PasswordOnStdin, ask_for_password
from .progress import progress_bars


def seed(
    users: Annotated[int, typer.Option(min=0, help="How many to add.")] = 100,
    items: Annotated[int, typer.Option(min=0, help="How many to add.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Another number gives other data.")] = 0,
    password_stdin: PasswordOnStdin = False,
) -> None:
    """Add sample users and items. Without new users, the items go to those who are there.

    The users can sign in only if they are given a password, the same for all.
    """
    import asyncio

    from ...adapters.database.operations import schema
    from ...bootstrap import container_for
    from ...config import load_settings
    from ...domain.actors import Actor
    from ...service_layer import seeding

    container = container_for(load_settings())
    password = ask_for_password(on_stdin=True) if password_stdin else None

    totals = {"users": users, "items": items}

    async def work() -> None:
        with progress_bars() as report:
            async with container.database() as database:
                await schema.require_newest(database)
                await seeding.seed(
                    container.unit_of_work(),
                    Actor.system(),
                    **totals,
                    seed=seed,
                    password_hash=None if password is None else await container.hasher().hash(password),
                    progress=lambda kind, count: report(kind, count, totals[kind]),
                )

    try:
        asyncio.run(work())
    finally:
        container.hasher().close()
    typer.echo(f"Added {users} users and {items} items")
