"""The container of the application that a request has come to."""

from starlette.requests import HTTPConnection

from ...bootstrap import Container


def container_of(request: HTTPConnection) -> Container:
    # An attribute of the application: what stands in `app.state` is looked up by a function of Python's, every time.
    container: Container = request.scope["app"].container
    return container
