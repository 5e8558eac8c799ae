"""The suite that holds a backend of the unit of work to its promises.

    from steward.testing.contract import UnitOfWorkContract

    class TestMyUnitOfWork(UnitOfWorkContract):
        @pytest.fixture
        def store(self): ...                      # anything with `unit_of_work()`, empty, another for each test

It needs pytest and pytest-asyncio. `setting.Setting` says what else can be overridden. Each test carries
`@pytest.mark.promise(number)`; what is not numbered is the isolation that all backends share, and the repositories.
"""

import pytest

_SUBJECTS = (
    "steps",
    "setting",
    "ending",
    "nesting",
    "savepoints",
    "retrying",
    "reading",
    "one_task",
    "late_tasks",
    "handing_over",
    "generators",
    "versions",
    "failures",
    "unknown_outcomes",
    "cancellation",
    "deadlines",
    "isolation",
    "repositories",
    "pages",
    "login_sessions",
    "rotation",
    "attempts",
    "idempotency",
)

# Before they are imported: assertions in modules that pytest does not collect say nothing when they fail.
pytest.register_assert_rewrite(*(f"{__name__}.{subject}" for subject in _SUBJECTS))

from .attempts import Attempts  # noqa: E402
from .cancellation import Cancellation  # noqa: E402
from .deadlines import Deadlines  # noqa: E402
from .ending import Ending  # noqa: E402
from .failures import Failures  # noqa: E402
from .generators import Generators  # noqa: E402
from .handing_over import HandingOver  # noqa: E402
from .idempotency import Idempotency  # noqa: E402
from .isolation import Isolation  # noqa: E402
from .late_tasks import LateTasks  # noqa: E402
from .login_sessions import LoginSessions  # noqa: E402
from .nesting import Nesting  # noqa: E402
from .one_task import OneTask  # noqa: E402
from .pages import Pages  # noqa: E402
from .reading import Reading  # noqa: E402
from .repositories import Repositories  # noqa: E402
from .retrying import Retrying  # noqa: E402
from .rotation import Rotation  # noqa: E402
from .savepoints import Savepoints  # noqa: E402
from .unknown_outcomes import UnknownOutcomes  # noqa: E402
from .versions import Versions  # noqa: E402

__all__ = ["UnitOfWorkContract"]


@pytest.mark.asyncio
class UnitOfWorkContract(
    Ending,
    Nesting,
    Savepoints,
    Retrying,
    Reading,
    OneTask,
    LateTasks,
    HandingOver,
    Generators,
    Versions,
    Failures,
    UnknownOutcomes,
    Cancellation,
    Deadlines,
    Isolation,
    Repositories,
    Pages,
    LoginSessions,
    Rotation,
    Attempts,
    Idempotency,
):
    """All of it. Give it a fixture `store`."""
