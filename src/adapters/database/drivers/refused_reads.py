"""Reads that a serializable server refuses for what writers have done, outside a transaction."""

READ_ATTEMPTS = 10


def is_refused_read(error: BaseException) -> bool:
    """40001. Whoever reads holds a block open, so `run` cannot begin again. But the statement stands alone, and those
    writers have ended: it may be sent again."""
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None) == "40001"
