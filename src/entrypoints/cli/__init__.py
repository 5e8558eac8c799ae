"""The command line, one module for each group of commands.

What is slow to import is imported inside the commands, so that `--help` answers at once. It imports the other entry
points, `bootstrap` and below; `src/__main__.py` alone imports it.
"""
