"""`steward serve`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import socket

    from ...bootstrap import Container
    from ...config import Settings
    from .initial_admin import InitialAdmin


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen: STEWARD_HOST, or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one: STEWARD_PORT, or 8000.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes: STEWARD_WORKERS, or 1.")] = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the schema up to date first. Always done on SQLite.")
    ] = False,
) -> None:
    """Run the HTTP server until SIGINT or SIGTERM.

    The first signal lets the requests that were sent be answered; a second one ends the server at once. On an empty
    database the first admin is made, by the settings STEWARD_ADMIN_USERNAME, _EMAIL and _PASSWORD.
    """
    from ...config import load_settings
    from ..server.server import listening_socket

    given = {"host": host, "port": port, "workers": workers}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    with listening_socket(settings) as listener:
        # The port first: a second server by mistake, perhaps of another version, must not migrate under the first.
        if settings.workers == 1:
            code = _serve_alone(settings, listener, migrate=migrate)
        else:
            code = _serve_with_workers(settings, listener, migrate=migrate)
    raise typer.Exit(code)


def _serve_alone(settings: "Settings", listener: "socket.socket", *, migrate: bool) -> int:
    import asyncio
    import os

    from ..http.middleware.shared_figures import VARIABLE

    # Before prometheus_client is imported: somebody else's figures, or those of an earlier server, are not ours.
    os.environ.pop(VARIABLE, None)

    from ...bootstrap import container_for
    from ..http.app import create_app
    from ..server.server import Server, ServerConfig, start_listening
    from .initial_admin import prepare

    container = container_for(settings)
    config = ServerConfig(create_app(container), settings)

    async def run() -> int:
        # One container and one loop for all, so that a database in memory is still there when the server starts.
        async with container.database():
            initial_admin = await prepare(container, migrate=migrate)
            start_listening(settings, listener)
            server = Server(config, on_started=lambda: _tell(settings, listener, initial_admin))
            await server.serve([listener])
            return server.exit_code

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        return runner.run(run())


def _serve_with_workers(settings: "Settings", listener: "socket.socket", *, migrate: bool) -> int:
    import asyncio

    from sqlalchemy import make_url

    from ...adapters.database.drivers.sqlite import is_in_memory
    from ...bootstrap import container_for, secret_key
    from ...config import ConfigurationError
    from ..server.server import ServerConfig, start_listening
    from ..server.workers import Supervisor

    if is_in_memory(make_url(settings.database_url)):
        raise ConfigurationError(["STEWARD_WORKERS: a database in memory belongs to one process: name a file"])
    # They make their own containers out of the environment; what was given to this command is not their concern.
    config = ServerConfig("steward.entrypoints.http.app:create_app", settings)
    secret_key(settings)  # before a worker starts: without one none of them could
    initial_admin = asyncio.run(_prepare_once(container_for(settings), migrate=migrate))
    start_listening(settings, listener)
    supervisor = Supervisor(config, listener, on_started=lambda: _tell(settings, listener, initial_admin))
    supervisor.run()
    return supervisor.exit_code


async def _prepare_once(container: "Container", *, migrate: bool) -> "InitialAdmin | None":
    """Everything is closed again before a worker starts: no connection may cross into another process."""
    from .initial_admin import prepare

    async with container.database():
        try:
            return await prepare(container, migrate=migrate)
        finally:
            container.hasher().close()


def _tell(settings: "Settings", listener: "socket.socket", initial_admin: "InitialAdmin | None") -> None:
    """Printed, never logged: logs are kept, and read by many."""
    from importlib.metadata import version

    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    typer.echo(f"Steward {version('steward')} is at {address}")
    typer.echo(f"Its documentation is at {address}/docs")
    typer.echo(f"Its database is {settings.shown_database_url}")
    if initial_admin is not None:
        typer.echo(f"The database was empty: {initial_admin.username!r} is its first admin", nl=False)
        if initial_admin.made_password is not None:
            typer.echo(f", with the password {initial_admin.made_password} (shown this once)", nl=False)
        typer.echo()
    typer.echo("Ctrl+C ends it.")
