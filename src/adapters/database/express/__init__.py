"""The express lane: BEGIN, hot statements and COMMIT straight to the driver, as long as nothing goes wrong.

`ExpressTransaction` says what leaves the lane: SQLAlchemy then takes the connection as it stands.
It imports `adapters.unit_of_work`, the drivers, the engines, `express_lane.py` and `session_transaction.py`.
`database.py` alone imports it, by one line: without that line and this package every statement goes through
SQLAlchemy.
"""
