"""The history of the schema, as Alembic scripts, inside the package so that they are installed with it.

The scripts import nothing of Steward: they stay as they were released. `env.py` imports the tables;
`adapters.database.operations.schema` runs it.
"""
