"""How much is sent: `STEWARD_TEST_EXAMPLES`, as everywhere in the tests, or little."""

import os

EXAMPLES = int(os.environ.get("STEWARD_TEST_EXAMPLES", "0"))
