"""Users, items, their rules and errors: pure Python, no I/O, no clock of its own."""
