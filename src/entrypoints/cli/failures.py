"""What is said of an error on the command line: never a traceback, never a secret."""

from ...domain.errors import DatabaseUnavailable, InvalidRows, InvalidValue, RowFault, StewardError


def sentences(error: Exception) -> list[str]:
    """Empty for an error that was not foreseen."""
    if isinstance(error, DatabaseUnavailable):
        return [_unavailable(error)]
    if isinstance(error, InvalidRows):
        return [_of_row(fault) for fault in error.faults] + [f"{error.total} faults: nothing is imported"] * (
            error.total > 1
        )
    if isinstance(error, InvalidValue):
        return [f"{error.field}: {error}"]
    if isinstance(error, StewardError):
        return [str(error) or error.code]

    from ...config import ConfigurationError  # slow to import, but whoever raised it has done so already

    if isinstance(error, ConfigurationError):
        return error.faults
    return []


def _of_row(fault: RowFault) -> str:
    where = ".".join(str(part) for part in fault.path)
    return f"line {fault.line}: {f'{where}: ' if where else ''}{fault.detail}"


def _unavailable(error: DatabaseUnavailable) -> str:
    """With what the driver said and where it looked: the fault is mostly in the settings."""
    from ...config import load_settings

    return f"{error}{reason_of(error)} (STEWARD_DATABASE_URL is {load_settings().shown_database_url})"


def reason_of(error: DatabaseUnavailable) -> str:
    """What the driver said, behind a colon."""
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    return f": {str(cause).splitlines()[0]}" if cause is not None and str(cause) else ""
