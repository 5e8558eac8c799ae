"""Commands that are ended from outside."""

import signal

from .server import die_with_parent


def hears_ctrl_c() -> None:
    """For a child, before it becomes the command: SIGINT means what it means in a terminal. Whoever is started in the
    background has it ignored, and so would the child."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
