"""What has expired is purged by those who write next to it, a few rows at a time: no job has to run for it."""

from datetime import timedelta

PURGE_BATCH_SIZE = 20
# An expired access token is still known for so long, so that its bearer is told to refresh it.
TOKENS_KEPT = timedelta(days=1)
