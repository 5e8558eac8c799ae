"""Reads that a serializable server refuses for what writers have done, outside a transaction."""

READ_ATTEMPTS = 10


def is_refused_read(error: BaseException) -> bool:
    """Return True for 40001.

    A reading block is open, so `run` cannot begin again. But outside a transaction the statement stands alone, and
    those writers have ended: it may be sent again.
    """
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None) == "40001"
