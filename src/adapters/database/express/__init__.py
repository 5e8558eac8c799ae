"""The express lane: BEGIN, hot statements and COMMIT straight to the driver, as long as nothing goes wrong.

`ExpressTransaction` says what leaves the lane: SQLAlchemy then takes the connection as it stands.
It imports `adapters.unit_of_work`, the drivers, the engines and `session_transaction.py`. `database.py` alone imports
it.
"""
