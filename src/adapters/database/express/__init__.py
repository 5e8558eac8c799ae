"""The express lane: BEGIN, hot statements and COMMIT straight to the driver, as long as nothing goes wrong.

The first error, savepoint, rollback or other statement leaves the lane: SQLAlchemy takes the connection as it stands.
It imports `adapters.unit_of_work`, the drivers and the memory of failed statements. `engines.py` and
`unit_of_work.py` import it.
"""
