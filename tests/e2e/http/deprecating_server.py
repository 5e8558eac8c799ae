"""Steward with a route that is deprecated, as none of its own is. Run as a module, with the arguments of `steward`."""

from datetime import date

from starlette.responses import Response
from steward.entrypoints.cli.main import main
from steward.entrypoints.http.requests.authentication import CurrentActor
from steward.entrypoints.http.requests.fields import TextId
from steward.entrypoints.http.routers import monitoring
from steward.entrypoints.http.routing.deprecation import deprecated


@monitoring.router.get("/old/items/{item_id}")
@deprecated(since=date(2027, 1, 1), sunset=date(2027, 7, 1), successor="/items/{item_id}")
async def get_old_item(item_id: TextId, actor: CurrentActor) -> Response:
    return Response(status_code=204)


if __name__ == "__main__":
    main()
