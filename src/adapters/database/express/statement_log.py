"""The log of what the lane sends: that of SQLAlchemy, which does not see it."""

import logging
from collections.abc import Mapping
from reprlib import Repr
from typing import Any

from sqlalchemy import Engine

from .direct_statements import DirectStatement

_shortened = Repr()
_shortened.maxstring = _shortened.maxother = 300
_shortened.maxtuple = _shortened.maxlist = 100


class StatementLog:
    """Writes to the engine's logger (`sqlalchemy.engine.Engine`) what SQLAlchemy would write there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def is_on(self) -> bool:
        """Return True with `echo`, or if the logger is at INFO. SQLAlchemy asks once for each connection, too."""
        return self._engine.logger.isEnabledFor(logging.INFO)

    def note(self, message: str) -> None:
        """Write a line: BEGIN or COMMIT."""
        self._engine.logger.info(message)

    def statement(self, statement: DirectStatement, parameters: Mapping[str, Any]) -> None:
        """Write the SQL, and its parameters unless the engine hides them."""
        hidden = self._engine.hide_parameters
        values = "(parameters hidden)" if hidden else _shortened.repr(tuple(statement.arguments(parameters)))
        self._engine.logger.info(statement.sql)
        self._engine.logger.info("[express lane] %s", values)
