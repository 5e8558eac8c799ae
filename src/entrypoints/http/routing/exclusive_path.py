"""Paths that the pattern of another route matches as well: `/items/batch` is no item's."""

from starlette.routing import Match
from starlette.types import Scope

from .strict_route import StrictRoute


class ExclusivePathRoute(StrictRoute):
    """The only route of its path, and declared before the one whose pattern matches, too.

    So a method that it does not have is a 405, and not a request to the other one with a strange id.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child_scope
