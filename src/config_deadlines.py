"""The deadlines that can be set, in one table, and how much may wait.

What is late ends, and holds nothing any more. Times are in seconds. The shorter stand inside the longer: a request that
waits for a connection (2), connects (3) and runs a statement (5) still has its answer in time (10). A time that nobody
has a reason to change is no setting, and stands where it is used.
"""

from pydantic import Field
from pydantic_settings import BaseSettings

_DAY = 24 * 3600.0


class Deadlines(BaseSettings):
    # The database.
    # Until a connection is there, of the pool or of the command line.
    connect_timeout: float = Field(default=3.0, gt=0, le=60)
    # How long a unit of work waits for its turn at the database before it is refused with 503.
    pool_timeout: float = Field(default=2.0, gt=0, le=60)
    # How many wait for their turn at once; the next is refused at once. Twice what is answered in `pool_timeout` is
    # more than can be served in time.
    pool_queue: int = Field(default=128, ge=0, le=100_000)
    # Each statement. On PostgreSQL the server ends it; where none answers, the client gives up soon after.
    statement_timeout: float = Field(default=5.0, gt=0, le=3600)
    # How long SQLite waits for another process that is writing.
    busy_timeout: float = Field(default=2.0, ge=0, le=60)
    # The readiness check, which asks by a connection of its own.
    readiness_timeout: float = Field(default=2.0, gt=0, le=60)

    # Requests.
    # From when all of a request has come to when its answer begins; what has not been committed by then is rolled back.
    request_timeout: float = Field(default=10.0, gt=0, le=3600)
    # That of /items/batch. On SQLite nobody else writes meanwhile.
    batch_timeout: float = Field(default=10.0, gt=0, le=1800)
    # The transaction of an import, and before it the reading of its file. On SQLite nobody else writes meanwhile.
    import_timeout: float = Field(default=60.0, gt=0, le=1800)
    # The whole of an export, at the speed at which its client takes it.
    export_timeout: float = Field(default=3600.0, gt=0, le=_DAY)

    # Clients that are slow, or gone without a word.
    # The request line and the headers, from the first byte; the first one of a connection, from when it is made.
    head_timeout: float = Field(default=10.0, gt=0, le=3600)
    # All of a body but that of an import.
    body_timeout: float = Field(default=30.0, gt=0, le=3600)
    # An import's body: all of it, and each pause in it.
    import_body_timeout: float = Field(default=900.0, gt=0, le=_DAY)
    import_idle_timeout: float = Field(default=30.0, gt=0, le=3600)
    # How long a client may take nothing of an answer that is being sent.
    send_timeout: float = Field(default=30.0, gt=0, le=3600)
    # How long a connection idles between requests. Longer than what stands in front keeps its own: or it would send a
    # request on one that is being closed.
    keep_alive_timeout: float = Field(default=75.0, gt=0, le=3600)

    # The shell: `steward db backup`, `restore` and `copy`.
    backup_timeout: float = Field(default=3600.0, gt=0, le=_DAY)

    # The end.
    # How long requests that have begun may take after SIGTERM, the drain time included.
    shutdown_timeout: int = Field(default=10, ge=0, le=3600)
    # How long after SIGTERM the server still takes requests: what was sent already is read, and a load balancer that
    # asks for readiness learns to send no more. Behind one, longer than the interval at which it asks.
    drain_time: float = Field(default=0.25, ge=0, allow_inf_nan=False)
