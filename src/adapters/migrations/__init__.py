"""The schema's history, inside the package so that it is installed with it."""
