"""`python -m steward` is the command `steward`."""

from .entrypoints.cli.main import main

if __name__ == "__main__":  # worker processes import this module too
    main()
